"""Large reads and writes in bounded pieces: keyset pages instead of OFFSET, chunks instead of endless IN lists.

A page is read whole before it is handed on, so memory is bounded by the page and no result stays open on the
connection. Rows must be consumed within the transaction.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, or_

PAGE = 2000
CHUNK = 500
DOCUMENTS = 500
"""Rows of a page where a row holds the evidence of both sides: as JSON and unfolded a page of `PAGE` is 10 MB and more."""

T = TypeVar("T")


def paged(
    connection: Connection, statement: Select[Any], keys: Sequence[ColumnElement[Any]], page: int = PAGE
) -> Iterator[Row[Any]]:
    """Yield the rows of `statement` ordered by `keys`, which must be selected and identify a row."""
    ordered = statement.order_by(*keys).limit(page)
    current = ordered
    while True:
        rows = connection.execute(current).all()
        yield from rows
        if len(rows) < page:
            return
        last = rows[-1]._mapping  # noqa: SLF001 - SQLAlchemy's public name for it
        current = ordered.where(_after(keys, [last[key] for key in keys]))


def chunked(items: Iterable[T], size: int = CHUNK) -> Iterator[Sequence[T]]:
    """Yield `items` in pieces of at most `size`."""
    left = iter(items)
    while some := list(islice(left, size)):
        yield some


def _after(keys: Sequence[ColumnElement[Any]], values: Sequence[Any]) -> ColumnElement[bool]:
    """Return the condition "comes after `values`", spelt out: MySQL does not use an index for (a, b) > (x, y)."""
    condition: ColumnElement[bool] = keys[-1] > values[-1]
    for key, value in zip(reversed(keys[:-1]), reversed(values[:-1]), strict=True):
        condition = or_(key > value, and_(key == value, condition))
    # Implied by the rest, and the only part that the optimiser turns into a range of the index.
    return and_(keys[0] >= values[0], condition)
