"""The payment gateway against the simulated provider: effects happen once, refusals and silences have their names."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest

from infra.local.freeports import free_port
from tests.integration.outside_process import PATIENT, QUICK, OutsideProcess
from worker.domain.errors import (
    NotFound,
    OrdersError,
    PaymentDeclined,
    ProviderRejected,
    ProviderUnavailable,
    SourceUnreadable,
)
from worker.domain.ledger import LedgerLine, LineKind
from worker.domain.payment import Payment, PaymentState
from worker.gateways import stripe_books, stripe_payments
from worker.gateways.stripe_payments import StripePayments

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
INTENTS = "POST /stripe/v1/payment_intents"


@pytest.fixture(scope="module")
def world(outside_process: OutsideProcess) -> OutsideProcess:
    outside_process.begin_again()
    return outside_process


@pytest.fixture
def outside(world: OutsideProcess) -> Iterator[OutsideProcess]:
    yield world
    world.heal()


@pytest.fixture
def payments(outside: OutsideProcess) -> StripePayments:
    return outside.payments()


def authorise(
    payments: StripePayments, order_id: str, *, amount: int = 2500, method: str = "pm_card_visa", key: str = ""
) -> Payment:
    return payments.authorise(
        shop="main",
        order_id=order_id,
        amount_minor=amount,
        currency="EUR",
        method=method,
        idempotency_key=key or f"order/main/{order_id}:authorise",
    )


def captured(payments: StripePayments, order_id: str, amount: int = 2500) -> Payment:
    held = authorise(payments, order_id, amount=amount)
    return payments.capture(held.reference, idempotency_key=f"{order_id}:capture")


def lines_of(payments: StripePayments, order_id: str) -> list[LedgerLine]:
    now = datetime.now(UTC)
    lines = payments.ledger(now - timedelta(minutes=10), now + timedelta(seconds=2))
    return [line for line in reversed(list(lines)) if line.order_id == order_id]


def test_money_is_held_then_taken_then_given_back(
    outside: OutsideProcess, payments: StripePayments, order_id: str
) -> None:
    held = authorise(payments, order_id)
    assert held == Payment(
        provider="stripe",
        reference=held.reference,
        amount_minor=2500,
        currency="EUR",
        state=PaymentState.AUTHORISED,
        method="card",
    )
    assert outside.charges(order_id) == [0, 0]
    taken = payments.capture(held.reference, idempotency_key="c1")
    assert (taken.state, taken.captured_minor, taken.method) == (PaymentState.CAPTURED, 2500, "card")
    assert outside.charges(order_id) == [1, 2500]
    part = payments.refund(held.reference, 700, idempotency_key="r1")
    rest = payments.refund(held.reference, 1800, idempotency_key="r2")
    assert [(item.amount_minor, item.currency, item.payment_reference) for item in (part, rest)] == [
        (700, "EUR", held.reference),
        (1800, "EUR", held.reference),
    ]
    assert payments.refunds(held.reference) == [part, rest], "oldest first"
    assert outside.charges(order_id) == [1, 0]
    assert payments.retrieve(held.reference) == taken


def test_the_same_key_is_the_same_effect(outside: OutsideProcess, payments: StripePayments, order_id: str) -> None:
    first = authorise(payments, order_id)
    assert authorise(payments, order_id) == first
    one = [payments.capture(first.reference, idempotency_key=f"{order_id}:c") for _ in range(2)]
    assert one[0] == one[1]
    two = [payments.refund(first.reference, 400, idempotency_key=f"{order_id}:r") for _ in range(2)]
    assert two[0] == two[1]
    assert outside.charges(order_id) == [1, 2100]
    assert len(payments.find(shop="main", order_id=order_id, since=LONG_AGO)) == 1


def test_a_key_used_for_something_else_is_refused_for_good(payments: StripePayments, order_id: str) -> None:
    authorise(payments, order_id, key=f"{order_id}:same")
    with pytest.raises(ProviderRejected, match="IdempotencyError"):
        authorise(payments, order_id, amount=2600, key=f"{order_id}:same")


def test_capturing_and_voiding_twice_under_other_keys_answers_what_is(
    outside: OutsideProcess, payments: StripePayments, order_id: str
) -> None:
    """Provider's keys are forgotten after a day; the payment's own state is not."""
    taken = captured(payments, order_id)
    assert payments.capture(taken.reference, idempotency_key="another") == taken
    assert payments.cancel(taken.reference, idempotency_key="too late") == taken
    held = authorise(payments, f"{order_id}-b")
    void = payments.cancel(held.reference, idempotency_key="v1")
    assert (void.state, void.captured_minor) == (PaymentState.CANCELLED, 0)
    assert payments.cancel(held.reference, idempotency_key="v2") == void
    with pytest.raises(ProviderRejected, match="capture pi_"):
        payments.capture(held.reference, idempotency_key="c after v")
    assert outside.charges(order_id) == [1, 2500]


@pytest.mark.parametrize(
    ("method", "reason"),
    [
        ("pm_card_chargeDeclined", "generic_decline"),
        ("pm_card_chargeDeclinedInsufficientFunds", "insufficient_funds"),
        ("pm_card_chargeDeclinedExpiredCard", "expired_card"),
        ("pm_card_chargeDeclinedProcessingError", "processing_error"),
    ],
)
def test_declines_carry_their_code(payments: StripePayments, order_id: str, method: str, reason: str) -> None:
    for _ in range(2):
        with pytest.raises(PaymentDeclined) as caught:
            authorise(payments, order_id, method=method)
        assert caught.value.reason == reason
        assert "card was declined." not in str(caught.value), "the provider's prose stays out"


def test_a_wish_to_see_the_customer_is_a_state(
    outside: OutsideProcess, payments: StripePayments, order_id: str
) -> None:
    waiting = authorise(payments, order_id, method="pm_card_authenticationRequired")
    assert (waiting.state, waiting.captured_minor) == (PaymentState.REQUIRES_ACTION, 0)
    outside.control("POST", f"/provider/payment_intents/{waiting.reference}/authenticate", {})
    assert payments.retrieve(waiting.reference).state is PaymentState.AUTHORISED
    failed = authorise(payments, f"{order_id}-b", method="pm_card_authenticationRequired")
    outside.control("POST", f"/provider/payment_intents/{failed.reference}/authenticate", {"succeed": False})
    after = payments.retrieve(failed.reference)
    assert after.state is PaymentState.DECLINED
    assert after.detail == "payment_intent_authentication_failure"


def test_requests_that_make_no_sense_are_refused_for_good(payments: StripePayments, order_id: str) -> None:
    with pytest.raises(ProviderRejected):
        authorise(payments, order_id, amount=0)
    with pytest.raises(ProviderRejected):
        authorise(payments, order_id, method="pm_nobody_has", key="k2")
    taken = captured(payments, f"{order_id}-b")
    with pytest.raises(ProviderRejected, match="refund pi_"):
        payments.refund(taken.reference, 2501, idempotency_key="too much")
    assert payments.refunds(taken.reference) == []


def test_what_the_provider_does_not_know_is_not_found(payments: StripePayments) -> None:
    for ask in (payments.retrieve, payments.payment_document):
        with pytest.raises(NotFound):
            ask("pi_unknown")
    with pytest.raises(NotFound):
        payments.capture("pi_unknown", idempotency_key="x")
    with pytest.raises(NotFound):
        payments.cancel("pi_unknown", idempotency_key="y")


def test_payments_are_found_by_order_over_pages(
    payments: StripePayments, order_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stripe_payments, "PAGE", 2)
    mine = [authorise(payments, order_id, key=f"{order_id}:{number}") for number in range(3)]
    authorise(payments, f"{order_id}0")
    payments.authorise(
        shop="other",
        order_id=order_id,
        amount_minor=100,
        currency="EUR",
        method="pm_card_visa",
        idempotency_key=f"{order_id}:other shop",
    )
    assert payments.find(shop="main", order_id=order_id, since=LONG_AGO) == mine, "oldest first"
    assert payments.find(shop="main", order_id=order_id, since=datetime.now(UTC) + timedelta(hours=1)) == []


def test_every_page_of_refunds_is_read(
    payments: StripePayments, order_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stripe_payments, "PAGE", 2)
    taken = captured(payments, order_id)
    made = [payments.refund(taken.reference, 100 + n, idempotency_key=f"{order_id}:{n}") for n in range(5)]
    assert payments.refunds(taken.reference) == made


def test_the_document_of_a_payment_is_the_event_the_provider_would_send(
    payments: StripePayments, order_id: str
) -> None:
    taken = captured(payments, order_id)
    document = json.loads(payments.payment_document(taken.reference))
    assert document["type"] == "payment_intent.succeeded"
    found = document["data"]["object"]
    assert (found["id"], found["amount_received"], found["metadata"]["order_id"]) == (taken.reference, 2500, order_id)


def test_ledger_lines_add_up_and_name_their_order(
    outside: OutsideProcess, payments: StripePayments, order_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stripe_books, "PAGE", 3)
    taken = captured(payments, order_id, 10_000)
    refund = payments.refund(taken.reference, 1_000, idempotency_key=f"{order_id}:r")
    dispute = outside.control("POST", "/provider/disputes", {"payment_intent": taken.reference})
    outside.control("POST", f"/provider/disputes/{dispute['id']}/close", {"status": "won"})
    lines = lines_of(payments, order_id)
    assert [(line.kind, line.gross_minor, line.fee_minor) for line in lines] == [
        (LineKind.CHARGE, 10_000, 320),
        (LineKind.REFUND, -1_000, 0),
        (LineKind.DISPUTE, -9_000, 1_500),
        (LineKind.DISPUTE_REVERSAL, 9_000, 0),
    ]
    assert all(line.net_minor == line.gross_minor - line.fee_minor for line in lines)
    assert {(line.payment_reference, line.currency, line.provider) for line in lines} == {
        (taken.reference, "EUR", "stripe")
    }
    assert lines[1].source_id == refund.reference
    assert {(line.method, line.customer_currency) for line in lines} == {("card", "")}
    assert len({line.line_id for line in lines}) == 4
    assert all(line.created_at.tzinfo is UTC for line in lines)


def test_the_ledger_is_half_open_and_of_its_window_only(payments: StripePayments, order_id: str) -> None:
    captured(payments, order_id)
    (line,) = lines_of(payments, order_id)
    at = line.created_at

    def found(start: datetime, end: datetime) -> bool:
        return line in list(payments.ledger(start, end))

    second = timedelta(seconds=1)
    assert found(at, at + second)
    assert not found(at - second, at)
    assert not found(at + second, at + 60 * second)
    assert found(at - second, at + timedelta(microseconds=1)), "the second that has begun belongs in"


def test_payouts_are_lines_that_belong_to_no_order(
    outside: OutsideProcess, payments: StripePayments, order_id: str
) -> None:
    captured(payments, order_id)
    outside.control("POST", "/clock/advance", {"seconds": 3 * 86_400})
    outside.control("POST", "/provider/payouts")
    now = datetime.now(UTC) + timedelta(days=3)
    lines = list(payments.ledger(now - timedelta(hours=1), now + timedelta(hours=1)))
    (payout,) = [line for line in lines if line.kind is LineKind.PAYOUT]
    assert (payout.order_id, payout.payment_reference) == ("", "")
    assert payout.gross_minor < 0
    assert payout.net_minor == payout.gross_minor - payout.fee_minor
    before = payments.ledger(LONG_AGO, now - timedelta(hours=1))
    assert sum(line.net_minor for line in before) + payout.net_minor == 0, "all that was available"


@pytest.mark.parametrize("kind", ["timeout_after", "reset_after", "wrong_body"])
def test_a_lost_answer_is_asked_for_again_and_charges_once(
    outside: OutsideProcess, payments: StripePayments, order_id: str, kind: str
) -> None:
    quick = outside.payments(timeout=QUICK)
    outside.fault(INTENTS, kind, seconds=PATIENT)
    with pytest.raises(ProviderUnavailable):
        authorise(quick, order_id)
    held = authorise(payments, order_id)
    outside.fault(f"{INTENTS}/*/capture", kind, seconds=PATIENT)
    with pytest.raises(ProviderUnavailable):
        quick.capture(held.reference, idempotency_key=f"{order_id}:c")
    assert payments.capture(held.reference, idempotency_key=f"{order_id}:c").captured_minor == 2500
    outside.fault("POST /stripe/v1/refunds", kind, seconds=PATIENT)
    with pytest.raises(ProviderUnavailable):
        quick.refund(held.reference, 500, idempotency_key=f"{order_id}:r")
    refund = payments.refund(held.reference, 500, idempotency_key=f"{order_id}:r")
    assert payments.refunds(held.reference) == [refund]
    assert outside.charges(order_id) == [1, 2000]
    assert len(payments.find(shop="main", order_id=order_id, since=LONG_AGO)) == 1


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("reset_before", {}),
        *(("status", {"status": code}) for code in (401, 403, 409, 429, 500, 502, 503)),
        ("status", {"status": 503, "body": "<html>down for maintenance</html>"}),
    ],
)
def test_trouble_that_passes_can_be_tried_again(
    outside: OutsideProcess, payments: StripePayments, order_id: str, kind: str, more: dict[str, object]
) -> None:
    """Also refused credentials: no order may be declined because our key was mistyped."""
    if more.get("status") == 409:
        more = {**more, "body": {"error": {"type": "idempotency_error", "code": "idempotency_key_in_use"}}}
    outside.fault(INTENTS, kind, **more)
    with pytest.raises(ProviderUnavailable) as caught:
        authorise(payments, order_id)
    assert caught.value.retryable
    assert authorise(payments, order_id).state is PaymentState.AUTHORISED


def test_nobody_there_is_unavailable_for_every_call(outside: OutsideProcess) -> None:
    nobody = outside.payments(timeout=QUICK, base=f"http://127.0.0.1:{free_port()}")
    calls: list[Callable[[], object]] = [
        lambda: authorise(nobody, "1"),
        lambda: nobody.capture("pi_1", idempotency_key="1"),
        lambda: nobody.cancel("pi_1", idempotency_key="1"),
        lambda: nobody.refund("pi_1", 1, idempotency_key="1"),
        lambda: nobody.retrieve("pi_1"),
        lambda: nobody.refunds("pi_1"),
        lambda: nobody.payment_document("pi_1"),
        lambda: nobody.find(shop="main", order_id="1", since=LONG_AGO),
    ]
    for call in calls:
        with pytest.raises(ProviderUnavailable):
            call()
    with pytest.raises(SourceUnreadable):
        list(nobody.ledger(LONG_AGO, datetime.now(UTC)))


def test_a_ledger_that_breaks_off_is_not_a_short_ledger(
    outside: OutsideProcess, payments: StripePayments, order_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stripe_books, "PAGE", 1)
    captured(payments, order_id)
    captured(payments, f"{order_id}-b")
    outside.fault("GET /stripe/v1/balance_transactions", "status", status=500, after=1)
    read: list[LedgerLine] = []
    with pytest.raises(SourceUnreadable):
        read.extend(payments.ledger(LONG_AGO, datetime.now(UTC) + timedelta(seconds=2)))
    whole = list(payments.ledger(LONG_AGO, datetime.now(UTC) + timedelta(seconds=2)))
    assert read == whole[:1]
    assert list(payments.ledger(LONG_AGO, datetime.now(UTC) + timedelta(seconds=2), read[0].line_id)) == whole[1:]


def test_no_error_holds_the_key(outside: OutsideProcess, order_id: str) -> None:
    payments = outside.payments(key="sk_test_very_visible")
    for status in (401, 500):
        outside.fault(INTENTS, "status", status=status, body={"error": {"message": "key sk_test_very_visible"}})
        with pytest.raises(OrdersError) as caught:
            authorise(payments, order_id)
        assert "visible" not in f"{caught.value!r}{caught.value.__cause__!r}"
