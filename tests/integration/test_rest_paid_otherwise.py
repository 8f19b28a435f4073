"""A hold that lapses when a part of its order has left: another method pays for the rest, on a real database and the simulator."""

from collections.abc import Iterator
from datetime import timedelta
from itertools import count

import pytest

from tests.integration.leaving import by, close, half, held, left, rest
from tests.integration.office import Office
from tests.integration.turns import Turns
from worker.contract.orders import OrderEvent, OrderEventKind, ParcelLine
from worker.domain.capture import CapturePolicy
from worker.domain.errors import ProviderUnavailable
from worker.domain.finding import Outcome
from worker.domain.ledger import ShipmentState
from worker.domain.order import OrderState
from worker.domain.parcels import Fulfilment, fulfilment
from worker.domain.payment import PaymentState
from worker.services.refunds import Refunds

GOOD, POOR, LOST_CARD = (
    "pm_card_mastercard",
    "pm_card_chargeDeclinedInsufficientFunds",
    "pm_card_chargeDeclinedLostCard",
)
_numbers = count(1)


@pytest.fixture(autouse=True)
def _several(office: Office) -> Iterator[None]:
    """Let the provider's account capture in parts, and leave it as it was."""
    office.outside.control("PUT", "/provider/settings", {"multicapture": True})
    yield
    office.outside.control("PUT", "/provider/settings", {"multicapture": False})


def closed(office: Office, order_id: str, reference: str) -> OrderEvent:
    return OrderEvent(
        event_id=f"closed-{reference}",
        kind=OrderEventKind.PAYMENT_CAPTURED,
        occurred_at=office.clock.now().isoformat(),
        reference=reference,
    )


def lapsed(office: Office, order_id: str, policy: CapturePolicy = CapturePolicy.EACH_PARCEL) -> str:
    """Let one of two mugs leave and be paid as the policy has it, and the hold be lost then; return its payment."""
    by(office, policy)
    assert left(office, order_id, half(office, held(office, order_id))) == "applied"
    office.capture_shipped(order_id)
    (payment,) = office.payments_of(order_id)
    if policy is CapturePolicy.EACH_PARCEL:
        office.outside.payments().release(payment.reference, idempotency_key=f"{order_id}:lapse")
    else:
        office.outside.payments().cancel(payment.reference, idempotency_key=f"{order_id}:lapse")
    assert office.asking.ask_after_hold("main", order_id).lapsed
    office.orders.stop_fulfilment("main", order_id)
    for _ in range(2):
        assert office.shipped.lapse("main", order_id, may_retry=True).state == OrderState.LAPSED
    return payment.reference


def asked_again(office: Office, order_id: str) -> str:
    """Ask for the rest, as often as may be; return its parcel."""
    for _ in range(2):
        status = office.orders.request_rest("main", order_id, f"order/main/{order_id}:fulfil-again")
        assert status.fulfilment == Fulfilment.PARTIALLY_FULFILLED
    (parcel,) = [each for each in office.parcels_of(order_id) if each.state is ShipmentState.REQUESTED]
    return parcel.shipment_id


def sent(office: Office, order_id: str, parcel: str) -> OrderState:
    document = office.outside.control("POST", "/warehouse/ship", {"id": parcel})
    left(office, order_id, document)
    return office.order(order_id).state


def broken(office: Office, since: timedelta, order_id: str) -> list[str]:
    """Reconcile books, provider and warehouse; return what is wrong with the order."""
    run = office.reconcile(office.span(office.clock.now() - since), f"run-{order_id}-{next(_numbers)}")
    findings = office.database.transact(lambda tx: tx.runs.findings(run.run_id))
    return [found.kind for found in findings if found.order_id == order_id and found.outcome is Outcome.BREAK]


@pytest.mark.parametrize("policy", [CapturePolicy.EACH_PARCEL, CapturePolicy.LAST_PARCEL])
def test_another_method_pays_what_is_owed_and_the_rest_leaves(
    office: Office, order_id: str, policy: CapturePolicy
) -> None:
    first = lapsed(office, order_id, policy)
    before = 1250 if policy is CapturePolicy.EACH_PARCEL else 0
    assert str(2500 - before)[:2] in office.order(order_id).state_reason
    for _ in range(2):
        assert office.retry(order_id, GOOD).status.state == OrderState.PAID
    assert office.order(order_id).captured_minor == 2500
    second = next(payment for payment in office.payments_of(order_id) if payment.reference != first)
    assert (second.amount_minor, second.captured_minor) == (2500 - before, 2500 - before), "never more than the rest"

    parcel = asked_again(office, order_id)
    packed = office.outside.warehouse().contents(parcel)
    assert [(each.sku, each.quantity) for each in packed] == [("MUG", 1)], "what has left is not asked for again"
    late = closed(office, order_id, first)
    assert office.orders.apply("main", order_id, late).answer.outcome == "ignored", "a word of the first hold"
    assert sent(office, order_id, parcel) is OrderState.COMPLETED
    order = office.order(order_id)
    assert fulfilment(order, office.parcels_of(order_id)) is Fulfilment.FULFILLED
    assert (order.captured_minor, order.refunded_minor, order.financial_status) == (2500, 0, "paid")
    assert broken(office, timedelta(hours=2), order_id) == []


def test_a_void_of_the_first_hold_that_comes_late_says_nothing_of_the_second(office: Office, order_id: str) -> None:
    first = lapsed(office, order_id, CapturePolicy.LAST_PARCEL)
    void = OrderEvent(
        event_id=f"void-{order_id}",
        kind=OrderEventKind.PAYMENT_VOIDED,
        occurred_at=office.clock.now().isoformat(),
        reference=first,
    )
    assert office.orders.apply("main", order_id, void).answer.outcome == "ignored"
    office.retry(order_id, GOOD)
    asked_again(office, order_id)
    assert office.orders.apply("main", order_id, void).answer.outcome == "ignored"
    assert office.order(order_id).state is OrderState.FULFILLING


def test_the_stopped_parcels_own_event_does_not_stop_the_one_that_follows(office: Office, order_id: str) -> None:
    lapsed(office, order_id)
    (stopped,) = [each for each in office.parcels_of(order_id) if each.state is ShipmentState.FAILED]
    office.retry(order_id, GOOD)
    parcel = asked_again(office, order_id)

    def failed(name: str) -> str:
        event = OrderEvent(
            event_id=f"failed-{name}",
            kind=OrderEventKind.SHIPMENT_FAILED,
            occurred_at=office.clock.now().isoformat(),
            reference=name,
        )
        return office.orders.apply("main", order_id, event).answer.outcome

    assert failed(stopped.shipment_id) == "ignored"
    assert failed(parcel) == "applied"


@pytest.mark.parametrize("fault", ["reset_after", "timeout_after", "wrong_body"])
def test_a_lost_answer_is_one_payment_of_the_rest(office: Office, order_id: str, fault: str) -> None:
    lapsed(office, order_id)
    office.outside.fault("POST /stripe/v1/payment_intents", fault)
    with pytest.raises(ProviderUnavailable):
        office.retry(order_id, GOOD)
    office.outside.heal()
    assert office.retry(order_id, GOOD).status.state == OrderState.PAID
    assert office.booked(order_id) == [1250, 1250]
    assert office.outside.charges(order_id)[1] == 2500


def test_without_another_method_the_rest_is_closed_and_a_person_is_told(office: Office, order_id: str) -> None:
    lapsed(office, order_id)
    again = office.retry(order_id, POOR)
    assert (again.outcome, again.status.state) == ("declined", "lapsed")
    hard = office.retry(order_id, LOST_CARD, "r-2")
    assert (hard.outcome, hard.reason, hard.status.state) == ("declined", "lost_card", "lapsed"), "goods have left"
    assert office.expiry.expire("main", order_id).state == OrderState.LAPSED, "its rest is to be closed first"
    assert close(office, order_id, OrderState.NEEDS_ATTENTION) is OrderState.NEEDS_ATTENTION
    assert "1 of 2 pieces sent" in office.order(order_id).state_reason
    assert office.booked(order_id) == [1250]
    since = office.clock.now() - timedelta(days=30)
    states = [each.state for each in office.outside.payments().find(shop="main", order_id=order_id, since=since)]
    assert states.count(PaymentState.CANCELLED) == len(states) - 1, "what was refused is voided"
    told = [entry.kind for entry in office.database.transact(lambda tx: tx.timeline.of_order("main", order_id))]
    assert "order.lapsed" in told
    assert told.index("order.lapsed") < told.index("payment.retried") < told.index("order.needs_attention")


def test_what_left_unpaid_is_said_when_nobody_pays(office: Office, order_id: str) -> None:
    lapsed(office, order_id, CapturePolicy.LAST_PARCEL)
    assert office.expiry.expire("main", order_id).state == OrderState.LAPSED
    assert close(office, order_id) is OrderState.NEEDS_ATTENTION, "also when it is cancelled"
    assert "EUR 12.50 of what was sent are not paid" in office.order(order_id).state_reason


def test_a_cancellation_while_it_waits_completes_what_left(office: Office, order_id: str) -> None:
    lapsed(office, order_id)
    assert close(office, order_id) is OrderState.COMPLETED
    assert office.booked(order_id) == [1250]
    assert broken(office, timedelta(hours=2), order_id) == []


def test_a_rest_that_is_cancelled_goes_back_to_the_method_that_paid_for_it(office: Office, order_id: str) -> None:
    first = lapsed(office, order_id)
    office.retry(order_id, GOOD)
    asked_again(office, order_id)
    office.orders.stop_fulfilment("main", order_id)
    assert close(office, order_id) is OrderState.COMPLETED
    assert office.booked(order_id) == [1250, 1250, -1250]
    (refund,) = [entry for entry in office.entries_of(order_id) if entry.amount_minor < 0]
    assert refund.payment_reference != first
    assert broken(office, timedelta(hours=2), order_id) == []


def test_what_was_captured_may_be_refunded_while_the_rest_waits(office: Office, order_id: str) -> None:
    lapsed(office, order_id)
    refunds = Refunds(office.database, office.outside.payments(), office.books, office.clock)
    plan = refunds.plan("main", order_id, None)
    assert plan.amount_minor == 1250
    refunds.carry_out("main", order_id, plan, "refund/1")
    assert office.retry(order_id, GOOD).status.state == OrderState.PAID
    assert office.booked(order_id) == [1250, 1250, -1250], "what was given back is not asked for again"


@pytest.mark.parametrize("until", ["slow before request", "slow after request"])
@pytest.mark.parametrize("goes_on", ["in the end", "order has stopped them", "order before refund"])
def test_a_rest_that_is_closed_does_not_leave_because_somebody_stood_still_who_asks_for_it(
    office: Office, order_id: str, until: str, goes_on: str
) -> None:
    """The step that asks for the rest was given up, and goes on while the rest is closed, or when it is."""
    lapsed(office, order_id)
    office.retry(order_id, GOOD)

    def choose(names: list[str]) -> str:
        slow = until not in turns.story or goes_on in turns.story
        return next(name for name in (["slow", "order"] if slow else ["order", "slow"]) if name in names)

    turns = Turns(choose, lambda _name, _moment: None)
    office.orders._warehouse = turns.seen(office.orders._warehouse, "request")
    office.remainder._payments = turns.seen(office.remainder._payments, "refund")

    def stop() -> None:
        office.orders.stop_fulfilment("main", order_id)

    def closing() -> None:
        stop()
        turns.at("has stopped them")
        assert close(office, order_id, stop=stop) is OrderState.COMPLETED

    turns.process("order", closing)
    turns.process("slow", lambda: office.orders.request_rest("main", order_id, f"{order_id}:again"))
    turns.play()
    waiting = office.outside.control("GET", f"/warehouse/fulfilments?reference=main/{order_id}")["data"]
    assert sorted(each["status"] for each in waiting) == ["cancelled", "cancelled", "shipped"]
    assert ShipmentState.REQUESTED not in {each.state for each in office.parcels_of(order_id)}
    assert office.booked(order_id) == [1250, 1250, -1250]


def all_gone(office: Office, order_id: str) -> None:
    """Let the hold lapse when a part has left, and the rest leave although it was stopped."""
    lapsed(office, order_id)
    event = OrderEvent(
        event_id=f"gone-{order_id}",
        kind=OrderEventKind.SHIPPED,
        occurred_at=office.clock.now().isoformat(),
        reference=f"ful_{order_id}",
        contents=(ParcelLine(quantity=1, sku="MUG"),),
    )
    office.orders.apply("main", order_id, event)
    assert office.order(order_id).state is OrderState.LAPSED


def test_what_left_unpaid_when_its_hold_had_lapsed_is_no_order_without_goods(office: Office, order_id: str) -> None:
    all_gone(office, order_id)
    assert office.expiry.expire("main", order_id).state == OrderState.LAPSED
    assert office.reverse(order_id, OrderState.REFUNDED).state == OrderState.NEEDS_ATTENTION
    assert office.booked(order_id) == [1250], "what is paid of it is not given back"


def test_paying_for_what_has_left_meanwhile_completes_the_order(office: Office, order_id: str) -> None:
    all_gone(office, order_id)
    assert office.retry(order_id, GOOD).status.state == OrderState.COMPLETED
    assert office.booked(order_id) == [1250, 1250]


def test_a_hold_that_lapses_when_all_has_left_is_a_persons_matter(office: Office, order_id: str) -> None:
    by(office, CapturePolicy.LAST_PARCEL)
    first = half(office, held(office, order_id))
    left(office, order_id, first)
    left(office, order_id, rest(office, first))
    (payment,) = office.payments_of(order_id)
    office.outside.payments().cancel(payment.reference, idempotency_key=f"{order_id}:lapse")
    assert office.shipped.lapse("main", order_id, may_retry=True).state == OrderState.NEEDS_ATTENTION
