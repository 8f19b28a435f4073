"""A dispute: the customer's bank takes money back until the matter is won or lost.

    inquiry              a question of the bank's: no money has moved
    open                 the amount is withdrawn, and held by nobody of ours
    open -> won          it came back
    open -> lost         it is gone
In our books a dispute is two movements of the order's money at most: out when it is withdrawn, in when it is returned.
Losing moves nothing. What is withdrawn, be it held or lost, the order does not hold: it can be neither refunded nor shipped for.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from worker.domain.payment import BookEntry, EntryKind


class DisputeState(StrEnum):
    """Where a dispute stands, as the provider last said."""

    INQUIRY = "inquiry"
    OPEN = "open"
    WON = "won"
    LOST = "lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class DisputeMovement:
    """One movement of a dispute's money; signed from the shop's view, in the currency the customer paid in."""

    amount_minor: int
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispute:
    """One dispute as the provider last stated it; `amount_minor` is positive."""

    provider: str
    reference: str
    payment_reference: str
    amount_minor: int
    currency: str
    state: DisputeState
    opened_at: datetime
    reason: str = ""
    movements: tuple[DisputeMovement, ...] = ()


def entries_of(shop: str, order_id: str, dispute: Dispute) -> list[BookEntry]:
    """Return the book entries of a dispute's movements: named by the dispute, as the provider's ledger names them."""
    entries = []
    made = {EntryKind.DISPUTE: 0, EntryKind.DISPUTE_REVERSAL: 0}
    for movement in dispute.movements:
        kind = EntryKind.DISPUTE if movement.amount_minor < 0 else EntryKind.DISPUTE_REVERSAL
        made[kind] += 1
        entries.append(
            BookEntry(
                shop=shop,
                order_id=order_id,
                provider=dispute.provider,
                kind=kind,
                # Withdrawn anew after it had been won: rare, and another movement.
                reference=dispute.reference if made[kind] == 1 else f"{dispute.reference}#{made[kind]}",
                payment_reference=dispute.payment_reference,
                amount_minor=movement.amount_minor,
                currency=dispute.currency,
                occurred_at=movement.at,
            )
        )
    return entries


def withdrawn_of(entries: Iterable[BookEntry], payment_reference: str) -> int:
    """Return what disputes withdrew of a payment and did not return, in minor units."""
    return -sum(
        entry.amount_minor
        for entry in entries
        if entry.kind in DISPUTED and entry.payment_reference == payment_reference
    )


def lost_of(disputes: Sequence[Dispute]) -> int:
    """Return what of the disputes' amounts is lost for good."""
    return sum(dispute.amount_minor for dispute in disputes if dispute.state is DisputeState.LOST)


DISPUTED = frozenset({EntryKind.DISPUTE, EntryKind.DISPUTE_REVERSAL})
