"""The simulator's shared objects, as typed keys of the aiohttp application."""

from aiohttp import web

from infra.local.simulator.clock import Clock
from infra.local.simulator.faults import Faults
from infra.local.simulator.provider.provider import Provider
from infra.local.simulator.store import Store
from infra.local.simulator.webhooks import Webhooks

STORE = web.AppKey("store", Store)
CLOCK = web.AppKey("clock", Clock)
WEBHOOKS = web.AppKey("webhooks", Webhooks)
FAULTS = web.AppKey("faults", Faults)
PROVIDER = web.AppKey("provider", Provider)
WAREHOUSE_SECRET: web.AppKey[str | None] = web.AppKey("warehouse_secret")
"""What `--warehouse-secret` said; the warehouse's own setting, put later, wins."""
