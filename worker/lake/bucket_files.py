"""The Parquet files of buckets, however many there are, each row written to Parquet once and in groups worth reading.

A group of few rows costs whoever reads it nearly as much as one of many, and what a file holds in memory until it is closed
grows with its groups. So rows wait, shelf by shelf: a plain stream of the rows of some buckets that follow each other, in
pieces that lie bucket by bucket. A shelf is small enough for its buckets to become Parquet side by side, and its pieces are
few enough to cost nothing, which those of a hundred buckets each in a stream of its own are not.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from worker.lake.engine import ROW_GROUP

SHELF = 10
"""Buckets of a shelf."""
AT_ONCE = 50_000
"""Rows of a shelf that become Parquet together."""
_REPEATING = frozenset(("customer_minor", "payout_at"))
"""Columns that are no dictionaries and are written as one."""
_COMPRESSION = "none"
"""What repeats is a dictionary already, and ids and amounts hardly ever do: to compress them took half of the writing for a
third of the room, and each step that reads them would undo it."""


class BucketFiles:
    """Files in a folder, one a bucket."""

    def __init__(self, folder: Path, schema: pa.Schema, buckets: int, pool: Executor) -> None:
        """`pool` does what is left to do at the end."""
        self._folder = folder
        self._schema = schema
        self._pool = pool
        self._shelves: dict[int, _Shelf] = {}

    def add(self, rows: pa.RecordBatch, counts: Sequence[tuple[int, int]]) -> None:
        """Take rows that lie bucket by bucket, ascending; `counts` says how many are of each bucket that has some."""
        shelves: dict[int, list[tuple[int, int]]] = {}
        for bucket, count in counts:
            shelves.setdefault(bucket // SHELF, []).append((bucket, count))
        at = 0
        for number, those in shelves.items():
            count = sum(count for _, count in those)
            if number not in self._shelves:
                self._shelves[number] = _Shelf(self._folder / f"shelf-{number:03d}.arrows", self._schema)
            self._shelves[number].add(rows.slice(at, count), those)
            at += count

    def close(self) -> list[tuple[int, Path]]:
        """Finish the files; return them, each with its bucket: of no rows at all an empty one."""
        made = [file for files in self._pool.map(self._become_parquet, self._shelves.values()) for file in files]
        if made:
            return sorted(made)
        _parquet(self._path(0), self._schema).close()
        return [(0, self._path(0))]

    def _become_parquet(self, shelf: "_Shelf") -> list[tuple[int, Path]]:
        files: dict[int, pq.ParquetWriter] = {}
        for bucket, rows in shelf.taken(AT_ONCE):
            if bucket not in files:
                files[bucket] = _parquet(self._path(bucket), self._schema)
            files[bucket].write_table(rows, ROW_GROUP)
        for file in files.values():
            file.close()
        return [(bucket, self._path(bucket)) for bucket in files]

    def _path(self, bucket: int) -> Path:
        return self._folder / f"bucket-{bucket:03d}.parquet"


class _Shelf:
    """Rows of some buckets, in a stream on disk."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._path = path
        self._stream = pa.ipc.new_stream(str(path), schema)
        self._counts: list[list[tuple[int, int]]] = []
        """Of each piece, how many of its rows are of which bucket, one after the other."""

    def add(self, rows: pa.RecordBatch, counts: list[tuple[int, int]]) -> None:
        """Put a piece onto it."""
        self._stream.write_batch(rows)
        self._counts.append(counts)

    def taken(self, at_once: int) -> Iterator[tuple[int, pa.Table]]:
        """Yield its rows, of one bucket at a time; about so many are in memory. Nothing is left of it then."""
        self._stream.close()
        with pa.ipc.open_stream(str(self._path)) as stream:
            held: list[tuple[pa.RecordBatch, list[tuple[int, int]]]] = []
            for rows, counts in zip(stream, self._counts, strict=True):
                held.append((rows, counts))
                if sum(some.num_rows for some, _ in held) >= at_once:
                    yield from _by_bucket(held)
                    held = []
            if held:
                yield from _by_bucket(held)
        self._path.unlink()


def _by_bucket(held: list[tuple[pa.RecordBatch, list[tuple[int, int]]]]) -> Iterator[tuple[int, pa.Table]]:
    pieces = pa.Table.from_batches([rows for rows, _ in held]).unify_dictionaries().to_batches()
    found: dict[int, list[pa.RecordBatch]] = {}
    for rows, (_, counts) in zip(pieces, held, strict=True):
        at = 0
        for bucket, count in counts:
            found.setdefault(bucket, []).append(rows.slice(at, count))
            at += count
    for bucket, some in found.items():
        yield bucket, pa.Table.from_batches(some).combine_chunks()


def _parquet(path: Path, schema: pa.Schema) -> pq.ParquetWriter:
    return pq.ParquetWriter(
        path,
        schema,
        use_dictionary=[field.name for field in schema if _repeats(field)],
        compression=_COMPRESSION,
        # Nobody asks for them, and they stay in memory until the file is closed, for every column of every group.
        write_statistics=False,
        store_schema=False,  # texts come back as texts
    )


def _repeats(field: pa.Field) -> bool:
    return pa.types.is_dictionary(field.type) or field.name in _REPEATING
