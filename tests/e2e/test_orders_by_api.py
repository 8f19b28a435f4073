"""Orders that clients place through the API, from the first answer to the last refund."""

import asyncio

import pytest

from infra.local.story.world import until
from tests.e2e.scene import Scene, api_order, fresh
from worker.domain.order import Order, OrderState


async def nothing_kept(scene: Scene, order: Order) -> None:
    """The customer has everything back, to the cent, in our books and at the provider."""
    assert order.captured_minor == order.refunded_minor
    assert (await scene.charged(order.order_id))[1] == 0
    assert await scene.closed(order.order_id) == "COMPLETED"


async def test_an_order_is_taken_once_whoever_repeats_it(scene: Scene) -> None:
    document = api_order()
    first = await scene.post("/orders", document)
    again = await scene.post("/orders", document)
    other = await scene.post("/orders", document | {"customer_id": "somebody-else"})
    stranger = await scene.post("/orders", api_order(), headers={"Authorization": "Bearer nobody"})
    assert (first.status, again.status, other.status, stranger.status) == (202, 200, 409, 401)
    assert first.body["workflow_id"] == again.body["workflow_id"] == f"order/main/{document['order_id']}"
    (order,) = await scene.completes(document["order_id"])
    assert (order.captured_minor, order.refunded_minor, order.customer_id) == (3333, 0, "customer-e2e")
    assert await scene.charged(order.order_id) == (1, 3333)
    late = await scene.post("/orders", document)
    assert late.status == 200, "also after it is over"
    shown = await scene.json("order", "show", order.order_id)
    assert [step["to_state"] for step in shown["trail"]] == [
        "received", "paying", "authorised", "paid", "fulfilling", "shipped", "completed",
    ]  # fmt: skip
    assert [(entry["kind"], entry["amount_minor"]) for entry in shown["entries"]] == [("capture", 3333)]


async def test_cancelled_before_it_ships_is_refunded_to_the_cent(scene: Scene) -> None:
    await scene.world.control("PUT", "/warehouse", {"ship_after_seconds": None})
    order_id = await scene.order(price=1037, currency="USD")
    await scene.comes_to(order_id, OrderState.FULFILLING)
    path, wish = f"/orders/{order_id}/cancel", {"request_id": "r-1", "reason": "changed my mind"}
    answers = [await scene.post(path, wish), await scene.post(path, wish)]
    assert [(answer.status, answer.body["outcome"]) for answer in answers] == [(202, "applied")] * 2
    order = await scene.comes_to(order_id, OrderState.CANCELLED)
    assert order.captured_minor == 3111
    assert order.state_reason == "changed my mind"
    await nothing_kept(scene, order)
    refunds = (await scene.ledger(order_id))["refunds"]
    assert [(refund["amount"], refund["status"]) for refund in refunds] == [(3111, "succeeded")]
    parcels = (await scene.world.control("GET", f"/warehouse/fulfilments?reference=main/{order_id}"))["data"]
    assert [parcel["status"] for parcel in parcels] == ["cancelled"]


async def test_a_cancellation_that_comes_too_late_is_refused(scene: Scene) -> None:
    order_id = await scene.order()
    await scene.completes(order_id)
    assert await scene.closed(order_id) == "COMPLETED"
    late = await scene.post(f"/orders/{order_id}/cancel", {"reason": "too late"})
    unknown = await scene.post(f"/orders/{fresh()}/cancel", {"reason": "who?"})
    assert (late.status, late.body["code"]) == (409, "conflict")
    assert (unknown.status, unknown.body["code"]) == (404, "not_found")
    assert await scene.charged(order_id) == (1, 3333)
    refused = await scene.cli("order", "cancel", order_id, "--reason", "too late", "--yes", status=5)
    assert order_id in refused.err


@pytest.mark.parametrize(
    ("changes", "state", "reason", "charges"),
    [
        ({"payment_method": "pm_card_chargeDeclinedInsufficientFunds"}, OrderState.DECLINED, "insufficient_funds", 0),
        ({"sku": "FAIL-GLASS"}, OrderState.REFUNDED, "out of stock", 1),
        (
            {"total_minor": 3334},
            OrderState.REJECTED,
            "total is 3334 but lines, shipping, tax and discount make 3333",
            0,
        ),
    ],
    ids=["declined", "unshippable", "wrong sum"],
)
async def test_an_order_that_fails_keeps_no_money(
    scene: Scene, changes: dict[str, object], state: OrderState, reason: str, charges: int
) -> None:
    order_id = await scene.order(**changes)
    order = await scene.comes_to(order_id, state)
    assert order.state_reason == reason
    assert (await scene.charged(order_id))[0] == charges
    await nothing_kept(scene, order)


@pytest.mark.parametrize("succeed", [True, False], ids=["authenticated", "fails, then cancelled"])
async def test_a_customer_whom_the_bank_wants_to_see(scene: Scene, succeed: bool) -> None:
    order_id = await scene.order(payment_method="pm_card_authenticationRequired")
    await scene.comes_to(order_id, OrderState.AWAITING_PAYMENT)
    (payment,) = scene.transact(lambda tx: tx.payments.of_order("main", order_id))
    assert payment.state == "requires_action"
    path = f"/provider/payment_intents/{payment.reference}/authenticate"
    await scene.world.control("POST", path, {"succeed": succeed})
    if succeed:
        await scene.completes(order_id)
        assert await scene.charged(order_id) == (1, 3333)
        return
    await scene.all_delivered()
    still = await scene.comes_to(order_id, OrderState.AWAITING_PAYMENT)
    assert still.captured_minor == 0
    assert (await scene.post(f"/orders/{order_id}/cancel", {})).status == 202
    order = await scene.comes_to(order_id, OrderState.CANCELLED)
    await nothing_kept(scene, order)
    assert await scene.charged(order_id) == (0, 0)
    (payment,) = scene.transact(lambda tx: tx.payments.of_order("main", order_id))
    assert payment.state == "cancelled", "the customer cannot pay any more with another card"


@pytest.mark.parametrize("refund", [False, True], ids=["we refund", "the shop refunded already"])
async def test_an_order_that_the_shop_cancels_is_refunded_once(scene: Scene, refund: bool) -> None:
    await scene.world.control("PUT", "/warehouse", {"ship_after_seconds": None})
    order_id = await scene.buy()
    await scene.comes_to(order_id, OrderState.FULFILLING)
    await scene.world.control("POST", f"/shop/orders/{order_id}/cancel", {"refund": refund, "reason": "fraud"})
    order = await scene.comes_to(order_id, OrderState.CANCELLED)
    await nothing_kept(scene, order)
    assert order.captured_minor == 2580
    refunds = (await scene.ledger(order_id))["refunds"]
    assert sum(refund["amount"] for refund in refunds) == 2580


async def test_cancelling_while_the_card_is_charged_leaves_nothing_behind(scene: Scene) -> None:
    slow = {"route": "POST /stripe/v1/payment_intents", "kind": "timeout_after", "times": 1, "seconds": 2}
    await scene.world.control("PUT", "/faults", slow)
    order_id = await scene.order()

    async def charging() -> bool:
        return bool((await scene.ledger(order_id))["charges"])

    await until("the provider to hold the money", charging, 60)
    await asyncio.gather(
        scene.post(f"/orders/{order_id}/cancel", {"request_id": "one"}),
        scene.post(f"/orders/{order_id}/cancel", {"request_id": "two"}),
    )
    order = await scene.comes_to(order_id, OrderState.CANCELLED)
    await nothing_kept(scene, order)
    assert await scene.charged(order_id) == (0, 0)
