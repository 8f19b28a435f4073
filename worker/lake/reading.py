"""What is being read from a provider's API, kept piece by piece: a reader that is cut off goes on, and does not begin anew.

    reading/shop=S/provider=P/run=R/part-00000.parquet, part-00001.parquet, ...

A part is one file, written whole; the id of its last line is the cursor behind which the next part begins, and the last
part says that it is the last. Readers of one run that do not know of each other write the same parts, since a window
that has ended does not change. Nothing refers to parts once the run is gathered.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import count, islice
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from worker.domain.ledger import LedgerLine
from worker.lake.columns import BATCH, batches_of, schema_of
from worker.lake.files import LakeFiles

_LAST = b"last"


def read_in_parts(
    files: LakeFiles, reference: str, folder: Path, read: Callable[[str], Iterable[LedgerLine]]
) -> list[Path]:
    """Return local files with all lines; `read` is given the id of the line to go on behind, empty at the beginning."""
    found: list[Path] = []
    after, done = "", False
    for number in count():
        path = _part(reference, number)
        if not files.exists(path):
            break
        found.append(files.fetch(path, folder))
        kept = pq.ParquetFile(found[-1])
        done = _LAST in (kept.schema_arrow.metadata or {})
        after = _last_line(kept) or after
    if done:
        return found
    for lines, last in _pieces(read(after)):
        made = folder / f"made-{len(found):05d}.parquet"
        schema = schema_of(LedgerLine).with_metadata({_LAST: b""} if last else {})
        with pq.ParquetWriter(made, schema) as writer:
            for batch in batches_of(LedgerLine, lines):
                writer.write_batch(batch.replace_schema_metadata(schema.metadata))
        path = _part(reference, len(found))
        files.offer(made, path)
        found.append(files.fetch(path, folder))
    return found


def _pieces(lines: Iterable[LedgerLine]) -> Iterator[tuple[list[LedgerLine], bool]]:
    left = iter(lines)
    while True:
        some = list(islice(left, BATCH))
        last = len(some) < BATCH
        yield some, last
        if last:
            return


def _last_line(kept: pq.ParquetFile) -> str:
    if not kept.metadata.num_rows:
        return ""
    ids: pa.ChunkedArray = kept.read(columns=["line_id"]).column("line_id")
    return str(ids[-1].as_py())


def _part(reference: str, number: int) -> str:
    return f"{reference}/part-{number:05d}.parquet"
