"""Other methods after a refusal, and money captured on shipment: a real database and the simulated provider."""

from datetime import timedelta
from itertools import count
from typing import Any

import pytest

from tests.integration.office import Office
from worker.contract.orders import OrderEvent, OrderEventKind, PaymentMode
from worker.domain.errors import DatabaseUnavailable, ProviderUnavailable
from worker.domain.finding import FindingKind, Outcome
from worker.domain.ledger import ShipmentState
from worker.domain.order import OrderState
from worker.domain.payment import PaymentState

POOR, STOLEN, DEMANDING = (
    "pm_card_chargeDeclinedInsufficientFunds",
    "pm_card_chargeDeclinedStolenCard",
    "pm_card_authenticationRequired",
)
CREATE, CAPTURE = "POST /stripe/v1/payment_intents", "POST /stripe/v1/payment_intents/*/capture"
_numbers = count(1)


def refused(office: Office, order_id: str, method: str = POOR) -> None:
    """Place an order whose method is refused, where another may follow."""
    office.place(order_id, method=method)
    office.authorise(order_id, may_retry=True)


def held(office: Office, order_id: str) -> str:
    """Place an order that is captured on shipment, and ask for its parcel; return the parcel's id."""
    office.place(order_id, mode=PaymentMode.AUTHORISE)
    assert office.authorise(order_id).state == OrderState.AUTHORISED
    assert office.fulfil(order_id).state == OrderState.AUTHORISED
    (parcel,) = office.parcels_of(order_id)
    return parcel.shipment_id


def leave(office: Office, order_id: str, parcel: str) -> str:
    """Let the parcel leave, and tell the order; return the outcome."""
    shipped = office.outside.control("POST", "/warehouse/ship", {"id": parcel})
    event = OrderEvent(
        event_id=f"shipped-{parcel}",
        kind=OrderEventKind.SHIPPED,
        occurred_at=shipped["shipped_at"],
        reference=parcel,
    )
    return office.orders.apply("main", order_id, event).answer.outcome


def voided(office: Office, order_id: str, reference: str) -> str:
    event = OrderEvent(
        event_id=f"voided-{reference}",
        kind=OrderEventKind.PAYMENT_VOIDED,
        occurred_at=office.clock.now().isoformat(),
        reference=reference,
    )
    return office.orders.apply("main", order_id, event).answer.outcome


def states_at_provider(office: Office, order_id: str) -> list[PaymentState]:
    since = office.clock.now() - timedelta(days=30)
    found = office.outside.payments().find(shop="main", order_id=order_id, since=since)
    return [payment.state for payment in found]


class TestAnotherMethod:
    def test_the_first_method_is_refused_and_the_second_pays(self, office: Office, order_id: str) -> None:
        refused(office, order_id)
        assert office.order(order_id).state is OrderState.AWAITING_METHOD
        again = office.retry(order_id, POOR, "r-1")
        assert (again.outcome, again.reason, again.status.state) == (
            "declined",
            "insufficient_funds",
            "awaiting_method",
        )
        assert office.retry(order_id, "pm_card_visa", "r-2").status.state == OrderState.AUTHORISED
        assert office.capture(order_id).state == OrderState.PAID
        assert office.outside.charges(order_id) == [1, 2500]
        assert states_at_provider(office, order_id) == [
            PaymentState.CANCELLED,
            PaymentState.CANCELLED,
            PaymentState.CAPTURED,
        ]

    def test_the_timeline_tells_who_tried_and_what_was_refused(self, office: Office, order_id: str) -> None:
        refused(office, order_id)
        office.retry(order_id, POOR, "r-1")
        entries = office.database.transact(lambda tx: tx.timeline.of_order("main", order_id))
        told = [(entry.kind, entry.actor) for entry in entries]
        assert ("payment.declined", "stripe") in told
        assert ("payment.retried", "shop-app") in told
        assert ("payment.refused", "shop-app") in told
        assert any("insufficient_funds" in entry.sentence for entry in entries)

    @pytest.mark.parametrize("may_retry", [True, False])
    def test_a_stolen_card_ends_the_order_and_so_does_any_without_a_window(
        self, office: Office, order_id: str, *, may_retry: bool
    ) -> None:
        office.place(order_id, method=STOLEN if may_retry else POOR)
        assert office.authorise(order_id, may_retry=may_retry).state == OrderState.DECLINED

    def test_a_stolen_card_at_the_second_try_ends_the_order_and_voids_what_waits(
        self, office: Office, order_id: str
    ) -> None:
        refused(office, order_id, DEMANDING)
        assert office.order(order_id).state is OrderState.AWAITING_PAYMENT
        assert office.retry(order_id, STOLEN).status.state == OrderState.DECLINED
        assert PaymentState.REQUIRES_ACTION not in states_at_provider(office, order_id)

    def test_a_method_that_nobody_knows_leaves_the_order_waiting(self, office: Office, order_id: str) -> None:
        refused(office, order_id)
        tried = office.retry(order_id, "pm_nobody_has_this")
        assert (tried.outcome, tried.status.state) == ("declined", "awaiting_method")

    def test_another_method_voids_what_waits_for_the_customer(self, office: Office, order_id: str) -> None:
        refused(office, order_id, DEMANDING)
        assert office.retry(order_id, "pm_card_visa").status.state == OrderState.AUTHORISED
        assert states_at_provider(office, order_id) == [PaymentState.CANCELLED, PaymentState.AUTHORISED]

    @pytest.mark.parametrize("captured", [False, True])
    def test_the_first_that_is_good_after_all_while_another_is_tried_is_not_joined_by_it(
        self, office: Office, order_id: str, monkeypatch: pytest.MonkeyPatch, *, captured: bool
    ) -> None:
        """The customer acts in one window and pays otherwise in another."""
        refused(office, order_id, DEMANDING)
        (waiting,) = office.payments_of(order_id)
        real = office.provider.authorise

        def meanwhile(**named: Any) -> Any:
            made = real(**named)
            office.outside.control("POST", f"/provider/payment_intents/{waiting.reference}/authenticate")
            assert office.asking.ask("main", order_id).state == OrderState.AUTHORISED
            if captured:
                assert office.capture(order_id).state == OrderState.PAID
            return made

        monkeypatch.setattr(office.provider, "authorise", meanwhile)
        tried = office.retry(order_id, "pm_card_visa")
        assert (tried.outcome, tried.reason) == (("declined", "too_late") if captured else ("applied", ""))
        assert office.capture(order_id).state == OrderState.PAID
        assert sorted(states_at_provider(office, order_id)) == [PaymentState.CANCELLED, PaymentState.CAPTURED]
        assert office.outside.charges(order_id) == [1, 2500]

    def test_a_refused_second_method_leaves_the_first_to_the_customer(self, office: Office, order_id: str) -> None:
        refused(office, order_id, DEMANDING)
        (waiting,) = office.payments_of(order_id)
        assert office.retry(order_id, POOR).outcome == "declined"
        office.outside.control("POST", f"/provider/payment_intents/{waiting.reference}/authenticate")
        assert office.asking.ask("main", order_id).state == OrderState.AUTHORISED
        assert office.capture(order_id).state == OrderState.PAID
        assert office.outside.charges(order_id) == [1, 2500]

    def test_a_second_method_may_want_the_customer_too(self, office: Office, order_id: str) -> None:
        refused(office, order_id)
        tried = office.retry(order_id, DEMANDING)
        assert (tried.outcome, tried.status.state) == ("applied", "awaiting_payment")
        assert office.retry(order_id, DEMANDING).status.state == "awaiting_payment", "repeated, it is the same payment"
        assert states_at_provider(office, order_id).count(PaymentState.REQUIRES_ACTION) == 1

    @pytest.mark.parametrize("fault", ["reset_after", "timeout_after", "wrong_body", "reset_before"])
    def test_a_lost_answer_is_one_payment(self, office: Office, order_id: str, fault: str) -> None:
        refused(office, order_id)
        office.outside.fault(CREATE, fault)
        with pytest.raises(ProviderUnavailable):
            office.retry(order_id, "pm_card_visa")
        for _ in range(2):
            assert office.retry(order_id, "pm_card_visa").outcome == "applied"
        assert states_at_provider(office, order_id).count(PaymentState.AUTHORISED) == 1

    def test_a_lost_answer_is_one_payment_though_the_provider_forgot_the_key(
        self, office: Office, order_id: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        refused(office, order_id)
        with monkeypatch.context() as patched:
            patched.setattr(office.retries, "_record", _dead)
            with pytest.raises(DatabaseUnavailable):
                office.retry(order_id, "pm_card_visa")
        asked_at = office.clock.now().isoformat()
        office.advance(timedelta(days=2))
        assert office.retry(order_id, "pm_card_visa", asked_at=asked_at).status.state == OrderState.AUTHORISED
        assert states_at_provider(office, order_id).count(PaymentState.AUTHORISED) == 1

    def test_nothing_is_owed_after_the_window(self, office: Office, order_id: str) -> None:
        refused(office, order_id)
        status = office.expiry.expire("main", order_id)
        assert (status.state, status.captured_minor) == (OrderState.DECLINED, 0)
        assert set(states_at_provider(office, order_id)) == {PaymentState.CANCELLED}

    def test_a_method_that_is_good_when_the_order_is_over_is_voided(
        self, office: Office, order_id: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        refused(office, order_id)
        record = office.retries._record

        def late(*given: Any) -> Any:
            office.expiry.expire("main", order_id)
            return record(*given)

        monkeypatch.setattr(office.retries, "_record", late)
        tried = office.retry(order_id, "pm_card_visa")
        assert (tried.outcome, tried.status.state) == ("declined", "declined")
        assert set(states_at_provider(office, order_id)) == {PaymentState.CANCELLED}

    def test_cancelled_while_it_waits_leaves_nothing_behind(self, office: Office, order_id: str) -> None:
        refused(office, order_id)
        assert office.reverse(order_id).state == OrderState.CANCELLED
        assert set(states_at_provider(office, order_id)) == {PaymentState.CANCELLED}


class TestOnShipment:
    def test_captured_when_the_parcel_has_left(self, office: Office, order_id: str) -> None:
        parcel = held(office, order_id)
        assert office.outside.charges(order_id)[1] == 0
        assert leave(office, order_id, parcel) == "applied"
        assert office.order(order_id).state is OrderState.AUTHORISED
        for _ in range(2):
            assert office.capture_shipped(order_id).state == OrderState.COMPLETED
        assert office.booked(order_id) == [2500]
        assert office.outside.charges(order_id) == [1, 2500]
        assert office.path(order_id)[-4:] == ["paid", "fulfilling", "shipped", "completed"]

    def test_without_a_parcel_nothing_is_taken(self, office: Office, order_id: str) -> None:
        held(office, order_id)
        assert office.capture_shipped(order_id).state == OrderState.AUTHORISED
        assert office.outside.charges(order_id)[1] == 0

    @pytest.mark.parametrize("fault", ["reset_after", "timeout_after", "wrong_body", "reset_before"])
    def test_a_lost_answer_is_one_capture(self, office: Office, order_id: str, fault: str) -> None:
        leave(office, order_id, held(office, order_id))
        office.outside.fault(CAPTURE, fault)
        with pytest.raises(ProviderUnavailable):
            office.capture_shipped(order_id)
        assert office.capture_shipped(order_id).state == OrderState.COMPLETED
        assert office.booked(order_id) == [2500]

    def test_the_providers_own_word_of_it_first_completes_it_too(self, office: Office, order_id: str) -> None:
        leave(office, order_id, held(office, order_id))
        (payment,) = office.payments_of(order_id)
        office.outside.payments().capture(payment.reference, idempotency_key=f"order/main/{order_id}:capture")
        event = OrderEvent(
            event_id="told",
            kind=OrderEventKind.PAYMENT_CAPTURED,
            occurred_at=office.clock.now().isoformat(),
            reference=payment.reference,
        )
        assert office.orders.apply("main", order_id, event).status.state == OrderState.COMPLETED
        assert office.capture_shipped(order_id).state == OrderState.COMPLETED
        assert office.booked(order_id) == [2500]

    def test_stopped_and_voided(self, office: Office, order_id: str) -> None:
        held(office, order_id)
        assert office.orders.stop_fulfilment("main", order_id).state == OrderState.AUTHORISED
        assert office.capture_shipped(order_id).state == OrderState.AUTHORISED
        assert office.reverse(order_id).state == OrderState.CANCELLED
        assert [parcel.state for parcel in office.parcels_of(order_id)] == [ShipmentState.FAILED]
        assert states_at_provider(office, order_id) == [PaymentState.CANCELLED]

    def test_a_parcel_that_left_before_it_could_be_stopped_is_paid_for(self, office: Office, order_id: str) -> None:
        parcel = held(office, order_id)
        office.outside.control("POST", "/warehouse/ship", {"id": parcel})
        assert office.orders.stop_fulfilment("main", order_id).state == OrderState.AUTHORISED
        assert office.capture_shipped(order_id).state == OrderState.COMPLETED

    def test_a_parcel_is_asked_for_once_however_often(self, office: Office, order_id: str) -> None:
        held(office, order_id)
        office.orders.request_fulfilment("main", order_id, "a key that the warehouse never saw")
        assert len(office.parcels_of(order_id)) == 1

    def test_lapsed_and_paid_with_another_method_at_once(self, office: Office, order_id: str) -> None:
        held(office, order_id)
        (payment,) = office.payments_of(order_id)
        office.advance(timedelta(days=8))
        assert states_at_provider(office, order_id) == [PaymentState.CANCELLED]
        assert voided(office, order_id, payment.reference) == "applied"
        office.orders.stop_fulfilment("main", order_id)
        assert office.shipped.lapse("main", order_id, may_retry=True).state == OrderState.LAPSED
        demanding = office.retry(order_id, DEMANDING, "r-1")
        assert (demanding.outcome, demanding.reason) == ("declined", "authentication_required")
        for _ in range(2):
            assert office.retry(order_id, "pm_card_visa", "r-2").status.state == OrderState.PAID
        assert office.booked(order_id) == [2500]
        again = office.orders.request_fulfilment("main", order_id, f"order/main/{order_id}:fulfil-again")
        assert again.state == OrderState.FULFILLING
        assert sorted(parcel.state for parcel in office.parcels_of(order_id)) == ["failed", "requested"]

    def test_a_void_that_is_not_of_what_is_held_says_nothing(self, office: Office, order_id: str) -> None:
        held(office, order_id)
        (payment,) = office.payments_of(order_id)
        assert voided(office, order_id, "pi_of_somebody_else") == "ignored"
        assert voided(office, order_id, payment.reference) == "ignored", "the provider says it stands"

    def test_lapsed_and_left_all_the_same_is_a_persons_matter(self, office: Office, order_id: str) -> None:
        parcel = held(office, order_id)
        office.advance(timedelta(days=8))
        leave(office, order_id, parcel)
        status = office.capture_shipped(order_id)
        assert status.state == OrderState.NEEDS_ATTENTION
        assert "left" in status.reason
        assert office.booked(order_id) == []


def test_reconciliation_tells_what_left_uncaptured_and_nothing_of_what_waits(office: Office) -> None:
    start = office.clock.now() - timedelta(seconds=1)
    waiting, unheard, done = (f"mode-{next(_numbers)}" for _ in range(3))
    held(office, waiting)
    office.outside.control("POST", "/warehouse/ship", {"id": held(office, unheard)})
    leave(office, done, held(office, done))
    office.capture_shipped(done)
    run = office.reconcile(office.span(start), "modes")
    findings = office.database.transact(lambda tx: tx.runs.findings(run.run_id))
    broken = {found.order_id: found.kind for found in findings if found.outcome is Outcome.BREAK}
    assert {one: broken.get(one) for one in (waiting, unheard, done)} == {
        waiting: None,
        unheard: FindingKind.SHIPPED_UNPAID,
        done: None,
    }

    office.repaired(run.run_id)  # the message about the parcel is made up for
    assert office.capture_shipped(unheard).state == OrderState.COMPLETED
    assert office.capture_shipped(waiting).state == OrderState.AUTHORISED


def _dead(*_given: Any) -> Any:
    raise DatabaseUnavailable("the worker died here")
