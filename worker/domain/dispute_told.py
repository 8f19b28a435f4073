"""What the timeline of an order says of its disputes."""

from datetime import datetime

from worker.domain.dispute import Dispute, DisputeState
from worker.domain.timeline import Happening, TimelineEntry, entry_key

_DISPUTES: dict[DisputeState, str] = {
    DisputeState.INQUIRY: "is asked about by the bank; no money has moved",
    DisputeState.OPEN: "is open: its money is held until it is won or lost",
    DisputeState.WON: "was won",
    DisputeState.LOST: "was lost: its money is gone",
}


def of_dispute(shop: str, order_id: str, dispute: Dispute, at: datetime) -> TimelineEntry:
    """Return the entry of a dispute in its state; the money it moved has entries of its own."""
    return TimelineEntry(
        shop=shop,
        order_id=order_id,
        key=entry_key("dispute", dispute.provider, dispute.reference, dispute.state),
        kind=f"{Happening.DISPUTE}.{dispute.state}",
        sentence=f"dispute {dispute.reference} of payment {dispute.payment_reference} {_DISPUTES[dispute.state]}",
        actor=dispute.provider,
        at=at,
        amount_minor=dispute.amount_minor,
        currency=dispute.currency,
    )
