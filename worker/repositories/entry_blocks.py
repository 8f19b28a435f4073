"""Book entries in bulk: blocks of text that the server makes, for engines that read text faster than rows.

A driver in Python turns some eighty thousand rows a second into objects; a block of ten thousand rows is one value to
it. The text goes over the same pooled, verified connection as everything else. The row count beside each block shows
whether it came whole. Fields are parted by a character that no honest text holds; a block that has more of it than rows
and fields account for is asked for again with every text quoted, so nothing that an outside system chose can end a field.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    Select,
    String,
    and_,
    bindparam,
    func,
    or_,
    select,
    union_all,
)
from sqlalchemy.dialects.mysql import BINARY
from sqlalchemy.sql.expression import cast

from worker.repositories.schema import BOOK_ENTRIES
from worker.services.ports.lake import FIELD_END, TEXT_COLUMNS, EntryBlock

ROWS = 10_000
"""Rows of a block: at their longest 12 MB, below the server's smallest packet."""
SPARSE = 8
"""A table of which we want less than one row in so many is read by its index of times, not by its primary key."""
PROBES, MOST = 32, 2
"""Into how many rows of the table we look; one of so many must be wanted for the table to be read from end to end."""

_TABLE = BOOK_ENTRIES.c


def entry_blocks(
    connection: Connection, shop: str, provider: str, start: datetime, end: datetime, rows: int = ROWS
) -> Iterator[EntryBlock]:
    """Yield the book entries of [start, end), unordered."""
    wanted = and_(
        _TABLE.shop == shop, _TABLE.provider == provider, _TABLE.occurred_at >= start, _TABLE.occurred_at < end
    )
    empty = EntryBlock(shop=shop, provider=provider, rows=0, text=b"")
    whole = _mostly(connection, wanted)
    if whole is not None:
        yield from _ranges(connection, *whole, rows, wanted, empty)
        return
    bounds = select(func.count(), func.min(_TABLE.entry_id), func.max(_TABLE.entry_id)).where(wanted)
    count, first, last = connection.execute(bounds).one()
    if not count:
        return
    if last - first + 1 <= count * SPARSE:
        step = max(1, (last - first + 1) * rows // count)
        yield from _ranges(connection, first, last, step, wanted, empty)
        return
    after: tuple[datetime, str, str] | None = None
    while True:
        page = select(BOOK_ENTRIES).where(wanted if after is None else and_(wanted, _beyond(after)))
        page = page.order_by(_TABLE.occurred_at, _TABLE.reference, _TABLE.kind).limit(rows)
        found = list(_block(connection, _texts_of(page.subquery()), empty))
        yield from found
        if not found or found[0].rows < rows:
            return
        edge = page.with_only_columns(_TABLE.occurred_at, _TABLE.reference, _TABLE.kind).offset(rows - 1).limit(1)
        after = tuple(connection.execute(edge).one())


def _mostly(connection: Connection, wanted: ColumnElement[bool]) -> tuple[int, int] | None:
    """Return the first and last id of the table where most of it is wanted, else None.

    A look at some rows tells: counting what is wanted takes a third of the time that reading it does.
    """
    first, last = connection.execute(select(func.min(_TABLE.entry_id), func.max(_TABLE.entry_id))).one()
    if first is None:
        return None
    places = sorted({first + (last - first) * number // PROBES for number in range(PROBES + 1)})
    probes = [select(_TABLE.entry_id).where(_TABLE.entry_id >= at).order_by(_TABLE.entry_id).limit(1) for at in places]
    near = union_all(*(select(probe.subquery().c.entry_id) for probe in probes)).subquery()
    found = select(func.count()).select_from(near.join(BOOK_ENTRIES, _TABLE.entry_id == near.c.entry_id)).where(wanted)
    return (first, last) if connection.execute(found).scalar_one() * MOST >= len(places) else None


def _ranges(
    connection: Connection, first: int, last: int, step: int, wanted: ColumnElement[bool], empty: EntryBlock
) -> Iterator[EntryBlock]:
    part = and_(_TABLE.entry_id >= bindparam("low"), _TABLE.entry_id < bindparam("high"), wanted)
    # Left alone, the optimiser would now and then go through another index to each row. Said once for all blocks: to put
    # such a statement together takes a third of the time that its answer does.
    texts = _Texts(
        *(text.with_hint(BOOK_ENTRIES, "FORCE INDEX (PRIMARY)").where(part) for text in _texts_of(BOOK_ENTRIES))
    )
    for low in range(first, last + 1, step):
        yield from _block(connection, texts, empty, low=low, high=low + step)


class _Texts(NamedTuple):
    """The statements for how many rows there are and their text: without a quote, and with every text quoted."""

    bare: Select[int, bytes]
    quoted: Select[int, bytes]


def _block(connection: Connection, texts: _Texts, empty: EntryBlock, **bounds: int) -> Iterator[EntryBlock]:
    count, text = asked(connection, texts.bare, bounds)
    if not count:
        return
    # Exactly as many as there are fields and rows: then none of them stands within a text.
    if (
        text.count(FIELD_END) == count * (len(TEXT_COLUMNS) - 1)
        and text.count(b"\n") == count - 1
        and b"\r" not in text
    ):
        yield replace(empty, rows=count, text=text, quoted=False)
        return
    count, text = asked(connection, texts.quoted, bounds)
    yield replace(empty, rows=count, text=text)


def asked(connection: Connection, text: Select[int, bytes], bounds: Mapping[str, int]) -> tuple[int, bytes]:
    """Return how many rows there are, and their text."""
    count, content = connection.execute(text, bounds).one()
    return count, content or b""


def _texts_of(rows: FromClause) -> _Texts:
    def text(field: Callable[[ColumnElement[Any]], ColumnElement[Any]], between: bytes) -> Select[int, bytes]:
        line = func.concat_ws(between, *(field(rows.c[name]) for name in TEXT_COLUMNS))
        return select(func.count(), cast(func.group_concat(line.op("SEPARATOR")("\n")), BINARY)).select_from(rows)

    return _Texts(text(_bare, FIELD_END), text(_quoted, b","))


def _bare(column: ColumnElement[Any]) -> ColumnElement[Any]:
    # As bytes: the server would otherwise weigh character sets field by field.
    return cast(column, BINARY) if isinstance(column.type, String) else column


def _quoted(column: ColumnElement[Any]) -> ColumnElement[Any]:
    text = isinstance(column.type, String)
    return func.concat('"', func.replace(column, '"', '""'), '"') if text else column


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
