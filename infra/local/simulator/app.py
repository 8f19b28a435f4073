"""The simulator's web application: shared objects, routes of every part, background work, control API."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from infra.local.simulator import control, hooks, keys, mail
from infra.local.simulator.clock import Clock
from infra.local.simulator.faults import Faults
from infra.local.simulator.provider import routes as provider_routes
from infra.local.simulator.provider.provider import Provider
from infra.local.simulator.shop import routes as shop_routes
from infra.local.simulator.store import Store
from infra.local.simulator.warehouse import routes as warehouse_routes
from infra.local.simulator.webhooks import Webhooks

DATABASE = "simulator.sqlite3"
_BODY_LIMIT = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line decides."""

    data: Path
    smtp_port: int
    warehouse_secret: str | None = None


def build(options: Options) -> web.Application:
    """Make the application over the state in `options.data` (made when absent). Call it inside a running loop."""
    options.data.mkdir(parents=True, exist_ok=True)
    store = Store(options.data / DATABASE)
    clock = Clock(store)
    webhooks = Webhooks(store, clock)
    faults = Faults(store)
    app = web.Application(middlewares=[faults.middleware()], client_max_size=_BODY_LIMIT)
    app.cleanup_ctx.append(_close_store)
    app[keys.STORE] = store
    app[keys.CLOCK] = clock
    app[keys.WEBHOOKS] = webhooks
    app[keys.FAULTS] = faults
    app[keys.PROVIDER] = Provider(store, clock, webhooks)
    app[keys.WAREHOUSE_SECRET] = options.warehouse_secret
    control.setup(app)
    provider_routes.setup(app)
    shop_routes.setup(app)
    warehouse_routes.setup(app)
    hooks.setup(app)
    mail.setup(app, options.smtp_port)
    app.on_shutdown.append(_let_go)
    app.cleanup_ctx.append(_background)
    return app


async def _background(app: web.Application) -> AsyncIterator[None]:
    """Run the clock and the webhook sender while the application serves."""
    tasks = [asyncio.create_task(app[keys.CLOCK].run()), asyncio.create_task(app[keys.WEBHOOKS].run())]
    yield
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _let_go(app: web.Application) -> None:
    """End the faults that keep callers hanging, or stopping would wait for them."""
    app[keys.FAULTS].close()


async def _close_store(app: web.Application) -> AsyncIterator[None]:
    """Close the store when everything that was registered after this has ended."""
    yield
    app[keys.STORE].close()
