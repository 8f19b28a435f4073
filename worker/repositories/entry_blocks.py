"""Book entries in bulk: blocks of CSV text that the server makes, for engines that read text faster than rows.

A driver in Python turns some eighty thousand rows a second into objects; a block of ten thousand rows is one value to
it. The text goes over the same pooled, verified connection as everything else. Every text is quoted, so nothing that
an outside system chose can end a field; the row count beside each block shows whether it came whole.
"""

from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, Select, String, and_, func, or_, select
from sqlalchemy.dialects.mysql import BINARY
from sqlalchemy.sql.expression import cast

from worker.repositories.schema import BOOK_ENTRIES
from worker.services.ports.lake import ENTRY_COLUMNS, EntryBlock

ROWS = 10_000
"""Rows of a block: at their longest 12 MB, below the server's smallest packet."""
SPARSE = 8
"""A table of which we want less than one row in so many is read by its index of times, not by its primary key."""

_TABLE = BOOK_ENTRIES.c


def entry_blocks(
    connection: Connection, shop: str, provider: str, start: datetime, end: datetime, rows: int = ROWS
) -> Iterator[EntryBlock]:
    """Yield the book entries of [start, end), unordered."""
    wanted = and_(
        _TABLE.shop == shop, _TABLE.provider == provider, _TABLE.occurred_at >= start, _TABLE.occurred_at < end
    )
    bounds = select(func.count(), func.min(_TABLE.entry_id), func.max(_TABLE.entry_id)).where(wanted)
    count, first, last = connection.execute(bounds).one()
    if not count:
        return
    if last - first + 1 <= count * SPARSE:
        step = max(1, (last - first + 1) * rows // count)
        for low in range(first, last + 1, step):
            part = and_(_TABLE.entry_id >= low, _TABLE.entry_id < low + step, wanted)
            yield from _block(connection, select(BOOK_ENTRIES).where(part))
        return
    after: tuple[datetime, str, str] | None = None
    while True:
        page = select(BOOK_ENTRIES).where(wanted if after is None else and_(wanted, _beyond(after)))
        page = page.order_by(_TABLE.occurred_at, _TABLE.reference, _TABLE.kind).limit(rows)
        found = list(_block(connection, page))
        yield from found
        if not found or found[0].rows < rows:
            return
        edge = page.with_only_columns(_TABLE.occurred_at, _TABLE.reference, _TABLE.kind).offset(rows - 1).limit(1)
        after = tuple(connection.execute(edge).one())


def count_entries(connection: Connection, shop: str, provider: str, start: datetime, end: datetime) -> int:
    """Return how many entries [start, end) holds."""
    wanted = (_TABLE.shop == shop, _TABLE.provider == provider, _TABLE.occurred_at >= start, _TABLE.occurred_at < end)
    return int(connection.execute(select(func.count()).select_from(BOOK_ENTRIES).where(*wanted)).scalar_one())


def _block(connection: Connection, rows: Select[tuple[object, ...]]) -> Iterator[EntryBlock]:
    page = rows.subquery()
    fields: list[ColumnElement[str]] = []
    for name in ENTRY_COLUMNS:
        column = page.c[name]
        text = isinstance(column.type, String)
        fields.append(func.concat('"', func.replace(column, '"', '""'), '"') if text else column)
    line = func.concat_ws(",", *fields)
    made = select(func.count(), cast(func.group_concat(line.op("SEPARATOR")("\n")), BINARY)).select_from(page)
    count, content = connection.execute(made).one()
    if count:
        yield EntryBlock(rows=count, csv=bytes(content))


def _beyond(after: tuple[datetime, str, str]) -> ColumnElement[bool]:
    at, reference, kind = after
    same = _TABLE.occurred_at == at
    return and_(
        _TABLE.occurred_at >= at,
        or_(
            _TABLE.occurred_at > at,
            and_(same, _TABLE.reference > reference),
            and_(same, _TABLE.reference == reference, _TABLE.kind > kind),
        ),
    )
