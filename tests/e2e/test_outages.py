"""MariaDB and Temporal die or freeze while the shop is open; nothing that was accepted is lost."""

import asyncio

from infra.local.story.world import until
from tests.e2e.scene import Scene, api_order
from worker.domain.order import OrderState


async def test_the_database_is_killed_while_orders_run(scene: Scene) -> None:
    await scene.world.control("PUT", "/warehouse", {"ship_after_seconds": 1})
    jobs = [scene.order() for _ in range(6)] + [scene.buy() for _ in range(4)]
    order_ids = await asyncio.gather(*jobs)
    await until("some order to be charged", lambda: _charged(scene, order_ids), 60)
    await asyncio.to_thread(scene.stack.kill, "mariadb")
    # The functions need no database: the shop stays open.
    order_ids += [await scene.order(), await scene.buy()]
    await asyncio.to_thread(scene.stack.start, "mariadb")
    await scene.completes(*order_ids)
    for order_id in order_ids:
        assert (await scene.charged(order_id))[0] == 1


async def _charged(scene: Scene, order_ids: list[str]) -> bool:
    found = await scene.world.charges_by_order()
    return any(order_id in found for order_id in order_ids)


async def test_temporal_freezes_while_webhooks_arrive(scene: Scene) -> None:
    document = api_order()
    await asyncio.to_thread(scene.stack.pause, "temporal")
    try:
        order_id = await scene.buy()
        shop = await scene.events()
        refused = await scene.post("/orders", document)
        assert (refused.status, refused.headers["Retry-After"]) == (503, "1")
        assert refused.body["code"] == "temporal_unavailable"
        assert refused.seconds < 3

        async def turned_away() -> bool:
            query = f"/webhooks/deliveries?event_id={shop['shopify', 'orders/paid']}"
            (delivery,) = (await scene.world.control("GET", query))["data"]
            return bool(delivery["attempts"] >= 1 and delivery["last_code"] == 503)

        await until("the shop's webhook to be turned away", turned_away, 60)
        assert (await scene.http.get(f"{scene.stack.url('functions')}/health/live")).status == 200
        assert (await scene.http.get(f"{scene.stack.url('functions')}/health/ready")).status == 503
    finally:
        await asyncio.to_thread(scene.stack.resume, "temporal")

    # The shop sends again by itself, and so does a decent client.
    async def taken() -> bool:
        answer = await scene.post("/orders", document)
        assert answer.status in {200, 202, 503}, answer
        return answer.status != 503

    await until("the order to be taken", taken, 60)
    await scene.completes(order_id, str(document["order_id"]))
    for bought in (order_id, str(document["order_id"])):
        assert (await scene.charged(bought))[0] == 1


async def test_temporal_dies_with_orders_open(scene: Scene) -> None:
    await scene.world.control("PUT", "/warehouse", {"ship_after_seconds": None})
    orders = await asyncio.gather(*(scene.order() for _ in range(3)), *(scene.buy() for _ in range(2)))
    for order_id in orders:
        await scene.comes_to(order_id, OrderState.FULFILLING)
    await asyncio.to_thread(scene.stack.kill, "temporal")
    for order_id in orders:
        await scene.world.control("POST", "/warehouse/ship", {"reference": f"main/{order_id}"})
    await asyncio.to_thread(scene.stack.start, "temporal")
    await scene.completes(*orders)
    for order_id in orders:
        assert (await scene.charged(order_id))[0] == 1
    scene.stack.check()
