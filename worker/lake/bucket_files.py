"""The Parquet files of buckets, each row written to Parquet once and in groups worth reading, however many buckets there are.

A group of few rows costs whoever reads it nearly as much as one of many, and a file holds in memory, until it is closed,
where each column of each of its groups begins. So the files of a few buckets are written as their rows come; of more, the
rows wait, shelf by shelf: a plain stream of the rows of some neighbouring buckets, in pieces that lie bucket by bucket.
Later a shelf's few files are written side by side. A stream for each of a hundred buckets would be a hundred small pieces
where ten do, and what a piece costs hardly depends on its rows.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from itertools import groupby
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from worker.lake.engine import ROW_GROUP

SIDE_BY_SIDE = 10
"""Buckets whose files are written at once, and so those of a shelf."""
AT_ONCE = 50_000
"""Rows of a shelf that become Parquet together, some 12 MB."""
_REPEATING = frozenset(("customer_minor", "payout_at"))
"""Columns that are no dictionaries and are written as one."""
_COMPRESSION = "none"
"""What repeats is a dictionary already, and ids and amounts hardly ever do: to compress them took half of the writing for a
third of the room, and each step that reads them would undo it."""

Counts = Sequence[tuple[int, int]]
"""Of rows that lie bucket by bucket, ascending: each bucket that has some, and how many."""


class BucketFiles:
    """Files in a folder, one a bucket."""

    def __init__(self, folder: Path, schema: pa.Schema, buckets: int, pool: Executor) -> None:
        """`pool` does what is left to do at the end."""
        self._folder = folder
        self._schema = schema
        self._pool = pool
        self._waits = buckets > SIDE_BY_SIDE
        self._shelves: dict[int, _Shelf] = {}
        self._files: dict[int, pq.ParquetWriter] = {}

    def add(self, rows: pa.RecordBatch, counts: Counts) -> None:
        """Take rows that lie bucket by bucket; `counts` tells of which buckets."""
        if not self._waits:
            for bucket, some in _parted(rows, counts):
                self._write(self._files, bucket, pa.Table.from_batches([some]))
            return
        at = 0
        for number, group in groupby(counts, lambda count: count[0] // SIDE_BY_SIDE):
            of_shelf = list(group)
            if number not in self._shelves:
                self._shelves[number] = _Shelf(self._folder / f"shelf-{number:03d}.arrows", self._schema)
            count = sum(count for _, count in of_shelf)
            self._shelves[number].add(rows.slice(at, count), of_shelf)
            at += count

    def close(self) -> list[tuple[int, Path]]:
        """Finish the files; return them, each with its bucket: of no rows at all an empty one."""
        made = [
            bucket for buckets in self._pool.map(self._become_parquet, self._shelves.values()) for bucket in buckets
        ]
        if not made and not self._files:
            self._files[0] = _parquet(self._path(0), self._schema)
        for file in self._files.values():
            file.close()
        return [(bucket, self._path(bucket)) for bucket in sorted({*made, *self._files})]

    def _become_parquet(self, shelf: "_Shelf") -> list[int]:
        files: dict[int, pq.ParquetWriter] = {}
        for bucket, rows in shelf.taken():
            self._write(files, bucket, rows)
        for file in files.values():
            file.close()
        return list(files)

    def _write(self, files: dict[int, pq.ParquetWriter], bucket: int, rows: pa.Table) -> None:
        if bucket not in files:
            files[bucket] = _parquet(self._path(bucket), self._schema)
        files[bucket].write_table(rows, ROW_GROUP)

    def _path(self, bucket: int) -> Path:
        return self._folder / f"bucket-{bucket:03d}.parquet"


class _Shelf:
    """Rows of some buckets, in a stream on disk."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._path = path
        self._stream = pa.ipc.new_stream(str(path), schema)
        self._counts: list[Counts] = []
        """Of each piece."""

    def add(self, rows: pa.RecordBatch, counts: Counts) -> None:
        """Put a piece onto it."""
        self._stream.write_batch(rows)
        self._counts.append(counts)

    def taken(self) -> Iterator[tuple[int, pa.Table]]:
        """Yield all rows, those of one bucket at a time, about AT_ONCE in memory; then the shelf is gone."""
        self._stream.close()
        # Opened by its name it would be mapped, and all of it that was read count as memory until the end.
        with pa.OSFile(str(self._path)) as file, pa.ipc.open_stream(file) as stream:
            held: list[pa.RecordBatch] = []
            since = 0
            for number, rows in enumerate(stream, 1):
                held.append(rows)
                if sum(some.num_rows for some in held) >= AT_ONCE or number == len(self._counts):
                    yield from _by_bucket(held, self._counts[since:number])
                    held, since = [], number
        self._path.unlink()


def _by_bucket(pieces: list[pa.RecordBatch], counts: list[Counts]) -> Iterator[tuple[int, pa.Table]]:
    alike = pa.Table.from_batches(pieces).unify_dictionaries().to_batches()
    found: defaultdict[int, list[pa.RecordBatch]] = defaultdict(list)
    for rows, of_rows in zip(alike, counts, strict=True):
        for bucket, some in _parted(rows, of_rows):
            found[bucket].append(some)
    for bucket, some in found.items():
        yield bucket, pa.Table.from_batches(some).combine_chunks()


def _parted(rows: pa.RecordBatch, counts: Counts) -> Iterator[tuple[int, pa.RecordBatch]]:
    at = 0
    for bucket, count in counts:
        yield bucket, rows.slice(at, count)
        at += count


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
