"""A scene for each registered activity: brings the world to just before it, and returns its input.

Those of users are in tests/integration/user_scenes.py.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

from temporalio.testing import ActivityEnvironment

from tests.integration.scene import ASKS_BACK, Scene
from worker.activities.events import Filing, Receipt
from worker.activities.journal import CancellationAsked
from worker.activities.line_cancelling import UnwantedLines
from worker.activities.orders import Reverse
from worker.activities.readdressing import NewShipTo
from worker.activities.reconciliation import RepairOrder
from worker.activities.refunds import PlannedRefund, RefundWish
from worker.contract.orders import (
    CancelLines,
    LineCut,
    OrderEventKind,
    ParcelLine,
    PaymentMode,
    ReaddressOrder,
    ResolveOrder,
)
from worker.contract.outbound import Notification
from worker.contract.shipping import ShipTo
from worker.domain.order import OrderState
from worker.services.retries import NewMethod
from worker.services.translation.route import Route

Arrange = Callable[[Scene], Awaitable[object]]
SCENES: dict[tuple[str, str], Arrange] = {}
"""By activity and by what the case is about: brings the world to just before the activity, and returns its input."""
TEMPORAL = frozenset({"deliver_event", "repair_breaks"})
"""Activities that reach other processes: their scenes have a namespace, in which orders are worked on."""

ELSEWHERE = {
    **dict.fromkeys(
        ("plan_window", "compare_books", "gather_books", "sift_bucket", "collect_exceptions", "judge_piece"),
        "test_services_reconciliation.py",
    ),
    "conclude_run": "test_services_reconciliation.py",
    "write_report": "test_services_reconciliation.py",
    "claim_month": "test_months_left_open.py",
    "next_month": "test_months_left_open.py",
    "weigh_alerts": "test_services_alerting.py",
    "send_notices": "test_services_alerting.py",
}
"""Activities that move nothing outside: where it is tested that a run which died is done again under its name."""


def scene(activity: str, about: str = "") -> Callable[[Arrange], Arrange]:
    """Register the scene of an activity."""

    def register(arrange: Arrange) -> Arrange:
        SCENES[activity, about] = arrange
        return arrange

    return register


@scene("record_order")
async def _(world: Scene) -> object:
    return world.order()


@scene("authorise_payment")
async def _(world: Scene) -> object:
    world.office.orders.record(world.order())
    return world.step("authorise")


@scene("authorise_payment", "declined")
async def _(world: Scene) -> object:
    world.office.orders.record(world.order(method="pm_card_chargeDeclinedInsufficientFunds"))
    return world.step("authorise")


@scene("charge_and_fulfil")
@scene("charge_payment")
async def _(world: Scene) -> object:
    world.office.orders.record(world.order())
    return replace(world.step("charge"), key=world.key)


@scene("charge_and_fulfil", "declined")
@scene("charge_payment", "declined")
async def _(world: Scene) -> object:
    world.office.orders.record(world.order(method="pm_card_chargeDeclinedInsufficientFunds"))
    return replace(world.step("charge"), key=world.key)


@scene("capture_payment")
async def _(world: Scene) -> object:
    world.office.place(world.name)
    world.office.authorise(world.name)
    return world.step("capture")


@scene("retry_payment", "taken")
async def _(world: Scene) -> object:
    return _other_method(world, "pm_card_mastercard")


@scene("retry_payment", "declined")
async def _(world: Scene) -> object:
    return _other_method(world, "pm_card_chargeDeclinedLostCard")


@scene("capture_shipped")
async def _(world: Scene) -> object:
    await _shipped_unheard(world, PaymentMode.AUTHORISE)
    world.office.orders.stop_fulfilment("main", world.name)  # too late: that it has left is noted
    return world.step("capture")


@scene("ask_after_hold")
async def _(world: Scene) -> object:
    _lapsed(world)
    return world.step()


@scene("lapse_payment")
async def _(world: Scene) -> object:
    _lapsed(world)
    return replace(world.step(), may_retry=True)


def _lapsed(world: Scene) -> None:
    world.office.place(world.name, mode=PaymentMode.AUTHORISE)
    world.office.authorise(world.name)
    (payment,) = world.office.payments_of(world.name)
    world.office.provider.cancel(payment.reference, idempotency_key=f"{world.name}:void")


@scene("resolve_order")
async def _(world: Scene) -> object:
    payment = world.office.pay(world.name)
    body = {"error": {"type": "invalid_request_error", "code": "charge_disputed", "message": "no"}}
    world.office.outside.fault("POST /stripe/v1/refunds", "status", status=400, body=body, times=9)
    assert world.office.reverse(world.name).state == OrderState.NEEDS_ATTENTION
    world.office.outside.heal()
    world.office.provider.refund(payment.reference, 2500, idempotency_key=f"{world.name}:by hand")
    return ResolveOrder(shop="main", order_id=world.name, requested_by="ada", reason="refunded by hand")


@scene("request_fulfilment")
async def _(world: Scene) -> object:
    world.office.pay(world.name)
    return world.step("fulfil")


@scene("stop_fulfilment", "it has not left")
async def _(world: Scene) -> object:
    world.office.pay(world.name)
    world.office.fulfil(world.name)
    return world.step()


@scene("stop_fulfilment", "it has left")
async def _(world: Scene) -> object:
    await _shipped_unheard(world)
    return world.step()


@scene("apply_event", "shipped")
async def _(world: Scene) -> object:
    return world.event(OrderEventKind.SHIPPED, await _shipped_unheard(world))


@scene("apply_event", "refunded elsewhere")
async def _(world: Scene) -> object:
    return world.event(OrderEventKind.REFUNDED, _refunded_unheard(world))


@scene("apply_event", "authorised by the customer")
async def _(world: Scene) -> object:
    return world.event(OrderEventKind.PAYMENT_AUTHORISED, _acted_on(world))


@scene("apply_event", "money for an order that is over")
async def _(world: Scene) -> object:
    reference = _acted_on(world)
    world.office.reversal.reverse("main", world.name, to=OrderState.CANCELLED, reason="test", key=f"{world.key}:x")
    return world.event(OrderEventKind.PAYMENT_CAPTURED, reference)


@scene("ask_payment")
async def _(world: Scene) -> object:
    _acted_on(world)
    return world.step()


@scene("expire_order")
async def _(world: Scene) -> object:
    world.office.place(world.name, method=ASKS_BACK)
    world.office.authorise(world.name)
    return world.step()


@scene("reverse_payment", "captured")
async def _(world: Scene) -> object:
    world.office.pay(world.name)
    return _reverse(world)


@scene("reverse_payment", "authorised")
async def _(world: Scene) -> object:
    world.office.place(world.name)
    world.office.authorise(world.name)
    return _reverse(world)


@scene("reverse_payment", "its process heard of nothing, nor our books of its parcel")
async def _(world: Scene) -> object:
    world.office.pay(world.name)
    lines, key = [("MUG", 2)], f"{world.key}:fulfil"
    world.office.orders._warehouse.request(shop="main", order_id=world.name, lines=lines, idempotency_key=key)
    return replace(_reverse(world), process=world.key)


@scene("request_rest")
async def _(world: Scene) -> object:
    _lapsed(world)
    _half_left(world)
    world.office.orders.stop_fulfilment("main", world.name)
    world.office.shipped.lapse("main", world.name, may_retry=True)
    world.office.retry(world.name, "pm_card_mastercard")
    return world.step("fulfil-again")


@scene("close_rest")
async def _(world: Scene) -> object:
    world.office.pay(world.name)
    _half_left(world)
    world.office.orders.stop_fulfilment("main", world.name)
    return _reverse(world)


def _half_left(world: Scene) -> None:
    world.office.fulfil(world.name)
    (parcel,) = world.office.parcels_of(world.name)
    half = {"id": parcel.shipment_id, "lines": [{"sku": "MUG", "quantity": 1}]}
    left = world.office.outside.control("POST", "/warehouse/ship", half)
    told = world.event(OrderEventKind.SHIPPED, parcel.shipment_id).event
    contents = (ParcelLine(sku="MUG", quantity=1),)
    world.office.orders.apply("main", world.name, replace(told, contents=contents, rest=str(left["rest"])))


@scene("look_at_lines")
async def _(world: Scene) -> object:
    return _one_unwanted(world)


@scene("cancel_lines")
async def _(world: Scene) -> object:
    return _one_unwanted(world)


def _one_unwanted(world: Scene) -> UnwantedLines:
    world.office.pay(world.name)
    world.office.fulfil(world.name)
    world.office.orders.stop_fulfilment("main", world.name)
    request = CancelLines(request_id="l1", requested_by="ada", lines=(LineCut(line=1, quantity=1),), reason="sold out")
    return UnwantedLines(shop="main", order_id=world.name, request=request)


@scene("plan_refund")
async def _(world: Scene) -> object:
    _refunded_unheard(world)
    return RefundWish(shop="main", order_id=world.name, amount_minor=500, request_id="r1", requested_by="ada")


@scene("plan_refund", "refused")
async def _(world: Scene) -> object:
    world.office.complete(world.name)
    return RefundWish(shop="main", order_id=world.name, amount_minor=9_999, request_id="r1", requested_by="ada")


@scene("make_refund")
async def _(world: Scene) -> object:
    world.office.complete(world.name)
    plan = world.activity("plan_refund")(RefundWish(shop="main", order_id=world.name, amount_minor=700))
    return PlannedRefund(
        shop="main", order_id=world.name, plan=plan, key=f"{world.key}:refund:r1", request_id="r1", requested_by="ada"
    )


@scene("tell_of_cancellation")
async def _(world: Scene) -> object:
    world.office.pay(world.name)
    return CancellationAsked(shop="main", order_id=world.name, request_id="r1", requested_by="ada", outcome="applied")


@scene("change_shipping_address")
async def _(world: Scene) -> object:
    world.office.pay(world.name)
    ship_to = ShipTo(recipient="Jane Doe", lines=("Bakery Lane 3",), city="Ghent", country="BE")
    request = ReaddressOrder(request_id="a1", requested_by="ada", ship_to=ship_to)
    return NewShipTo(shop="main", order_id=world.name, request=request)


@scene("receive_event")
async def _(world: Scene) -> object:
    world.office.pay(world.name)
    event = world.captured_by_webhook()
    return Receipt(event=event, workflow_id=f"event/stripe/{event.event_id}", run_id="run-1")


@scene("close_event")
async def _(world: Scene) -> object:
    world.office.pay(world.name)
    event = world.captured_by_webhook()
    world.office.events.receive(event, "w", "run-1")
    return Filing(
        source=event.source,
        event_id=event.event_id,
        outcome="applied",
        shop="main",
        order_id=world.name,
        topic=event.topic,
        origin=event.origin,
    )


@scene("deliver_event", "the order begins")
async def _(world: Scene) -> object:
    return Route(shop="main", order_id=world.name, place=world.order())


@scene("deliver_event", "the order is under way")
async def _(world: Scene) -> object:
    await world.activity("deliver_event")(Route(shop="main", order_id=world.name, place=world.order()))
    await world.settled()
    (parcel,) = world.office.parcels_of(world.name)
    world.office.outside.control("POST", "/warehouse/ship", {"id": parcel.shipment_id})
    event = world.event(OrderEventKind.SHIPPED, parcel.shipment_id).event
    return Route(shop="main", order_id=world.name, event=event)


@scene("deliver_event", "the order is over")
async def _(world: Scene) -> object:
    reference = _refunded_unheard(world)
    event = world.event(OrderEventKind.REFUNDED, reference).event
    return Route(shop="main", order_id=world.name, event=event)


@scene("repair_breaks", "the refund of which nobody told")
async def _(world: Scene) -> object:
    world.office.advance(timedelta(days=20))  # what happened in worlds before is of no concern to this one
    start = world.office.clock.now()
    world.office.complete(world.name)
    wish = {"action": "refund_silently", "order_id": world.name, "amount": 700}
    world.office.outside.control("POST", "/provider/tamper", wish)
    world.office.reconcile(world.office.span(start), world.name)
    return RepairOrder(shop="main", provider="stripe", run_id=world.name)


@scene("send_message", "taken")
async def _(world: Scene) -> object:
    ActivityEnvironment().run(world.activity("record_order"), world.order())
    return _first_message(world)


@scene("send_message", "refused for now")
async def _(world: Scene) -> object:
    ActivityEnvironment().run(world.activity("record_order"), world.order())
    world.receiver.faults[:] = [503, 503]
    return _first_message(world)


def _reverse(world: Scene) -> Reverse:
    return Reverse(shop="main", order_id=world.name, to="cancelled", reason="test", key=f"{world.key}:reverse")


def _refunded_unheard(world: Scene) -> str:
    """Complete an order of which the provider gave something back; return its payment."""
    world.office.complete(world.name)
    (payment,) = world.office.payments_of(world.name)
    world.office.provider.refund(payment.reference, 700, idempotency_key=f"{world.name}:by hand")
    return payment.reference


def _acted_on(world: Scene) -> str:
    """Bring an order to wait for its customer, who has acted by now; return its payment."""
    world.office.place(world.name, method=ASKS_BACK)
    world.office.authorise(world.name)
    (payment,) = world.office.payments_of(world.name)
    world.office.outside.control("POST", f"/provider/payment_intents/{payment.reference}/authenticate", {})
    return payment.reference


def _other_method(world: Scene, method: str) -> NewMethod:
    """Have an order's payment declined; return the wish to pay otherwise."""
    world.office.place(world.name, method="pm_card_chargeDeclinedInsufficientFunds")
    world.office.authorise(world.name, may_retry=True)
    return NewMethod(
        shop="main",
        order_id=world.name,
        method=method,
        key=f"{world.key}:retry:r1",
        request_id="r1",
        requested_by="shop-app",
        asked_at=world.office.clock.now().isoformat(),
    )


async def _shipped_unheard(world: Scene, mode: PaymentMode = PaymentMode.CHARGE) -> str:
    """Have the parcel leave without a word of it; return its id."""
    world.office.place(world.name, mode=mode)
    world.office.authorise(world.name)
    if mode is PaymentMode.CHARGE:
        world.office.capture(world.name)
    world.office.fulfil(world.name)
    (parcel,) = world.office.parcels_of(world.name)
    world.office.outside.control("POST", "/warehouse/ship", {"id": parcel.shipment_id})
    return parcel.shipment_id


def _first_message(world: Scene) -> Notification:
    (message, *_) = world.office.database.transact(lambda tx: tx.outbound.of_order("main", world.name))
    return Notification(subscription=message.subscription, message_id=message.message_id)
