"""The crash windows of an order's money: whatever is lost, repeated or interrupted, money moves once and is booked once."""

import contextlib
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from typing import Any

import pytest

from tests.integration.office import Office
from tests.integration.own_database import at_once
from worker.contract.events import ProviderEvent
from worker.contract.orders import OrderEvent, OrderEventKind
from worker.domain.errors import DatabaseUnavailable, InvalidInput, NotFound, ProviderRejected, ProviderUnavailable
from worker.domain.ledger import ShipmentState
from worker.domain.money import EXPONENTS_BY_PROVIDER
from worker.domain.order import OrderState
from worker.domain.payment import EntryKind, PaymentState

INTENTS = "POST /stripe/v1/payment_intents"
CAPTURES = f"{INTENTS}/*/capture"
VOIDS = f"{INTENTS}/*/cancel"
REFUNDS = "POST /stripe/v1/refunds"
PARCELS = "POST /warehouse/v1/fulfilments"
LOST = ("reset_after", "timeout_after", "wrong_body")


@pytest.fixture
def office(one_office: Office) -> Office:
    return one_office


def dying(office: Office, monkeypatch: pytest.MonkeyPatch, step: Callable[[], object], reads: int) -> None:
    """Do a step of which only the first `reads` transactions reach the database: what it did outside is forgotten."""
    real, calls = office.database.transact, count()

    def transact(work: Any) -> Any:
        if next(calls) < reads:
            return real(work)
        raise DatabaseUnavailable("the worker died here")

    with monkeypatch.context() as patched:
        patched.setattr(office.database, "transact", transact)
        with pytest.raises(DatabaseUnavailable):
            step()


@pytest.mark.parametrize("reads", range(1, 4))
def test_dying_before_the_record_charges_and_sends_once(
    office: Office, order_id: str, monkeypatch: pytest.MonkeyPatch, reads: int
) -> None:
    """However many of a step's transactions happened, the step done again ends as if nothing had happened."""
    office.place(order_id)
    for step in (office.authorise, office.capture, office.fulfil):
        if reads == 1:
            dying(office, monkeypatch, partial(step, order_id), reads)
        else:
            with contextlib.suppress(pytest.fail.Exception):  # a step of fewer transactions has simply succeeded
                dying(office, monkeypatch, partial(step, order_id), reads)
        step(order_id)
    assert office.path(order_id) == ["received", "paying", "authorised", "paid", "fulfilling"]
    assert office.outside.charges(order_id) == [1, 2500]
    assert office.booked(order_id) == [2500]
    assert len(office.parcels_of(order_id)) == 1


@pytest.mark.parametrize("reads", range(1, 8))
def test_dying_anywhere_in_a_reversal_gives_back_once(
    office: Office, order_id: str, monkeypatch: pytest.MonkeyPatch, reads: int
) -> None:
    payment = office.pay(order_id)
    try:
        dying(office, monkeypatch, lambda: office.reverse(order_id), reads)
    except pytest.fail.Exception:
        assert reads > 4, "a reversal has more transactions than that"
    assert office.reverse(order_id).state == OrderState.CANCELLED
    assert [refund.amount_minor for refund in office.outside.payments().refunds(payment.reference)] == [2500]
    assert office.booked(order_id) == [2500, -2500]


@pytest.mark.parametrize("kind", LOST)
def test_lost_answers_charge_once(office: Office, order_id: str, kind: str) -> None:
    office.place(order_id)
    office.outside.fault(INTENTS, kind)
    with pytest.raises(ProviderUnavailable):
        office.authorise(order_id)
    assert office.order(order_id).state is OrderState.PAYING, "nothing is known, nothing is recorded"
    assert office.authorise(order_id).state == OrderState.AUTHORISED
    office.outside.fault(CAPTURES, kind)
    with pytest.raises(ProviderUnavailable):
        office.capture(order_id)
    assert office.booked(order_id) == []
    assert office.capture(order_id).state == OrderState.PAID
    assert office.outside.charges(order_id) == [1, 2500]
    assert office.booked(order_id) == [2500]


def test_every_step_may_be_repeated_and_changes_nothing(office: Office, order_id: str) -> None:
    steps = (office.place, office.authorise, office.capture, office.fulfil)
    for step in steps:
        first = step(order_id)
        for again in steps[: steps.index(step) + 1]:
            assert again(order_id) == first
    assert office.outside.charges(order_id) == [1, 2500]
    assert office.path(order_id) == ["received", "paying", "authorised", "paid", "fulfilling"]
    assert len(office.parcels_of(order_id)) == 1


def test_a_recorded_order_stays_as_it_was_first_told(office: Office, order_id: str) -> None:
    first = office.place(order_id)
    assert office.place(order_id, method="pm_card_mastercard") == first
    assert office.order(order_id).payment_method == "pm_card_visa"


def test_eight_workers_at_once_charge_once(office: Office, order_id: str) -> None:
    """As when a worker that seemed dead comes back beside its replacement."""
    office.place(order_id)

    def tried(step: Callable[[str], object]) -> None:
        for _ in range(5):
            try:
                step(order_id)
            except ProviderUnavailable:
                continue  # the same key under way elsewhere
            return

    at_once(8, lambda _: tried(office.authorise))
    assert office.order(order_id).state is OrderState.AUTHORISED
    at_once(8, lambda _: tried(office.capture))
    assert office.outside.charges(order_id) == [1, 2500]
    assert office.booked(order_id) == [2500]
    assert office.path(order_id) == ["received", "paying", "authorised", "paid"]


@pytest.mark.parametrize(
    ("method", "reason"),
    [
        ("pm_card_chargeDeclinedInsufficientFunds", "insufficient_funds"),
        ("pm_nobody_has", "refused: "),
    ],
)
def test_a_refusal_ends_the_order_with_its_reason(office: Office, order_id: str, method: str, reason: str) -> None:
    office.place(order_id, method=method)
    status = office.authorise(order_id)
    assert status.state == OrderState.DECLINED
    assert status.reason.startswith(reason)
    assert office.booked(order_id) == []


@pytest.mark.parametrize("currency", EXPONENTS_BY_PROVIDER["stripe"])
def test_a_currency_that_the_provider_counts_otherwise_is_not_charged(
    office: Office, order_id: str, currency: str
) -> None:
    """1000 ISK are 1000 in our books and 100000 at the provider: as it is, a hundredth would be taken."""
    office.place(order_id, currency=currency)
    assert office.authorise(order_id).state == OrderState.DECLINED
    long_ago = datetime(2020, 1, 1, tzinfo=UTC)
    assert office.outside.payments().find(shop="main", order_id=order_id, since=long_ago) == []


def test_an_authorisation_nobody_recorded_is_voided(office: Office, order_id: str) -> None:
    office.place(order_id)
    office.outside.fault(INTENTS, "reset_after")
    with pytest.raises(ProviderUnavailable):
        office.authorise(order_id)
    assert office.payments_of(order_id) == []
    assert office.reverse(order_id).state == OrderState.CANCELLED
    (payment,) = office.payments_of(order_id)
    assert payment.state is PaymentState.CANCELLED
    assert office.outside.payments().retrieve(payment.reference).state is PaymentState.CANCELLED
    assert office.outside.charges(order_id) == [0, 0]
    assert office.booked(order_id) == []


def test_it_is_voided_whatever_time_the_client_gave_the_order(office: Office, order_id: str) -> None:
    """The provider is asked from when we recorded the order on, not from when its client says it was placed."""
    office.place(order_id, placed_at=office.clock.now() + timedelta(days=3650))
    office.outside.fault(INTENTS, "reset_after")
    with pytest.raises(ProviderUnavailable):
        office.authorise(order_id)
    assert office.reverse(order_id).state == OrderState.CANCELLED
    assert len(office.payments_of(order_id)) == 1


def test_a_capture_nobody_recorded_is_refunded_and_booked_both_ways(office: Office, order_id: str) -> None:
    office.place(order_id)
    office.authorise(order_id)
    office.outside.fault(CAPTURES, "reset_after")
    with pytest.raises(ProviderUnavailable):
        office.capture(order_id)
    status = office.reverse(order_id)
    assert status.state == OrderState.CANCELLED
    assert (status.captured_minor, status.refunded_minor) == (2500, 2500)
    assert office.booked(order_id) == [2500, -2500]
    assert office.outside.charges(order_id) == [1, 0]


@pytest.mark.parametrize("kind", LOST)
def test_lost_answers_refund_once(office: Office, order_id: str, kind: str) -> None:
    payment = office.pay(order_id)
    office.outside.fault(REFUNDS, kind)
    with pytest.raises(ProviderUnavailable):
        office.reverse(order_id, OrderState.REFUNDED)
    assert office.order(order_id).state is OrderState.REFUNDING
    assert office.reverse(order_id, OrderState.REFUNDED).state == OrderState.REFUNDED
    assert len(office.outside.payments().refunds(payment.reference)) == 1
    assert office.booked(order_id) == [2500, -2500]
    assert office.outside.charges(order_id) == [1, 0]
    assert office.reverse(order_id, OrderState.REFUNDED).state == OrderState.REFUNDED
    assert office.path(order_id)[-2:] == ["refunding", "refunded"]


def test_only_what_is_left_is_refunded(office: Office, order_id: str) -> None:
    payment = office.pay(order_id)
    office.outside.payments().refund(payment.reference, 700, idempotency_key=f"{order_id}:by hand")
    assert office.reverse(order_id).state == OrderState.CANCELLED
    assert office.booked(order_id) == [2500, -700, -1800]
    assert office.outside.charges(order_id) == [1, 0]


def test_two_reversals_at_once_give_back_once(office: Office, order_id: str) -> None:
    payment = office.pay(order_id)

    def tried(_: int) -> None:
        for _ in range(5):
            try:
                office.reverse(order_id)
            except ProviderUnavailable:
                continue
            return

    at_once(4, tried)
    assert office.order(order_id).state is OrderState.CANCELLED
    assert sum(refund.amount_minor for refund in office.outside.payments().refunds(payment.reference)) == 2500
    assert office.booked(order_id) == [2500, -2500]


def test_a_refund_that_is_refused_for_good_waits_for_a_person(office: Office, order_id: str) -> None:
    office.pay(order_id)
    body = {"error": {"type": "invalid_request_error", "code": "charge_disputed", "message": "Ms Personal disputes."}}
    office.outside.fault(REFUNDS, "status", status=400, body=body, times=10)
    status = office.reverse(order_id)
    assert status.state == OrderState.NEEDS_ATTENTION
    assert "charge_disputed" in status.reason
    assert "Personal" not in status.reason
    assert office.booked(order_id) == [2500]


def test_what_was_never_recorded_needs_no_reversal(office: Office) -> None:
    answer = office.reversal.reverse("main", "never", to=OrderState.CANCELLED, reason="", key="k")
    assert answer is None


@pytest.mark.parametrize("kind", LOST)
def test_lost_answers_send_one_parcel(office: Office, order_id: str, kind: str) -> None:
    office.pay(order_id)
    office.outside.fault(PARCELS, kind)
    with pytest.raises(ProviderUnavailable):
        office.fulfil(order_id)
    assert office.fulfil(order_id).state == OrderState.FULFILLING
    (parcel,) = office.parcels_of(order_id)
    kept = office.outside.control("GET", f"/warehouse/fulfilments?reference=main/{order_id}")
    assert [item["id"] for item in kept["data"]] == [parcel.shipment_id]


def test_a_parcel_that_left_completes_the_order_instead_of_stopping(office: Office, order_id: str) -> None:
    office.pay(order_id)
    office.fulfil(order_id)
    (parcel,) = office.parcels_of(order_id)
    office.outside.control("POST", "/warehouse/ship", {"id": parcel.shipment_id})
    assert office.orders.stop_fulfilment("main", order_id).state == OrderState.COMPLETED
    assert office.reverse(order_id).state == OrderState.COMPLETED, "too late to give anything back"
    assert office.outside.charges(order_id) == [1, 2500]


def test_a_parcel_that_has_not_left_is_stopped_before_the_money_goes_back(office: Office, order_id: str) -> None:
    office.pay(order_id)
    office.fulfil(order_id)
    office.orders.stop_fulfilment("main", order_id)
    assert office.reverse(order_id).state == OrderState.CANCELLED
    (parcel,) = office.parcels_of(order_id)
    found = office.outside.warehouse().cancel(parcel.shipment_id)
    assert found is ShipmentState.FAILED
    assert office.outside.charges(order_id) == [1, 0]


def test_one_order_through_to_its_end(office: Office, order_id: str) -> None:
    office.complete(order_id)
    assert office.path(order_id) == ["received", "paying", "authorised", "paid", "fulfilling", "shipped", "completed"]
    assert office.outside.charges(order_id) == [1, 2500]


# ---- events ---------------------------------------------------------------------------------------------------


def captured_event(office: Office, order_id: str, *, event_id: str = "") -> OrderEvent:
    (payment,) = office.payments_of(order_id)
    return OrderEvent(
        event_id=event_id or f"evt-{order_id}",
        kind=OrderEventKind.PAYMENT_CAPTURED,
        occurred_at=office.clock.now().isoformat(),
        reference=payment.reference,
    )


def test_a_replayed_event_books_nothing(office: Office, order_id: str) -> None:
    office.pay(order_id)
    for number in range(3):
        answer = office.orders.apply("main", order_id, captured_event(office, order_id, event_id=f"e{number}")).answer
        assert (answer.outcome, answer.state) == ("ignored", "paid")
    assert office.booked(order_id) == [2500]


def test_an_event_books_what_the_provider_says_not_what_it_says(office: Office, order_id: str) -> None:
    office.place(order_id)
    office.authorise(order_id)
    lie = captured_event(office, order_id)
    answer = office.orders.apply("main", order_id, lie).answer
    assert (answer.outcome, answer.state) == ("ignored", "authorised"), "the provider has captured nothing"
    assert office.booked(order_id) == []


def test_an_event_about_a_payment_nobody_knows_is_refused(office: Office, order_id: str) -> None:
    office.pay(order_id)
    event = OrderEvent(
        event_id="e",
        kind=OrderEventKind.PAYMENT_CAPTURED,
        occurred_at=office.clock.now().isoformat(),
        reference="pi_nobody_knows",
    )
    with pytest.raises((ProviderRejected, NotFound)):
        office.orders.apply("main", order_id, event)
    assert office.booked(order_id) == [2500]


def test_refunds_made_elsewhere_are_booked_once(office: Office, order_id: str) -> None:
    payment = office.pay(order_id)
    gateway = office.outside.payments()
    made = [gateway.refund(payment.reference, amount, idempotency_key=f"{order_id}:{amount}") for amount in (300, 400)]
    event = OrderEvent(
        event_id="r",
        kind=OrderEventKind.REFUNDED,
        occurred_at=office.clock.now().isoformat(),
        reference=payment.reference,
    )
    outcomes = [office.orders.apply("main", order_id, event).answer.outcome for _ in range(2)]
    assert outcomes == ["applied", "ignored"]
    assert office.booked(order_id) == [2500, -300, -400]
    booked = {entry.reference for entry in office.entries_of(order_id) if entry.kind is EntryKind.REFUND}
    assert booked == {refund.reference for refund in made}
    assert office.order(order_id).financial_status == "partially_refunded"


def shop_event(office: Office, order_id: str, topic: str, event_id: str) -> ProviderEvent:
    return ProviderEvent(
        source="shopify",
        dialect="shopify",
        shop="main",
        event_id=event_id,
        topic=topic,
        body=office.outside.shop().order_document(order_id),
        received_at=office.clock.now().isoformat(),
    )


def test_the_shops_word_is_checked_against_its_transactions(office: Office) -> None:
    """`orders/paid` names no payment: the shop's transactions do, and the provider's reference is what is booked."""
    order_id = office.outside.buy()
    paid = shop_event(office, order_id, "orders/paid", f"wh-{order_id}")
    assert office.deliver(paid) == "applied"
    (payment,) = office.payments_of(order_id)
    (entry,) = office.entries_of(order_id)
    assert payment.reference.startswith("pi_")
    assert (entry.reference, entry.provider, entry.amount_minor) == (payment.reference, "stripe", 2500)
    assert office.order(order_id).state is OrderState.PAID
    told_by_both = captured_event(office, order_id)
    assert office.orders.apply("main", order_id, told_by_both).answer.outcome == "ignored"
    assert office.booked(order_id) == [2500]


def test_money_the_shop_took_over_the_counter_is_believed_once(office: Office) -> None:
    order_id = office.outside.buy(charge=False)
    for number in range(2):
        office.deliver(shop_event(office, order_id, "orders/paid", f"wh-{order_id}-{number}"))
    (entry,) = office.entries_of(order_id)
    assert (entry.provider, entry.amount_minor) == ("shop", 2500)
    assert office.order(order_id).state is OrderState.PAID


def test_an_event_is_one_event_however_often_it_comes(office: Office) -> None:
    """The inbox outlives Temporal's memory: after retention the same id may start a new run, which stands back."""
    order_id = office.outside.buy()
    event = shop_event(office, order_id, "orders/paid", f"wh-{order_id}")
    assert office.deliver(event, "run-1") == "applied"
    assert office.deliver(event, "run-2") == "duplicate"
    assert office.events.receive(event, "w", "run-1") is not None, "the first run's own retry goes on"
    office.events.close(event.source, event.event_id, "applied", "x" * 2000)
    stored = office.database.transact(lambda tx: tx.inbox.recent(source="shopify", outcome="applied", limit=1))
    assert [entry.event_id for entry in stored] == [event.event_id]


def test_an_unreadable_event_is_in_the_inbox_all_the_same(office: Office, order_id: str) -> None:
    event = ProviderEvent(
        source="stripe",
        dialect="stripe",
        shop="main",
        event_id=f"evt-{order_id}",
        topic="payment_intent.succeeded",
        body='{"created": 1e400',
        received_at=office.clock.now().isoformat(),
    )
    with pytest.raises(InvalidInput):
        office.events.receive(event, "w", "r")
    stored = office.database.transact(lambda tx: tx.inbox.recent(source="stripe", outcome=None, limit=1))
    assert [entry.event_id for entry in stored] == [event.event_id]


def test_paid_before_created_is_one_order_with_its_money(office: Office) -> None:
    order_id = office.outside.buy()
    assert office.deliver(shop_event(office, order_id, "orders/paid", f"p-{order_id}")) == "applied"
    assert office.deliver(shop_event(office, order_id, "orders/create", f"c-{order_id}")) == "ignored"
    assert office.path(order_id) == ["received", "awaiting_payment", "paid"]
    assert office.booked(order_id) == [2500]


def test_money_that_comes_when_all_is_over_is_booked_and_given_back(office: Office) -> None:
    order_id = office.outside.buy(paid=False)
    office.deliver(shop_event(office, order_id, "orders/create", f"c-{order_id}"))
    assert office.expiry.expire("main", order_id).state == OrderState.EXPIRED
    office.outside.control("POST", f"/shop/orders/{order_id}/pay")
    office.deliver(shop_event(office, order_id, "orders/paid", f"p-{order_id}"))
    order = office.order(order_id)
    assert order.state is OrderState.EXPIRED, "an order that is over is not reopened"
    assert order.captured_minor == order.refunded_minor == 2500
    assert office.outside.charges(order_id) == [1, 0]


def test_payment_documents_deliver_like_the_webhook(office: Office) -> None:
    order_id = office.outside.buy(paid=False)
    office.deliver(shop_event(office, order_id, "orders/create", f"c-{order_id}"))
    office.outside.control("POST", f"/shop/orders/{order_id}/pay")
    (held,) = office.outside.payments().find(shop="main", order_id=order_id, since=datetime(2020, 1, 1, tzinfo=UTC))
    body = office.outside.payments().payment_document(held.reference)
    event = ProviderEvent(
        source="stripe",
        dialect="stripe",
        shop="main",
        event_id=json.loads(body)["id"],
        topic="payment_intent.succeeded",
        body=body,
        received_at=office.clock.now().isoformat(),
    )
    assert office.deliver(event) == "applied"
    assert office.order(order_id).state is OrderState.PAID
    assert office.booked(order_id) == [2500]
