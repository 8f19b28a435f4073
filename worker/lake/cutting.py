"""Rows cut into buckets by the hash of a name, each bucket a Parquet file of its own.

The engine could cut by itself, but makes a record of every row for it and columns of it again, which takes several times
as long as everything here. It is asked for the hashes alone: they are what both sides of a comparison share.
"""

from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from worker.lake.engine import ROW_GROUP, Engine
from worker.lake.tally import COUNTED, Tally

HELD, HELD_OF_BUCKET = 75_000, 2_500
"""Rows that wait for their files, of all buckets together and of each at least: what is the more, and no more memory."""
CODED = frozenset(
    ("shop", "provider", "kind", "currency", "payout_id", "type_text", "method", "country", "customer_currency")
)
"""Columns of texts that repeat few values: they come and are written as a dictionary. Of others one only costs time."""
REPEATING = CODED | {"customer_minor", "payout_at"}
_COMPRESSION = "none"
"""What repeats is a dictionary already, and ids and amounts hardly ever do: to compress them took half of the writing for a
third of the room, and each step that reads them would undo it."""


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


class Cutter:
    """Writes the files of one set of rows, into a folder of its own. Whatever it is given goes to disk on another thread."""

    def __init__(
        self,
        opened: Engine,
        into: str,
        schema: pa.Schema,
        name: str,
        buckets: int,
        pool: ThreadPoolExecutor,
        tally: Tally | None = None,
    ) -> None:
        """`name` is an SQL expression over the columns: rows of one name lie in one bucket. `tally` counts them."""
        self._folder = opened.folder / into
        self._folder.mkdir()
        self._schema = coded_schema(schema)
        self._buckets = buckets
        self._tally = tally
        counted = f", hash({COUNTED}) as counted" if tally else ""
        self._hashes = f"select hash({name}) % {buckets} as bucket, row_number{counted} from cut_rows"  # noqa: S608 - our own names
        self._connection = opened.connection.cursor()
        self._pool = pool
        self._most = max(HELD, HELD_OF_BUCKET * buckets)
        self._held: list[pa.RecordBatch] = []
        self._writing: Future[None] | None = None
        self._writers: dict[int, pq.ParquetWriter] = {}

    def add(self, rows: pa.RecordBatch) -> None:
        """Take rows, as `coded_schema` has them."""
        self._held.append(rows)
        if sum(some.num_rows for some in self._held) >= self._most:
            self._write()

    def close(self) -> list[tuple[int, Path]]:
        """Finish the files; return them, each with its bucket: of no rows at all an empty one."""
        self._write()
        self._written()
        if not self._writers:
            self._group(0, pa.RecordBatch.from_pylist([], self._schema))
        self._connection.close()
        for writer in self._writers.values():
            writer.close()
        return [(bucket, self._path(bucket)) for bucket in sorted(self._writers)]

    def _write(self) -> None:
        held, self._held = self._held, []
        self._written()
        if held:
            self._writing = self._pool.submit(self._groups, held)

    def _written(self) -> None:
        writing, self._writing = self._writing, None
        if writing is not None:
            writing.result()

    def _groups(self, held: list[pa.RecordBatch]) -> None:
        (rows,) = pa.Table.from_batches(held, self._schema).unify_dictionaries().combine_chunks().to_batches()
        held.clear()
        if self._buckets == 1 and self._tally is None:
            self._group(0, rows)
            return
        buckets, order = self._by_bucket(rows)
        rows, at = rows.take(order), 0  # which are not held twice from here on
        for count in pc.value_counts(buckets).to_pylist():
            self._group(count["values"], rows.slice(at, count["counts"]))
            at += count["counts"]

    def _by_bucket(self, rows: pa.RecordBatch) -> tuple[pa.Array, pa.Array]:
        """Return the buckets of the rows, ascending, and the places of the rows in this order."""
        # Each row with its number: no order of the engine's is relied on.
        numbered = rows.append_column("row_number", pa.arange(0, rows.num_rows))
        self._connection.register("cut_rows", pa.Table.from_batches([numbered]))
        found = self._connection.sql(self._hashes).to_arrow_table()
        self._connection.unregister("cut_rows")
        buckets, places = (found.column(name).combine_chunks() for name in ("bucket", "row_number"))
        if self._tally:
            self._tally.add(rows, found.column("counted").combine_chunks())
        order = pc.sort_indices(buckets)
        return buckets.take(order), places.take(order)

    def _group(self, bucket: int, rows: pa.RecordBatch) -> None:
        if bucket not in self._writers:
            self._writers[bucket] = pq.ParquetWriter(
                self._path(bucket),
                self._schema,
                use_dictionary=sorted(REPEATING.intersection(self._schema.names)),
                compression=_COMPRESSION,
                # Nobody asks for them, and they stay in memory until the file is closed, for every column of every group.
                write_statistics=False,
                store_schema=False,  # texts come back as texts
            )
        self._writers[bucket].write_table(pa.Table.from_batches([rows]), ROW_GROUP)

    def _path(self, bucket: int) -> Path:
        return self._folder / f"bucket-{bucket:03d}.parquet"
