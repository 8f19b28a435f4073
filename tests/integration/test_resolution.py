"""Orders that wait for a person, and their end: by what the provider and the warehouse say, with who decided and why."""

from datetime import timedelta

import pytest

from tests.integration.office import Office
from worker.contract.orders import OrderAnswer, OrderEvent, OrderEventKind, PaymentMode, ResolveOrder
from worker.domain.errors import Conflict, InvalidInput, NotFound
from worker.domain.order import OrderState


def resolve(office: Office, order_id: str, reason: str = "rang the bank", *, elsewhere: bool = False) -> OrderAnswer:
    return office.resolution.resolve(
        ResolveOrder(shop="main", order_id=order_id, requested_by="ann", reason=reason, settled_elsewhere=elsewhere)
    )


def unrefundable(office: Office, order_id: str) -> str:
    """Bring a paid order to where its refund was refused; return its payment."""
    payment = office.pay(order_id)
    office.outside.fault("POST /stripe/v1/refunds", "status", status=400, times=None)
    assert office.reverse(order_id).state == OrderState.NEEDS_ATTENTION
    office.outside.heal()
    return payment.reference


def left_unpaid(office: Office, order_id: str) -> None:
    """Let the parcel of an order leave whose money cannot be taken any more."""
    office.place(order_id, mode=PaymentMode.AUTHORISE)
    office.authorise(order_id)
    office.fulfil(order_id)
    (parcel,) = office.parcels_of(order_id)
    office.advance(timedelta(days=8))
    event = OrderEvent(
        event_id="left",
        kind=OrderEventKind.SHIPPED,
        occurred_at=office.clock.now().isoformat(),
        reference=parcel.shipment_id,
    )
    office.orders.apply("main", order_id, event)
    assert office.capture_shipped(order_id).state == OrderState.NEEDS_ATTENTION


def test_money_given_back_by_hand_is_booked_and_ends_the_order(office: Office, order_id: str) -> None:
    reference = unrefundable(office, order_id)
    with pytest.raises(Conflict, match=r"25\.00 are held"):
        resolve(office, order_id)
    assert office.order(order_id).state is OrderState.NEEDS_ATTENTION
    office.outside.payments().refund(reference, 2500, idempotency_key=f"by-hand-{order_id}")
    assert resolve(office, order_id) == OrderAnswer(outcome="applied", state="refunded")
    assert office.booked(order_id) == [2500, -2500]
    trail = office.database.transact(lambda tx: tx.orders.trail("main", order_id))
    assert (trail[-1].to_state, trail[-1].actor, trail[-1].reason) == ("refunded", "ann", "rang the bank")


def test_a_decision_that_is_repeated_is_one(office: Office, order_id: str) -> None:
    reference = unrefundable(office, order_id)
    office.outside.payments().refund(reference, 2500, idempotency_key=f"by-hand-{order_id}")
    resolve(office, order_id)
    assert resolve(office, order_id).outcome == "ignored"
    assert len([state for state in office.path(order_id) if state == "refunded"]) == 1


def test_goods_that_left_unpaid_are_settled_elsewhere_or_not_at_all(office: Office, order_id: str) -> None:
    left_unpaid(office, order_id)
    with pytest.raises(Conflict, match=r"25\.00 are missing"):
        resolve(office, order_id)
    assert resolve(office, order_id, "paid in cash at the counter", elsewhere=True).state == "completed"


def test_what_waits_for_nobody_is_refused(office: Office, order_id: str) -> None:
    office.complete(order_id)
    with pytest.raises(Conflict, match="is completed"):
        resolve(office, order_id, elsewhere=True)
    with pytest.raises(NotFound) as unknown:
        resolve(office, "nobody-placed-this")
    assert not unknown.value.retryable


@pytest.mark.parametrize("reason", ["", "  ", "x" * 501])
def test_a_decision_has_a_reason(office: Office, order_id: str, reason: str) -> None:
    with pytest.raises(InvalidInput):
        resolve(office, order_id, reason)
