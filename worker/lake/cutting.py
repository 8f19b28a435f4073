"""Rows cut into buckets by the hash of a name, each bucket a Parquet file of its own.

The engine could cut by itself, but makes a record of every row for it and columns of it again, which takes several times
as long as everything here. It is asked for the hashes alone: they are what both sides of a comparison share.
"""

from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from worker.lake.bucket_files import BucketFiles
from worker.lake.engine import Engine
from worker.lake.tally import COUNTED, Tally

HELD = 50_000
"""Rows that wait for their files, of all buckets together."""
CODED = frozenset(
    ("shop", "provider", "kind", "currency", "payout_id", "type_text", "method", "country", "customer_currency")
)
"""Columns of texts that repeat few values: they come and are written as a dictionary. Of others one only costs time."""


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
        folder = opened.folder / into
        folder.mkdir()
        self._schema = coded_schema(schema)
        self._files = BucketFiles(folder, self._schema, buckets, pool)
        self._buckets = buckets
        self._tally = tally
        counted = f", hash({COUNTED}) as counted" if tally else ""
        self._hashes = f"select hash({name}) % {buckets} as bucket, row_number{counted} from cut_rows"  # noqa: S608 - our own names
        self._connection = opened.connection.cursor()
        self._pool = pool
        self._held: list[pa.RecordBatch] = []
        self._writing: Future[None] | None = None

    def add(self, rows: pa.RecordBatch) -> None:
        """Take rows, as `coded_schema` has them."""
        self._held.append(rows)
        if sum(some.num_rows for some in self._held) >= HELD:
            self._write()

    def close(self) -> list[tuple[int, Path]]:
        """Finish the files; return them, each with its bucket: of no rows at all an empty one."""
        self._write()
        self._written()
        self._connection.close()
        return self._files.close()

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
            self._files.add(rows, [(0, rows.num_rows)])
            return
        buckets, order = self._by_bucket(rows)
        counts = [(count["values"], count["counts"]) for count in pc.value_counts(buckets).to_pylist()]
        rows = rows.take(order)  # which are not held twice from here on
        self._files.add(rows, counts)

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
