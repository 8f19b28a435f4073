"""Our movements on their way into the lake: blocks of text become columns, while the database makes the next block."""

from collections.abc import Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pyarrow as pa
import pyarrow.csv as pc

from worker.domain.errors import InvalidInput
from worker.lake.columns import ENTRY_SCHEMA
from worker.lake.cutting import coded_schema
from worker.services.ports.lake import FIELD_END, TEXT_COLUMNS, EntryBlock


def entry_batches(blocks: Iterable[EntryBlock]) -> Generator[pa.RecordBatch, None, None]:
    """Yield blocks as record batches, their columns those of CODED_ENTRIES."""
    with closing(ahead(blocks)) as coming:
        for block in coming:
            yield from read_block(block).to_batches()


def ahead(blocks: Iterable[EntryBlock]) -> Generator[EntryBlock, None, None]:
    """Yield the blocks; each is asked for, in a thread of its own, while the one before it is worked on.

    The database and this process take about as long for a block, and so each a core. Whoever stops early waits for the
    block that was asked for: nobody else uses the connection meanwhile.
    """
    left = iter(blocks)
    with ThreadPoolExecutor(1, "entries") as asking:
        coming = asking.submit(next, left, None)
        while (block := coming.result()) is not None:
            coming = asking.submit(next, left, None)
            yield block


def read_block(block: EntryBlock) -> pa.Table:
    """Return a block as columns, those of CODED_ENTRIES. Raises InvalidInput for one that did not come whole."""
    table = pc.read_csv(
        pa.py_buffer(block.text),
        read_options=pc.ReadOptions(column_names=list(TEXT_COLUMNS), use_threads=False, block_size=len(block.text) + 1),
        parse_options=_QUOTED if block.quoted else _BARE,
        convert_options=pc.ConvertOptions(
            column_types=_TYPES,
            strings_can_be_null=False,
            # Looked at as a whole, which is all but free, where the reader would look at each cell.
            check_utf8=not block.text.isascii(),
        ),
    )
    if table.num_rows != block.rows:
        raise InvalidInput(f"a block of {block.rows} book entries came with {table.num_rows}")
    same = {name: _always(text, block.rows) for name, text in (("shop", block.shop), ("provider", block.provider))}
    columns = [same[name] if name in same else table[name] for name in CODED_ENTRIES.names]
    return pa.table(columns, schema=CODED_ENTRIES)


def _always(text: str, rows: int) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.repeat(pa.scalar(0, pa.int32()), rows), [text])


CODED_ENTRIES = coded_schema(ENTRY_SCHEMA)
_TYPES = {name: CODED_ENTRIES.field(name).type for name in TEXT_COLUMNS}
_QUOTED = pc.ParseOptions(newlines_in_values=True)
_BARE = pc.ParseOptions(delimiter=FIELD_END.decode(), quote_char=False)
