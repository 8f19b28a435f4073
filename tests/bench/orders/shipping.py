"""The warehouse's webhooks, taken here and delivered to their orders at once, as the event's workflow would.

The webhook's own way (functions, event workflow, inbox) is what `BENCH=ingress` measures; here it would hide the order.
"""

import asyncio
import json
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from aiohttp import web

from infra.local.freeports import free_port
from worker.contract.orders import OrderEvent, OrderEventKind
from worker.domain.errors import ProviderUnavailable
from worker.temporal.dispatch import TemporalProcesses


@asynccontextmanager
async def departures(processes: TemporalProcesses, simulator: str, secret: str, after: float) -> AsyncIterator[None]:
    """Have the simulated warehouse send parcels off `after` so many seconds, and tell the orders of it."""

    async def take(request: web.Request) -> web.Response:
        told = await request.json()
        shop, _, order_id = told["data"]["reference"].partition("/")
        event = OrderEvent(
            event_id=request.headers["webhook-id"],
            kind=OrderEventKind.SHIPPED,
            occurred_at=told["timestamp"],
            reference=told["data"]["id"],
        )
        group.create_task(_deliver(processes, shop, order_id, event))
        return web.Response(status=202)

    application = web.Application()
    application.router.add_post("/", take)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    port = free_port()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        hook = {"url": f"http://127.0.0.1:{port}/", "secret": secret}
        await _put(f"{simulator}/_sim/webhooks/warehouse", hook)
        await ship_after(simulator, after)
        async with asyncio.TaskGroup() as group:
            yield
    finally:
        await runner.cleanup()


async def _deliver(processes: TemporalProcesses, shop: str, order_id: str, event: OrderEvent) -> None:
    """Deliver until there is an answer: on a busy machine it may take longer than one call waits."""
    while True:
        with suppress(ProviderUnavailable):
            await processes.deliver(shop, order_id, event)
            return


async def ship_after(simulator: str, seconds: float) -> None:
    """Set how long a parcel stays in the warehouse."""
    await _put(f"{simulator}/_sim/warehouse", {"ship_after_seconds": seconds})


async def _put(url: str, document: dict[str, Any]) -> None:
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(url, data=json.dumps(document).encode(), method="PUT", headers=headers)  # noqa: S310 - always http
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    await asyncio.to_thread(lambda: opener.open(request, timeout=5).close())
