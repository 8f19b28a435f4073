"""Stripe's disputes: what each word means to an order, and which money moved in the currency of the books."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from worker.contract.events import ProviderEvent
from worker.contract.orders import OrderEventKind
from worker.domain.dispute import DisputeMovement, DisputeState, entries_of, lost_of, withdrawn_of
from worker.gateways.stripe_disputes import dispute_of
from worker.services.events import EventService
from worker.services.translation.route import Route

OPENED = datetime(2026, 11, 2, 9, tzinfo=UTC)


def moved(amount: int, days: int = 0, currency: str = "eur", name: str = "txn_1") -> dict[str, Any]:
    return {"id": name, "amount": amount, "currency": currency, "created": int(OPENED.timestamp()) + days * 86_400}


def document(**changes: Any) -> dict[str, Any]:
    return {
        "id": "dp_1",
        "object": "dispute",
        "amount": 2500,
        "currency": "eur",
        "created": int(OPENED.timestamp()),
        "metadata": {},
        "payment_intent": "pi_1",
        "reason": "fraudulent",
        "status": "needs_response",
        "balance_transactions": [moved(-2500)],
        **changes,
    }


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("warning_needs_response", DisputeState.INQUIRY),
        ("warning_closed", DisputeState.INQUIRY),
        ("needs_response", DisputeState.OPEN),
        ("under_review", DisputeState.OPEN),
        ("appeal_under_review", DisputeState.OPEN),
        ("won", DisputeState.WON),
        ("prevented", DisputeState.WON),
        ("lost", DisputeState.LOST),
    ],
)
def test_every_status_has_its_state(status: str, state: DisputeState) -> None:
    assert dispute_of("stripe", document(status=status)).state is state


def test_money_is_counted_in_the_currency_the_customer_paid_in() -> None:
    settled = [moved(2710, 60, "usd", "txn_2"), moved(-2700, 0, "usd")]
    dispute = dispute_of("stripe", document(balance_transactions=settled, status="won"))
    assert [movement.amount_minor for movement in dispute.movements] == [-2500, 2500], "oldest first"
    assert dispute_of("stripe", document(balance_transactions=[moved(-2400)])).movements == (
        DisputeMovement(amount_minor=-2400, at=OPENED),
    )


def test_every_movement_is_an_entry_of_its_own_and_a_second_withdrawal_another() -> None:
    movements = [moved(-2500), moved(2500, 30, name="txn_2"), moved(-2500, 60, name="txn_3")]
    dispute = dispute_of("stripe", document(balance_transactions=movements, status="lost"))
    entries = entries_of("main", "1001", dispute)
    assert [(entry.kind, entry.reference, entry.amount_minor) for entry in entries] == [
        ("dispute", "dp_1", -2500),
        ("dispute_reversal", "dp_1", 2500),
        ("dispute", "dp_1#2", -2500),
    ]
    assert (withdrawn_of(entries, "pi_1"), withdrawn_of(entries, "pi_2"), lost_of([dispute])) == (2500, 0, 2500)


def route(topic: str, **changes: Any) -> Route:
    body = {"created": int(OPENED.timestamp()), "data": {"object": document(**changes)}}
    event = ProviderEvent(
        source="stripe",
        dialect="stripe",
        shop="main",
        event_id="evt-1",
        topic=f"charge.dispute.{topic}",
        body=json.dumps(body),
        received_at=OPENED.isoformat(),
    )
    return EventService.translate(None, event)  # type: ignore[arg-type]  # translating uses nothing of the service


@pytest.mark.parametrize(
    ("topic", "status", "kind"),
    [
        ("created", "needs_response", OrderEventKind.DISPUTE_OPENED),
        ("funds_withdrawn", "needs_response", OrderEventKind.DISPUTE_OPENED),
        ("funds_reinstated", "won", OrderEventKind.DISPUTE_WON),
        ("closed", "won", OrderEventKind.DISPUTE_WON),
        ("closed", "lost", OrderEventKind.DISPUTE_LOST),
    ],
)
def test_an_event_names_the_dispute_and_its_payment(topic: str, status: str, kind: OrderEventKind) -> None:
    found = route(topic, status=status)
    assert found.event is not None
    assert (found.order_id, found.payment, found.event.kind, found.event.reference) == ("", "pi_1", kind, "dp_1")
    assert (found.event.amount_minor, found.event.currency, found.event.detail) == (2500, "EUR", "fraudulent")


def test_one_by_a_repair_names_its_order_and_one_of_another_shop_is_nobodys() -> None:
    assert route("created", metadata={"order_id": "1001", "shop": "main"}).order_id == "1001"
    assert route("created", metadata={"order_id": "1001", "shop": "other"}).event is None
    assert route("updated").event is None
