"""Refunds that clients ask for through the API, while the order runs and long after."""

from tests.e2e.scene import Scene
from worker.domain.order import OrderState


async def test_a_part_is_refunded_while_the_parcel_is_packed_and_the_rest_after_it_arrived(scene: Scene) -> None:
    await scene.world.control("PUT", "/warehouse", {"ship_after_seconds": None})
    order_id = await scene.order()
    await scene.comes_to(order_id, OrderState.FULFILLING)
    path = f"/orders/{order_id}/refund"
    first = {"request_id": "broken-mug", "amount_minor": 1111, "reason": "one mug was broken"}
    answers = [await scene.post(path, first) for _ in range(3)]
    assert [(answer.status, answer.body["refunded_minor"]) for answer in answers] == [(200, 1111)] * 3
    assert (await scene.post(path, first | {"amount_minor": 1})).status == 409
    assert (await scene.post(path, {"request_id": "greedy", "amount_minor": 2223})).status == 422
    await scene.world.control("PUT", "/warehouse", {"ship_after_seconds": 0})
    parcels = (await scene.world.control("GET", f"/warehouse/fulfilments?reference=main/{order_id}"))["data"]
    await scene.world.control("POST", "/warehouse/ship", {"id": parcels[0]["id"]})
    await scene.completes(order_id)
    assert await scene.closed(order_id) == "COMPLETED"

    assert (await scene.post(path, first)).body["refunded_minor"] == 1111, "known also after the end"
    late = [await scene.post(path, {"request_id": "returned"}) for _ in range(2)]
    assert [(answer.status, answer.body["amount_minor"]) for answer in late] == [(200, 2222)] * 2
    assert late[0].body["workflow_id"] == f"refund/main/{order_id}/returned"
    assert (await scene.post(path, {"request_id": "once-more"})).status == 409
    order = scene.read(order_id)
    assert order is not None
    assert (order.state, order.captured_minor, order.refunded_minor) == (OrderState.COMPLETED, 3333, 3333)
    assert await scene.charged(order_id) == (1, 0)
    refunds = (await scene.ledger(order_id))["refunds"]
    assert sorted(refund["amount"] for refund in refunds) == [1111, 2222]


async def test_all_of_it_before_the_parcel_left_stops_the_parcel(scene: Scene) -> None:
    await scene.world.control("PUT", "/warehouse", {"ship_after_seconds": None})
    order_id = await scene.order()
    await scene.comes_to(order_id, OrderState.FULFILLING)
    answer = await scene.post(f"/orders/{order_id}/refund", {"request_id": "r-1", "reason": "out of stock"})
    assert (answer.status, answer.body["amount_minor"]) == (200, 3333)
    order = await scene.comes_to(order_id, OrderState.REFUNDED)
    assert (order.state_reason, order.captured_minor, order.refunded_minor) == ("out of stock", 3333, 3333)
    parcels = (await scene.world.control("GET", f"/warehouse/fulfilments?reference=main/{order_id}"))["data"]
    assert [parcel["status"] for parcel in parcels] == ["cancelled"]
    assert await scene.charged(order_id) == (1, 0)
    await scene.world.control("PUT", "/warehouse", {"ship_after_seconds": 0})


async def test_an_order_nobody_placed_cannot_be_refunded(scene: Scene) -> None:
    answer = await scene.post("/orders/nobody-placed-this/refund", {"request_id": "r-1"})
    assert (answer.status, answer.body["code"]) == (404, "not_found")
