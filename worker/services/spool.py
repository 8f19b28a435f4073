"""What a run found, however much that is: items in one order, at the memory of about a thousand of them.

Up to `HELD` items stay where they are. Beyond that they go, sorted, into a file without a name, which is gone with the
spool, and are merged whenever the spool is read. Whoever reads holds `AT_ONCE` items of each stretch of that file.
"""

import copyreg
import heapq
import io
import os
import pickle
import tempfile
import weakref
from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields
from itertools import chain, islice
from operator import attrgetter
from typing import IO, Any, Generic, TypeVar

from worker.domain.audit import AuditRecord
from worker.domain.finding import Break, Fact, Finding, Settlement
from worker.services.ports import BreakAction

T = TypeVar("T")

HELD = 1_000
"""Items in memory. With the evidence of both sides, one has about 4 KB."""
AT_ONCE = 32
WIDE = 16
"""Stretches that are merged at a time: more of them become one."""
_SIZE = 8


class Spool(Generic[T]):
    """Items by a key, or as they came; added to first, read as often as wanted afterwards."""

    def __init__(self, items: Iterable[T] = (), *, key: Callable[[T], Any] | None = None) -> None:
        self._key = key
        self._held: list[T] = []
        self._total = 0
        self._file: IO[bytes] | None = None
        self._stretches: list[list[tuple[int, int]]] = []
        """Where each begins and ends, by how often it was merged."""
        self.extend(items)

    def add(self, item: T) -> None:
        """Add one item; where keys are equal, those added first come first."""
        self._held.append(item)
        self._total += 1
        if len(self._held) >= HELD:
            self._put(self._in_order(), 0)
            self._held = []

    def extend(self, items: Iterable[T]) -> None:
        """Add items, one after the other."""
        for item in items:
            self.add(item)

    def __len__(self) -> int:
        """Return how many there are."""
        return self._total

    def __iter__(self) -> Iterator[T]:
        """Return the items in their order. Several may read at once."""
        return self._merged([*self._read(), self._in_order()])

    def __getitem__(self, some: slice) -> list[T]:
        """Return the items of a slice, which should be near the beginning: what is before it is read, too."""
        return list(islice(self, some.start, some.stop, some.step))

    def __eq__(self, other: object) -> bool:
        """Tell whether another spool holds equal items in the same order."""
        if not isinstance(other, Spool):
            return NotImplemented
        return len(self) == len(other) and all(mine == its for mine, its in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]  # as of everything that changes

    def _in_order(self) -> list[T]:
        return self._held if self._key is None else sorted(self._held, key=self._key)

    def _merged(self, stretches: Iterable[Iterable[T]]) -> Iterator[T]:
        return iter(chain(*stretches)) if self._key is None else heapq.merge(*stretches, key=self._key)

    def _put(self, items: Iterable[T], merged: int) -> None:
        """Write a stretch; as soon as there are many that were merged as often, make them one."""
        if self._file is None:
            self._file = tempfile.TemporaryFile(prefix="orders-spool-")  # noqa: SIM115 - open as long as the spool lives
            weakref.finalize(self, self._file.close)
        begin = self._file.seek(0, os.SEEK_END)
        left = iter(items)
        while some := list(islice(left, AT_ONCE)):
            # Together: names of classes and texts that come again are written once.
            content = _pickled(some)
            self._file.write(len(content).to_bytes(_SIZE))
            self._file.write(content)
        self._file.flush()
        if merged == len(self._stretches):
            self._stretches.append([])
        alike = self._stretches[merged]
        alike.append((begin, self._file.tell()))
        if self._key is not None and len(alike) == WIDE:
            self._put(self._merged(map(self._stretch, alike.copy())), merged + 1)
            alike.clear()

    def _read(self) -> list[Iterator[T]]:
        """Return the stretches, oldest items first."""
        return [self._stretch(place) for alike in reversed(self._stretches) for place in alike]

    def _stretch(self, place: tuple[int, int]) -> Iterator[T]:
        at, end = place
        while self._file is not None and at < end:
            size = int.from_bytes(os.pread(self._file.fileno(), _SIZE, at))
            yield from pickle.loads(os.pread(self._file.fileno(), size, at + _SIZE))  # noqa: S301 - a file of ours alone
            at += _SIZE + size


def _pickled(items: list[Any]) -> bytes:
    written = io.BytesIO()
    pickler = pickle.Pickler(written, pickle.HIGHEST_PROTOCOL)
    pickler.dispatch_table = _REDUCERS
    pickler.dump(items)
    return written.getvalue()


def _reducer(kind: type[Any]) -> Callable[[Any], tuple[Any, ...]]:
    """Return how a record is taken apart: as a dataclass does it, it would take twice as long, both ways."""
    values = attrgetter(*(one.name for one in fields(kind)))
    return lambda record: (_revived, (kind, values(record)))


def _revived(kind: type[Any], values: tuple[Any, ...]) -> Any:
    record = object.__new__(kind)
    for put, value in zip(_SETTERS[kind], values, strict=True):
        put(record, value)
    return record


_RECORDS: tuple[type[Any], ...] = (AuditRecord, Break, BreakAction, Fact, Finding, Settlement)
_SETTERS = {kind: [vars(kind)[one.name].__set__ for one in fields(kind)] for kind in _RECORDS}
"""A frozen record is put together by way of its slots."""
_REDUCERS: dict[type[Any], Callable[[Any], Any]] = {
    **copyreg.dispatch_table,
    **{kind: _reducer(kind) for kind in _RECORDS},
}


class Mapped(Generic[T]):
    """A spool of which each item is made into something when it is read."""

    def __init__(self, spool: Spool[Any], make: Callable[[Any], T]) -> None:
        self._spool = spool
        self._make = make

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._spool)

    def __iter__(self) -> Iterator[T]:
        """Return what is made of each, in their order."""
        return map(self._make, self._spool)

    def __getitem__(self, some: slice) -> list[T]:
        """Return what is made of a slice near the beginning."""
        return list(map(self._make, self._spool[some]))

    def __eq__(self, other: object) -> bool:
        """Tell whether another makes equal things in the same order."""
        if not isinstance(other, Mapped):
            return NotImplemented
        return len(self) == len(other) and all(mine == its for mine, its in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]
