"""Stripe's disputes as ours.

A dispute states its amount in the customer's currency, and lists the balance transactions that moved it, in the
currency of settlement: where the two differ, the movement is the dispute's amount with the transaction's sign.
Source: Stripe API, Dispute object.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from worker.domain.dispute import Dispute, DisputeMovement, DisputeState

_STATES = {
    "won": DisputeState.WON,
    # Settled with the bank before it became a dispute, at no cost of ours.
    "prevented": DisputeState.WON,
    "lost": DisputeState.LOST,
}
_INQUIRY = "warning_"
"""Statuses of inquiries begin so; no money has moved, and none does when one is closed."""


def dispute_of(provider: str, item: Mapping[str, Any]) -> Dispute:
    """Translate a dispute object; one under appeal is open."""
    currency = item["currency"].upper()
    status = str(item["status"])
    open_or_asked = DisputeState.INQUIRY if status.startswith(_INQUIRY) else DisputeState.OPEN
    return Dispute(
        provider=provider,
        reference=item["id"],
        payment_reference=_id(item.get("payment_intent")),
        amount_minor=item["amount"],
        currency=currency,
        state=_STATES.get(status, open_or_asked),
        opened_at=datetime.fromtimestamp(item["created"], UTC),
        reason=str(item.get("reason") or ""),
        movements=tuple(
            DisputeMovement(amount_minor=_moved(each, item), at=datetime.fromtimestamp(each["created"], UTC))
            for each in sorted(item.get("balance_transactions") or (), key=lambda each: (each["created"], each["id"]))
            if each["amount"]
        ),
    )


def _moved(transaction: Mapping[str, Any], item: Mapping[str, Any]) -> int:
    amount = int(transaction["amount"])
    if transaction["currency"] == item["currency"]:
        return amount
    return int(item["amount"]) if amount > 0 else -int(item["amount"])


def _id(value: Any) -> str:
    return str(value["id"] if isinstance(value, Mapping) else value or "")
