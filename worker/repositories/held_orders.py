"""The orders that one transaction has locked, as they stand in it.

Nobody else changes a locked order, its parcels or its book entries until the transaction ends. So each is read once, what the
transaction itself does to it is followed here, and its moves are written together, right before the commit.
"""

from dataclasses import dataclass, field, replace
from datetime import UTC

from worker.domain.dispute import DISPUTED
from worker.domain.ledger import Shipment
from worker.domain.order import Order, OrderState, Transition
from worker.domain.payment import BookEntry, EntryKind


@dataclass(slots=True)
class HeldOrder:
    """An order as it stands after all that this transaction has done."""

    order: Order
    stored: OrderState
    """The state that its row has until its moves are written."""
    trail_length: int
    """Lines of its trail that are written."""
    unwritten: list[Transition] = field(default_factory=list)
    """Moves that are not, oldest first."""
    parcels: list[Shipment] | None = None
    """Its parcels, oldest request first, once they were read."""

    def booked(self, entry: BookEntry) -> None:
        """Follow a book entry. One in another currency is no money to be added up."""
        order, amount = self.order, entry.amount_minor
        if entry.currency != order.currency:
            return
        if entry.kind is EntryKind.CAPTURE:
            self.order = replace(order, captured_minor=order.captured_minor + amount)
        elif entry.kind is EntryKind.REFUND:
            self.order = replace(order, refunded_minor=order.refunded_minor - amount)
        elif entry.kind in DISPUTED:
            self.order = replace(order, disputed_minor=order.disputed_minor - amount)

    def has_parcel(self, parcel: Shipment) -> None:
        """Follow a parcel that was saved."""
        if self.parcels is None:
            return
        others = [each for each in self.parcels if each.shipment_id != parcel.shipment_id]
        self.parcels = sorted([*others, _as_read(parcel)], key=lambda each: (each.requested_at, each.shipment_id))


class HeldOrders(dict[tuple[str, str], HeldOrder]):
    """By shop and id. An order that is absent is not locked, or not yet."""


def _as_read(parcel: Shipment) -> Shipment:
    """Return a parcel as it will be read: in UTC."""
    return replace(
        parcel,
        requested_at=parcel.requested_at.astimezone(UTC),
        shipped_at=parcel.shipped_at and parcel.shipped_at.astimezone(UTC),
        delivered_at=parcel.delivered_at and parcel.delivered_at.astimezone(UTC),
    )
