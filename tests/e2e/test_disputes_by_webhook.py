"""A dispute over the wire: the provider's signed webhook, the order's process, its parcel, and what people see of it."""

from tests.e2e.scene import Scene
from worker.domain.order import OrderState


async def test_a_dispute_stops_the_parcel_and_is_shown_and_cannot_be_refunded(scene: Scene) -> None:
    await scene.world.control("PUT", "/warehouse", {"ship_after_seconds": None})
    order_id = await scene.order()
    await scene.comes_to(order_id, OrderState.FULFILLING)
    dispute = await scene.world.control("POST", "/provider/disputes", {"order_id": order_id})
    order = await scene.comes_to(order_id, OrderState.REFUNDED)
    assert order.state_reason == "the customer disputes the payment"
    assert (order.captured_minor, order.refunded_minor, order.disputed_minor) == (3333, 0, 3333)
    assert await scene.closed(order_id) == "COMPLETED"
    parcels = (await scene.world.control("GET", f"/warehouse/fulfilments?reference=main/{order_id}"))["data"]
    assert [parcel["status"] for parcel in parcels] == ["cancelled"]
    refused = await scene.post(f"/orders/{order_id}/refund", {"request_id": "both"})
    assert refused.status == 409

    shown = await scene.json("order", "show", order_id)
    assert [(each["reference"], each["state"]) for each in shown["disputes"]] == [(dispute["id"], "open")]
    told = {entry.kind for entry in scene.transact(lambda tx: tx.timeline.of_order("main", order_id))}
    assert told >= {"dispute.open", "money.withdrawn", "parcel.stopped", "event.applied"}

    # Won after the end: the customer has no goods, so the money goes back by a refund.
    await scene.world.control("POST", f"/provider/disputes/{dispute['id']}/close", {"status": "won"})
    await scene.all_delivered()
    event_id = (await scene.events())["stripe", "charge.dispute.closed"]
    assert await scene.filed(event_id) == "late"
    order = await scene.comes_to(order_id, OrderState.REFUNDED)
    assert (order.refunded_minor, order.disputed_minor, order.kept_minor) == (3333, 0, 0)
    await scene.world.control("PUT", "/warehouse", {"ship_after_seconds": 0})
