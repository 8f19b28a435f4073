"""What our books hold per order: captured, refunded and disputed sums, and when it was first asked for and first shipped.

Sums are over book entries in the order's own currency: an entry in another currency is a difference for
reconciliation to show, not money to be added up.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, bindparam, func, select

from worker.domain.dispute import DISPUTED
from worker.domain.payment import EntryKind
from worker.repositories.paging import chunked
from worker.repositories.schema import BOOK_ENTRIES, SHIPMENTS

_SUMS = (
    select(
        BOOK_ENTRIES.c.order_id,
        BOOK_ENTRIES.c.currency,
        BOOK_ENTRIES.c.kind,
        func.sum(BOOK_ENTRIES.c.amount_minor).label("amount_minor"),
    )
    .where(
        BOOK_ENTRIES.c.shop == bindparam("shop"),
        BOOK_ENTRIES.c.order_id.in_(bindparam("order_ids", expanding=True)),
    )
    .group_by(BOOK_ENTRIES.c.order_id, BOOK_ENTRIES.c.currency, BOOK_ENTRIES.c.kind)
)
_PARCELS = (
    select(
        SHIPMENTS.c.order_id,
        func.min(SHIPMENTS.c.shipped_at).label("shipped_at"),
        func.min(SHIPMENTS.c.requested_at).label("requested_at"),
    )
    .where(
        SHIPMENTS.c.shop == bindparam("shop"),
        SHIPMENTS.c.order_id.in_(bindparam("order_ids", expanding=True)),
    )
    .group_by(SHIPMENTS.c.order_id)
)


@dataclass(frozen=True, slots=True)
class OrderSums:
    """Sums in minor units, none below zero; `disputed_minor` is what was withdrawn and not returned."""

    captured_minor: int = 0
    refunded_minor: int = 0
    disputed_minor: int = 0


def sums_of(connection: Connection, shop: str, currencies: Mapping[str, str]) -> dict[str, OrderSums]:
    """Return the sums of the orders that `currencies` names (order id -> its currency); each has an answer."""
    amounts: dict[tuple[str, str], int] = {}
    for order_ids in chunked(list(currencies)):
        for row in connection.execute(_SUMS, {"shop": shop, "order_ids": order_ids}):
            if row.currency == currencies[row.order_id]:
                amounts[row.order_id, row.kind] = int(row.amount_minor)
    return {
        order_id: OrderSums(
            captured_minor=amounts.get((order_id, EntryKind.CAPTURE), 0),
            refunded_minor=-amounts.get((order_id, EntryKind.REFUND), 0),
            disputed_minor=-sum(amounts.get((order_id, kind), 0) for kind in DISPUTED),
        )
        for order_id in currencies
    }


@dataclass(frozen=True, slots=True)
class ParcelTimes:
    """When the first parcel of an order was asked for, and when the first one left."""

    requested_at: datetime | None = None
    shipped_at: datetime | None = None


def parcel_times(connection: Connection, shop: str, order_ids: Sequence[str]) -> dict[str, ParcelTimes]:
    """Return the times of the parcels of each order; orders without one are absent."""
    return {
        row.order_id: ParcelTimes(row.requested_at, row.shipped_at)
        for some in chunked(order_ids)
        for row in connection.execute(_PARCELS, {"shop": shop, "order_ids": some})
    }
