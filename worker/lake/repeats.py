"""Which of very many ids stand more than once: looked for among their hashes, share after share.

The hashes, eight bytes an id, go to one file as they come, and only those of one share are in memory at a time. An id is
looked at itself only where its hash came twice: hashes that are the same by chance cost a look and nothing else.
"""

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.compute as pc

SHARE = 1 << 14
"""About how many hashes are looked through at a time: so few that they stay close to the processor, as long as they can."""
_MOST_SHARES = 256
_BYTES = 8


class Repeats:
    """Takes the hashes of ids and finds those that came more than once."""

    def __init__(self, file: Path, about: int) -> None:
        """`file` is one of its own; `about` so many hashes will come."""
        self._file = file
        self._shares = min(1 << (about // SHARE).bit_length(), _MOST_SHARES)
        self._pieces: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
        """Of each share, where in the file some of it begin, and how many: in hashes."""
        self._written = 0

    def add(self, hashes: pa.UInt64Array) -> None:
        """Take some in."""
        share = pc.cast(pc.bit_wise_and(hashes, pa.scalar(self._shares - 1, hashes.type)), pa.uint8())
        order = pc.sort_indices(share)
        with self._file.open("ab") as file:
            file.write(hashes.take(order).buffers()[1])
        for piece in pc.value_counts(share.take(order)).to_pylist():
            self._pieces[piece["values"]].append((self._written, piece["counts"]))
            self._written += piece["counts"]

    def found(self) -> list[int]:
        """Return the hashes that came more than once."""
        if not self._pieces:
            return []
        with self._file.open("rb") as file:
            return [hash_ for pieces in self._pieces.values() for hash_ in _twice(_read(file, pieces))]


def _twice(hashes: pa.UInt64Array) -> list[int]:
    found = pc.value_counts(hashes)
    repeated: list[int] = found.field("values").filter(pc.greater(found.field("counts"), 1)).to_pylist()
    return repeated


def _read(file: BinaryIO, pieces: Iterable[tuple[int, int]]) -> pa.UInt64Array:
    found = bytearray()
    for begins, count in pieces:
        file.seek(begins * _BYTES)
        found += file.read(count * _BYTES)
    return pa.Array.from_buffers(pa.uint64(), len(found) // _BYTES, [None, pa.py_buffer(found)])
