"""Rows cut into buckets by the hash of a name, each bucket a Parquet file of its own.

The engine could cut by itself, but makes a record of every row for it and columns of it again, which takes several times
as long as everything here. It is asked for the hashes alone: they are what both sides of a comparison share.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

ROW_GROUP = 50_000
"""Rows in a group of a Parquet file, at most: what a reader holds at a time."""
HELD = 160_000
"""Rows that wait for their files, of all buckets together: with many buckets groups become small, memory does not grow."""
CODED = frozenset(
    ("shop", "provider", "kind", "currency", "payout_id", "type_text", "method", "country", "customer_currency")
)
"""Columns of texts that repeat few values: they come and are written as a dictionary. Of others one only costs time."""
REPEATING = CODED | {"customer_minor", "payout_at"}

Bucketed = Sequence[tuple[int, pa.RecordBatch]]


def coded_schema(schema: pa.Schema) -> pa.Schema:
    """Return the schema of rows on their way to a file."""
    kinds = [pa.dictionary(pa.int32(), field.type) if field.name in CODED else field.type for field in schema]
    return pa.schema([field.with_type(kind) for field, kind in zip(schema, kinds, strict=True)])


def coded(rows: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """Return rows as `coded_schema` has them."""
    columns = [
        column.dictionary_encode() if pa.types.is_dictionary(field.type) else column
        for column, field in zip(rows.columns, schema, strict=True)
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def bucketed(connection: duckdb.DuckDBPyConnection, rows: pa.RecordBatch, name: str, buckets: int) -> Bucketed:
    """Return rows by their bucket: that of the hash of `name`, an SQL expression over their columns."""
    if buckets == 1:
        return [(0, rows)]
    # Each row with its number: no order of the engine's is relied on.
    numbered = rows.append_column("row_number", pa.arange(0, rows.num_rows))
    with connection.cursor() as own:
        own.register("cut_rows", pa.RecordBatchReader.from_batches(numbered.schema, [numbered]))
        found = own.sql(
            f"select bucket, row_number from (select hash({name}) % {buckets} as bucket, row_number from cut_rows) "  # noqa: S608 - our own names
            "order by bucket, row_number"
        ).to_arrow_table()
    together = rows.take(found.column("row_number").combine_chunks())
    parted, at = [], 0
    for count in pc.value_counts(found.column("bucket")).to_pylist():
        parted.append((int(count["values"]), together.slice(at, count["counts"])))
        at += count["counts"]
    return parted


class Cutter:
    """Writes the files of one set of rows, into a folder of its own."""

    def __init__(self, folder: Path, schema: pa.Schema, pool: ThreadPoolExecutor) -> None:
        folder.mkdir()
        self._folder = folder
        self._schema = coded_schema(schema)
        self._pool = pool
        self._held: dict[int, list[pa.RecordBatch]] = {}
        self._rows = 0
        self._writers: dict[int, pq.ParquetWriter] = {}

    def add(self, rows: Bucketed) -> None:
        """Take rows that know their buckets, as `coded_schema` has them."""
        for bucket, some in rows:
            self._held.setdefault(bucket, []).append(some)
            self._rows += some.num_rows
        if self._rows >= HELD:
            self._write()

    def close(self) -> list[tuple[int, Path]]:
        """Finish the files; return them, each with its bucket."""
        self._write()
        for writer in self._writers.values():
            writer.close()
        return [(bucket, self._path(bucket)) for bucket in sorted(self._writers)]

    def _write(self) -> None:
        held, self._held, self._rows = self._held, {}, 0
        for bucket in held.keys() - self._writers.keys():
            self._writers[bucket] = pq.ParquetWriter(
                self._path(bucket),
                self._schema,
                use_dictionary=sorted(REPEATING.intersection(self._schema.names)),
                store_schema=False,  # texts come back as texts
            )
        for _ in self._pool.map(self._group, held, held.values()):
            pass

    def _group(self, bucket: int, rows: list[pa.RecordBatch]) -> None:
        self._writers[bucket].write_table(pa.Table.from_batches(rows).unify_dictionaries(), ROW_GROUP)

    def _path(self, bucket: int) -> Path:
        return self._folder / f"bucket-{bucket:03d}.parquet"
