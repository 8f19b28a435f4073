"""The simulated provider's books over days: disputes, payouts, reports, tampering, and what survives a crash."""

import csv
import io
import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import stripe

from tests.integration.provider_process import ProviderProcess

DAY = 86_400


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProviderProcess]:
    with ProviderProcess(tmp_path_factory.mktemp("books")) as running:
        yield running


@pytest.fixture
def client(provider: ProviderProcess) -> stripe.StripeClient:
    return provider.client()


def pay(client: stripe.StripeClient, order_id: str, amount: int = 2000, **changes: Any) -> stripe.PaymentIntent:
    params: Any = {
        "amount": amount,
        "currency": "eur",
        "confirm": True,
        "payment_method": "pm_card_visa",
        "metadata": {"shop": "main", "order_id": order_id},
        **changes,
    }
    return client.v1.payment_intents.create(params)


def ledger(provider: ProviderProcess, order_id: str) -> Any:
    return provider.sim("GET", f"provider/ledger?order_id={order_id}")


def kept(provider: ProviderProcess, order_id: str) -> tuple[int, int]:
    found = ledger(provider, order_id)
    return found["captured_count"], found["net_minor"]


def newest_event(client: stripe.StripeClient, kind: str) -> Any:
    params: Any = {"type": kind, "limit": 1}
    events = client.v1.events.list(params).data
    return events[0].to_dict()["data"]["object"] if events else None


# Disputes


def test_a_dispute_takes_the_money_with_a_fee_and_winning_returns_the_money_only(
    provider: ProviderProcess, client: stripe.StripeClient, order_id: str
) -> None:
    intent = pay(client, order_id)
    opened = provider.sim("POST", "provider/disputes", {"order_id": order_id, "reason": "product_not_received"})
    dispute = client.v1.disputes.retrieve(opened["id"])
    assert (dispute.status, dispute.amount, dispute.reason) == ("needs_response", 2000, "product_not_received")
    (entry,) = dispute.balance_transactions
    assert (entry.type, entry.reporting_category) == ("adjustment", "dispute")
    assert (entry.amount, entry.fee, entry.net, entry.source) == (-2000, 1500, -3500, dispute.id)
    assert client.v1.charges.retrieve(str(intent.latest_charge)).disputed is True
    assert newest_event(client, "charge.dispute.created")["id"] == dispute.id
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.v1.refunds.create({"payment_intent": intent.id})
    assert caught.value.code == "charge_disputed"
    provider.sim("POST", f"provider/disputes/{dispute.id}/close", {"status": "won"})
    closed = newest_event(client, "charge.dispute.closed")
    assert (closed["id"], closed["status"]) == (dispute.id, "won")
    entries = client.v1.balance_transactions.list({"source": dispute.id}).data
    assert [(item.reporting_category, item.net) for item in entries] == [("dispute_reversal", 2000), ("dispute", -3500)]
    assert [item.id for item in client.v1.disputes.list({"payment_intent": intent.id})] == [dispute.id]
    assert client.v1.refunds.create({"payment_intent": intent.id, "amount": 1}).status == "succeeded"


def test_a_dispute_given_up_is_lost(provider: ProviderProcess, client: stripe.StripeClient, order_id: str) -> None:
    intent = pay(client, order_id)
    opened = provider.sim("POST", "provider/disputes", {"payment_intent": intent.id, "amount": 500})
    assert client.v1.disputes.close(opened["id"]).status == "lost"
    with pytest.raises(stripe.InvalidRequestError, match="already closed"):
        client.v1.disputes.close(opened["id"])
    assert len(client.v1.balance_transactions.list({"source": opened["id"]}).data) == 1


# Payouts and their reports


def test_payouts_pay_out_everything_once_and_to_the_cent(tmp_path: Path) -> None:
    with ProviderProcess(tmp_path) as provider:
        client = provider.client()
        start = datetime.now(UTC).replace(hour=9, minute=0, second=0, microsecond=0) + timedelta(days=1)
        provider.sim("PUT", "clock", {"now": start.isoformat()})
        for number in range(3):
            pay(client, f"e{number}", 1000 + number)
        pay(client, "n1", 5000, currency="nok")
        client.v1.refunds.create({"payment_intent": pay(client, "e3", 3000).id, "amount": 1200})
        provider.sim("POST", "provider/disputes", {"order_id": "e0"})
        before = client.v1.balance.retrieve()
        pending = {part.currency: part.amount for part in before.pending}
        assert before.available == []

        provider.sim("POST", "clock/advance", {"seconds": 2 * DAY})
        pay(client, "late", 700)
        assert client.v1.payouts.list().data == []
        provider.sim("POST", "clock/advance", {"seconds": DAY})
        payouts = client.v1.payouts.list().data
        assert {payout.currency: payout.amount for payout in payouts} == pending
        midnight = start.replace(hour=0) + timedelta(days=3)
        assert {(payout.status, payout.created) for payout in payouts} == {("pending", int(midnight.timestamp()))}
        assert newest_event(client, "payout.paid") is None

        provider.sim("POST", "clock/advance", {"seconds": DAY})
        euro = next(payout for payout in payouts if payout.currency == "eur")
        euro = client.v1.payouts.retrieve(euro.id, {"expand": ["balance_transaction"]})
        assert (euro.status, euro.reconciliation_status, euro.automatic) == ("paid", "completed", True)
        kinds = [
            event.type for event in client.v1.events.list({"types": ["payout.paid", "payout.reconciliation_completed"]})
        ]
        assert sorted(kinds) == ["payout.paid"] * 2 + ["payout.reconciliation_completed"] * 2

        entries = list(client.v1.balance_transactions.list({"payout": euro.id, "limit": 3}).auto_paging_iter())
        assert sum(entry.net for entry in entries) == 0
        own = [entry for entry in entries if entry.type == "payout"]
        assert isinstance(euro.balance_transaction, stripe.BalanceTransaction)
        assert [(entry.id, entry.net) for entry in own] == [(euro.balance_transaction.id, -euro.amount)]
        assert sorted(entry.reporting_category for entry in entries if entry.type != "payout") == (
            ["charge"] * 4 + ["dispute", "refund"]
        )
        # The late charge waits for its own two days and then comes in the next payout, alone.
        provider.sim("POST", "clock/advance", {"seconds": 2 * DAY})
        newest = client.v1.payouts.list({"limit": 1}).data[0]
        assert newest.amount == 700 - 50
        assert len(client.v1.payouts.list().data) == 3
        assert client.v1.balance.retrieve().to_dict()["pending"] == []
        assert_report(provider, euro.id, euro.amount)


def assert_report(provider: ProviderProcess, payout_id: str, amount: int) -> None:
    """The itemised report of a payout closes to its amount, row by row, and knows the orders."""
    rows = read_csv(provider.sim("GET", f"provider/reports/payout_reconciliation.csv?payout={payout_id}"))
    assert {row["automatic_payout_id"] for row in rows} == {payout_id}
    assert all(Decimal(row["gross"]) - Decimal(row["fee"]) == Decimal(row["net"]) for row in rows)
    assert sum(Decimal(row["net"]) for row in rows) == Decimal(amount) / 100
    found = sorted((row["payment_metadata[order_id]"], row["reporting_category"], row["gross"]) for row in rows)
    assert found == [
        ("e0", "charge", "10.00"),
        ("e0", "dispute", "-10.00"),
        ("e1", "charge", "10.01"),
        ("e2", "charge", "10.02"),
        ("e3", "charge", "30.00"),
        ("e3", "refund", "-12.00"),
    ]
    dispute = next(row for row in rows if row["reporting_category"] == "dispute")
    assert (dispute["fee"], dispute["dispute_reason"], dispute["charge_id"][:3]) == ("15.00", "fraudulent", "ch_")


def read_csv(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_a_report_of_a_period_shows_what_no_payout_has_taken(
    provider: ProviderProcess, client: stripe.StripeClient, order_id: str
) -> None:
    intent = pay(client, order_id, 1500, currency="jpy")
    start = datetime.fromtimestamp(intent.created, UTC)
    end = start + timedelta(seconds=10)
    path = f"provider/reports/payout_reconciliation.csv?start={start:%Y-%m-%dT%H:%M:%SZ}&end={end:%Y-%m-%dT%H:%M:%SZ}"
    (row,) = [row for row in read_csv(provider.sim("GET", path)) if row["payment_intent_id"] == intent.id]
    assert (row["automatic_payout_id"], row["gross"], row["fee"], row["net"]) == ("", "1500", "74", "1426")
    assert (row["payment_metadata[shop]"], row["card_brand"]) == ("main", "Visa")
    status, _ = provider.ask("GET", "/_sim/provider/reports/payout_reconciliation.csv?payout=po_unknown")
    assert status == 404
    status, _ = provider.ask("GET", "/_sim/provider/reports/payout_reconciliation.csv?start=2026-01-01&end=never")
    assert status == 400


def test_an_authorisation_nobody_captures_expires(tmp_path: Path) -> None:
    with ProviderProcess(tmp_path) as provider:
        client = provider.client()
        held = pay(client, "held", capture_method="manual")
        taken = pay(client, "taken", capture_method="manual")
        client.v1.payment_intents.capture(taken.id)
        provider.sim("POST", "clock/advance", {"seconds": 7 * DAY + 1})
        expired = client.v1.payment_intents.retrieve(held.id)
        assert (expired.status, expired.cancellation_reason) == ("canceled", "expired")
        assert newest_event(client, "payment_intent.canceled")["id"] == held.id
        assert client.v1.payment_intents.retrieve(taken.id).status == "succeeded"


def test_keys_are_forgotten_after_a_simulated_day(tmp_path: Path) -> None:
    with ProviderProcess(tmp_path) as provider:
        client = provider.client()
        options: Any = {"idempotency_key": "same"}
        params: Any = {"amount": 500, "currency": "eur"}
        first = client.v1.payment_intents.create(params, options)
        provider.sim("POST", "clock/advance", {"seconds": DAY - 60})
        assert client.v1.payment_intents.create(params, options).id == first.id
        provider.sim("POST", "clock/advance", {"seconds": 61})
        assert client.v1.payment_intents.create(params, options).id != first.id


# Tampering


def test_tampering_changes_the_books_and_tells_nobody(provider: ProviderProcess, client: stripe.StripeClient) -> None:
    orders = {action: f"tampered-{action}" for action in ("drop_charge", "change_amount", "refund_silently")}
    intents = {action: pay(client, order) for action, order in orders.items()}
    intents["charge_twice"] = pay(client, "tampered-charge_twice")
    told = [event.id for event in client.v1.events.list({"limit": 100})]

    def tamper(action: str, **more: Any) -> Any:
        return provider.sim("POST", "provider/tamper", {"action": action, "order_id": f"tampered-{action}", **more})

    tamper("drop_charge")
    assert kept(provider, orders["drop_charge"]) == (0, 0)
    dropped = client.v1.payment_intents.retrieve(intents["drop_charge"].id)
    assert (dropped.status, dropped.amount_received) == ("canceled", 0)
    gone = str(intents["drop_charge"].latest_charge)
    assert client.v1.balance_transactions.list({"source": gone}).data == []

    assert tamper("change_amount", amount=1234)["before"] == 2000
    assert kept(provider, orders["change_amount"]) == (1, 1234)
    changed = str(intents["change_amount"].latest_charge)
    (entry,) = client.v1.balance_transactions.list({"source": changed}).data
    assert (entry.amount, entry.fee, entry.net) == (1234, 66, 1168)

    tamper("refund_silently", amount=300)
    assert kept(provider, orders["refund_silently"]) == (1, 1700)

    second = tamper("charge_twice")
    assert kept(provider, "tampered-charge_twice") == (2, 4000)
    assert second["payment_intent"] != intents["charge_twice"].id
    by_order = provider.sim("GET", "provider/charges_by_order")
    assert {order: by_order[order] for order in by_order if order.startswith("tampered")} == {
        "tampered-change_amount": [1, 1234],
        "tampered-refund_silently": [1, 1700],
        "tampered-charge_twice": [2, 4000],
    }
    assert [event.id for event in client.v1.events.list({"limit": 100})] == told


@pytest.mark.parametrize(
    "wish",
    [
        {"action": "burn_it_down", "order_id": "1"},
        {"action": "drop_charge", "order_id": "nobody"},
        {"action": "change_amount", "order_id": "tampered"},
        {"action": "refund_silently", "order_id": "tampered", "amount": 99_999},
        {"action": "refund_silently", "order_id": "tampered", "amount": "5"},
    ],
)
def test_tampering_that_makes_no_sense_is_refused(
    provider: ProviderProcess, client: stripe.StripeClient, wish: dict[str, Any]
) -> None:
    pay(client, "tampered", 100)
    status, _ = provider.ask("POST", "/_sim/provider/tamper", wish)
    assert status == 400


# Crash


def test_a_killed_provider_forgets_nothing_it_answered(tmp_path: Path) -> None:
    with ProviderProcess(tmp_path) as provider:
        client = provider.client()
        provider.sim("POST", "clock/advance", {"seconds": 3600})
        provider.sim("PUT", "faults", {"route": "GET /stripe/v1/charges", "kind": "status", "status": 503})
        options: Any = {"idempotency_key": "kept"}
        params: Any = {"amount": 900, "currency": "eur", "confirm": True, "payment_method": "pm_card_visa"}
        intent = client.v1.payment_intents.create(params, options)
        assert provider.stop(signal.SIGKILL) == -signal.SIGKILL
        provider.start()
        assert client.v1.payment_intents.create(params, options).to_dict() == intent.to_dict()
        moved = datetime.fromisoformat(provider.sim("GET", "clock")["now"]) - datetime.now(UTC)
        assert timedelta(minutes=59) < moved < timedelta(minutes=61)
        with pytest.raises(stripe.APIError):
            client.v1.charges.list()
        assert len(client.v1.charges.list({"payment_intent": intent.id}).data) == 1
