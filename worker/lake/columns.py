"""Records as columns: a frozen dataclass of primitives to an Arrow table and back, without loss.

The columns are the fields of the class, so a field that is added is a column that is added; a table written before
reads as the field's default. Times are UTC without a zone inside the tables (Parquet and the engine know no other
way to keep microseconds and stay comparable) and aware outside of them.
"""

import dataclasses
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, date, datetime
from enum import Enum
from typing import Any, TypeVar

import pyarrow as pa

from worker.domain.ledger import Packed
from worker.domain.payment import BookEntry
from worker.services.ports.lake import ENTRY_COLUMNS

T = TypeVar("T")

MOMENT = pa.timestamp("us")
BATCH = 10_000
"""Records turned into columns at a time: memory stays that of one batch."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Column:
    name: str
    type: pa.DataType
    nullable: bool
    inward: Callable[[Any], Any] | None
    outward: Callable[[Any], Any] | None


def schema_of(record: type[Any]) -> pa.Schema:
    """Return the columns of a dataclass. Raises TypeError for a field that is no primitive."""
    return pa.schema([pa.field(column.name, column.type, column.nullable) for column in _columns(record)])


def batches_of(record: type[T], items: Iterable[T]) -> Iterator[pa.RecordBatch]:
    """Yield the items as record batches of `schema_of(record)`."""
    schema, columns = schema_of(record), _columns(record)
    some: list[T] = []
    for item in items:
        some.append(item)
        if len(some) == BATCH:
            yield _batch(schema, columns, some)
            some = []
    if some:
        yield _batch(schema, columns, some)


def items_of(record: type[T], table: pa.Table | pa.RecordBatch) -> list[T]:
    """Return the records of a table; columns that the class does not know are left out, missing ones are defaults."""
    known = [column for column in _columns(record) if column.name in table.schema.names]
    values = []
    for column in known:
        found = table.column(column.name).to_pylist()
        values.append([column.outward(each) for each in found] if column.outward else found)
    names = [column.name for column in known]
    return [record(**dict(zip(names, row, strict=True))) for row in zip(*values, strict=True)]


def _batch(schema: pa.Schema, columns: tuple[_Column, ...], items: list[Any]) -> pa.RecordBatch:
    arrays = []
    for column in columns:
        values = [getattr(item, column.name) for item in items]
        if column.inward:
            values = [column.inward(value) for value in values]
        arrays.append(pa.array(values, column.type))
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _columns(record: type[Any]) -> tuple[_Column, ...]:
    known = _KNOWN.get(record)
    if known is None:
        hints = typing.get_type_hints(record)
        known = tuple(_column(field.name, hints[field.name]) for field in dataclasses.fields(record))
        _KNOWN[record] = known
    return known


_KNOWN: dict[type[Any], tuple[_Column, ...]] = {}


def _column(name: str, hint: Any) -> _Column:
    nullable = isinstance(hint, types.UnionType) and types.NoneType in typing.get_args(hint)
    kind = next(each for each in typing.get_args(hint) if each is not types.NoneType) if nullable else hint
    if kind is datetime:
        return _Column(name, MOMENT, nullable, *((_optional(naive), _optional(aware)) if nullable else (naive, aware)))
    if kind is date:
        return _Column(name, pa.date32(), nullable, None, None)
    if kind is bool:
        return _Column(name, pa.bool_(), nullable, None, None)
    if kind is int:
        return _Column(name, pa.int64(), nullable, None, None)
    if kind is str:
        return _Column(name, pa.string(), nullable, None, None)
    if kind == tuple[str, ...]:
        return _Column(name, pa.list_(pa.string()), nullable, list, tuple)
    if kind == tuple[Packed, ...]:
        return _Column(name, pa.list_(pa.string()), nullable, _packed_as_texts, _texts_as_packed)
    if typing.get_origin(kind) is Mapping:
        return _counts(name, kind, nullable)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return _Column(name, pa.string(), nullable, *((_optional(str), _optional(kind)) if nullable else (str, kind)))
    raise TypeError(f"{name}: {hint} is no column")


def _counts(name: str, hint: Any, nullable: bool) -> _Column:
    word, number = typing.get_args(hint)
    if not (isinstance(word, type) and issubclass(word, Enum)) or number is not int:
        raise TypeError(f"{name}: {hint} is no column")
    return _Column(
        name,
        pa.map_(pa.string(), pa.int64()),
        nullable,
        lambda counts: sorted((str(key), value) for key, value in counts.items()),
        lambda pairs: {word(key): value for key, value in pairs},
    )


def _packed_as_texts(contents: Iterable[Packed]) -> list[str]:
    return [f"{packed.quantity} {packed.line} {packed.sku}" for packed in contents]


def _texts_as_packed(texts: Iterable[str]) -> tuple[Packed, ...]:
    # An SKU may have spaces in it: it comes last.
    parts = (text.split(" ", 2) for text in texts)
    return tuple(Packed(quantity=int(quantity), line=int(line), sku=sku) for quantity, line, sku in parts)


def naive(moment: datetime) -> datetime:
    """Return an aware time as the tables keep it. Raises ValueError for one without a zone."""
    if moment.tzinfo is None:
        raise ValueError("a time for the lake needs a zone")
    return moment.astimezone(UTC).replace(tzinfo=None)


def aware(moment: datetime) -> datetime:
    """Return a time of a table as UTC."""
    return moment.replace(tzinfo=UTC)


def _optional(change: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: None if value is None else change(value)


ENTRY_SCHEMA = pa.schema([schema_of(BookEntry).field(name) for name in ENTRY_COLUMNS])
"""Our movements as they come from the database."""
