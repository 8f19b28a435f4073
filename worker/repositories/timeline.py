"""Timelines of orders in MySQL: append-only, each entry once.

What happens in a transaction is gathered and written right before its commit, in one statement.
"""

from typing import Any

from sqlalchemy import Connection, Row, bindparam, select
from sqlalchemy.dialects.mysql import insert

from worker.domain.timeline import TimelineEntry
from worker.repositories.timeline_tables import ORDER_ENTRIES

_INSERT = insert(ORDER_ENTRIES)
# Told again it stays as it is. Not INSERT IGNORE, which would also swallow values that do not fit.
_ONCE = _INSERT.on_duplicate_key_update(entry_key=ORDER_ENTRIES.c.entry_key)
_OF_ORDER = (
    select(ORDER_ENTRIES)
    .where(ORDER_ENTRIES.c.shop == bindparam("of_shop"), ORDER_ENTRIES.c.order_id == bindparam("of_order"))
    .order_by(ORDER_ENTRIES.c.entry_id)
)


class MysqlTimelineStore:
    """Implements `TimelineStore`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._gathered: list[TimelineEntry] = []

    def add(self, entry: TimelineEntry) -> None:
        """Append an entry with this transaction; one whose key the order has is the same entry and stays as it was."""
        self._gathered.append(entry)

    def of_order(self, shop: str, order_id: str) -> list[TimelineEntry]:
        """Return the entries of an order, in the order in which they were learned."""
        rows = self._connection.execute(_OF_ORDER, {"of_shop": shop, "of_order": order_id})
        return [_entry(row) for row in rows]

    def write(self) -> None:
        """Write what was gathered."""
        if self._gathered:
            self._connection.execute(_ONCE, [_row(entry) for entry in self._gathered])
            self._gathered.clear()


def _row(entry: TimelineEntry) -> dict[str, Any]:
    return {
        "shop": entry.shop,
        "order_id": entry.order_id,
        "entry_key": entry.key,
        "kind": entry.kind,
        "happened_at": entry.at,
        "actor": entry.actor[:255],
        "sentence": entry.sentence,
        "amount_minor": entry.amount_minor,
        "currency": entry.currency,
        "note": entry.note,
    }


def _entry(row: Row[Any]) -> TimelineEntry:
    return TimelineEntry(
        shop=row.shop,
        order_id=row.order_id,
        key=row.entry_key,
        kind=row.kind,
        sentence=row.sentence,
        actor=row.actor,
        at=row.happened_at,
        amount_minor=row.amount_minor,
        currency=row.currency,
        note=row.note,
    )
