"""The Parquet files of buckets, written side by side however many there are.

A Parquet file holds in memory, until it is closed, where each column of each of its groups begins; and a group of few rows
costs whoever reads it nearly as much as one of many. So the rows of very many buckets wait in plain streams, of which nothing
stays in memory, and become Parquet bucket after bucket, in groups of full size.
"""

from collections.abc import Iterator
from concurrent.futures import Executor
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from worker.lake.engine import ROW_GROUP

SIDE_BY_SIDE = 32
"""Buckets up to which their files are written at once."""
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
        self._streamed = buckets > SIDE_BY_SIDE
        self._files: dict[int, pq.ParquetWriter] = {}
        self._streams: dict[int, pa.ipc.RecordBatchStreamWriter] = {}

    def add(self, bucket: int, rows: pa.RecordBatch) -> None:
        """Write rows of a bucket."""
        if self._streamed:
            if bucket not in self._streams:
                self._streams[bucket] = pa.ipc.new_stream(self._waiting(bucket), self._schema)
            self._streams[bucket].write_batch(rows)
            return
        if bucket not in self._files:
            self._files[bucket] = _parquet(self._path(bucket), self._schema)
        self._files[bucket].write_table(pa.Table.from_batches([rows]), ROW_GROUP)

    def close(self) -> list[tuple[int, Path]]:
        """Finish the files; return them, each with its bucket: of no rows at all an empty one."""
        for stream in self._streams.values():
            stream.close()
        list(self._pool.map(self._become_parquet, self._streams))
        if not self._streams and not self._files:
            self._files[0] = _parquet(self._path(0), self._schema)
        for file in self._files.values():
            file.close()
        return [(bucket, self._path(bucket)) for bucket in sorted({*self._streams, *self._files})]

    def _become_parquet(self, bucket: int) -> None:
        waiting = self._waiting(bucket)
        with pa.ipc.open_stream(waiting) as stream, _parquet(self._path(bucket), self._schema) as file:
            for group in _groups(stream):
                file.write_table(group, ROW_GROUP)
        Path(waiting).unlink()

    def _path(self, bucket: int) -> Path:
        return self._folder / f"bucket-{bucket:03d}.parquet"

    def _waiting(self, bucket: int) -> str:
        return str(self._path(bucket).with_suffix(".arrows"))


def _groups(stream: pa.ipc.RecordBatchStreamReader) -> Iterator[pa.Table]:
    """Yield the rows of a stream, about as many at a time as a group has."""
    held: list[pa.RecordBatch] = []
    for rows in stream:
        held.append(rows)
        if sum(some.num_rows for some in held) >= ROW_GROUP:
            yield _together(held)
            held = []
    if held:
        yield _together(held)


def _together(held: list[pa.RecordBatch]) -> pa.Table:
    return pa.Table.from_batches(held).unify_dictionaries().combine_chunks()


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
