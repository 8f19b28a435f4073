"""What our books hold per order: captured, refunded and disputed sums, and when it was first asked for and first shipped.

Sums are over book entries in the order's own currency: an entry in another currency is a difference for
reconciliation to show, not money to be added up.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, ScalarSelect, bindparam, func, select

from worker.domain.dispute import DISPUTED
from worker.domain.ledger import Shipment, ShipmentState
from worker.domain.order import Line
from worker.domain.parcels import due_minor, shipped_goods
from worker.domain.payment import EntryKind
from worker.repositories.paging import chunked
from worker.repositories.schema import BOOK_ENTRIES, ORDERS, SHIPMENTS
from worker.repositories.shipments import shipment_of

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

_SUMS_OF_ONE = (
    select(BOOK_ENTRIES.c.kind, func.sum(BOOK_ENTRIES.c.amount_minor).label("amount_minor"))
    .where(
        BOOK_ENTRIES.c.shop == bindparam("shop"),
        BOOK_ENTRIES.c.order_id == bindparam("order_id"),
        BOOK_ENTRIES.c.currency == bindparam("currency"),
    )
    .group_by(BOOK_ENTRIES.c.kind)
)


def _sum_of(kinds: Iterable[EntryKind]) -> ScalarSelect[Any]:
    """Return the sum of an order's entries of some kinds, as a column beside the order's own."""
    return (
        select(func.sum(BOOK_ENTRIES.c.amount_minor))
        .where(
            BOOK_ENTRIES.c.shop == ORDERS.c.shop,
            BOOK_ENTRIES.c.order_id == ORDERS.c.order_id,
            BOOK_ENTRIES.c.currency == ORDERS.c.currency,
            BOOK_ENTRIES.c.kind.in_(sorted(kind.value for kind in kinds)),
        )
        .scalar_subquery()
    )


WITH_SUMS = select(
    ORDERS,
    _sum_of([EntryKind.CAPTURE]).label("captured"),
    _sum_of([EntryKind.REFUND]).label("refunded"),
    _sum_of(DISPUTED).label("disputed"),
)
"""Orders with their sums in one statement (`sums_in`). Not for a locking read: its sums would be from before its wait."""

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

_PARTED = (
    select(SHIPMENTS.c.order_id)
    .where(
        SHIPMENTS.c.shop == bindparam("shop"),
        SHIPMENTS.c.order_id.in_(bindparam("order_ids", expanding=True)),
        SHIPMENTS.c.contents.is_not(None),
    )
    .distinct()
    .subquery()
)
_IN_PARTS = select(SHIPMENTS).where(
    SHIPMENTS.c.shop == bindparam("shop"),
    SHIPMENTS.c.order_id == _PARTED.c.order_id,
    SHIPMENTS.c.state == ShipmentState.SHIPPED.value,
)
_POSITIONS = select(ORDERS.c.order_id, ORDERS.c.positions, ORDERS.c.total_minor, ORDERS.c.shipping_minor).where(
    ORDERS.c.shop == bindparam("shop"), ORDERS.c.order_id.in_(bindparam("order_ids", expanding=True))
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


def sums_of_one(connection: Connection, shop: str, order_id: str, currency: str) -> OrderSums:
    """Return the sums of one order, whose currency that is."""
    rows = connection.execute(_SUMS_OF_ONE, {"shop": shop, "order_id": order_id, "currency": currency})
    amounts = {row.kind: int(row.amount_minor) for row in rows}
    return OrderSums(
        captured_minor=amounts.get(EntryKind.CAPTURE, 0),
        refunded_minor=-amounts.get(EntryKind.REFUND, 0),
        disputed_minor=-sum(amounts.get(kind, 0) for kind in DISPUTED),
    )


def sums_in(row: Row[Any]) -> OrderSums:
    """Return the sums in a row of `WITH_SUMS`."""
    return OrderSums(
        captured_minor=int(row.captured or 0),
        refunded_minor=-int(row.refunded or 0),
        disputed_minor=-int(row.disputed or 0),
    )


@dataclass(frozen=True, slots=True)
class Parts:
    """What of an order has left in parcels that say what they hold: their ids, and what is due for it in minor units."""

    parcels: tuple[str, ...] = ()
    pieces: int = 0
    due_minor: int = 0


def parts_of(connection: Connection, shop: str, order_ids: Sequence[str]) -> dict[str, Parts]:
    """Return the parts of the orders that leave in several; any other is absent."""
    shipped: defaultdict[str, list[Shipment]] = defaultdict(list)
    for some in chunked(order_ids):
        for row in connection.execute(_IN_PARTS, {"shop": shop, "order_ids": some}):
            shipped[row.order_id].append(shipment_of(row))
    found: dict[str, Parts] = {}
    for some in chunked(list(shipped)):
        for row in connection.execute(_POSITIONS, {"shop": shop, "order_ids": some}):
            parcels = shipped[row.order_id]
            goods = shipped_goods(tuple(Line(**position) for position in row.positions), parcels)
            found[row.order_id] = Parts(
                parcels=tuple(sorted(parcel.shipment_id for parcel in parcels)),
                pieces=goods.pieces,
                due_minor=due_minor(row.total_minor, row.shipping_minor, goods),
            )
    return found


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
