"""Batches of a provider's lines: one imported statement file, kept for good, or what one run read over the API.

    lines/shop=S/provider=P/day=D/BATCH/ATTEMPT/bucket-000-0.parquet   D: the day of the batch's last movement
    lines/shop=S/provider=P/batches/BATCH.json                         the manifest, written last, and once
    read/...                                                           likewise, of runs over the API

Lines lie in buckets by the hash of what they are paired by, so that a comparison reads bucket after bucket, or many
workers one each, and none needs more memory than a bucket. Nothing of a batch is ever changed; a name that is taken
stands for the same content.
"""

import uuid
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq

from worker.domain.ledger import LedgerLine
from worker.lake.columns import batches_of, items_of, schema_of
from worker.lake.cutting import Cutter, coded, coded_schema
from worker.lake.engine import ROW_GROUP, Engine, EngineLimits, engine, parquet, workspace
from worker.lake.files import LakeFiles, StoredFile
from worker.lake.naming import LINE_NAME
from worker.lake.repeats import Repeats
from worker.lake.tally import COUNTED, Tally

FILES, READ = "lines", "read"
"""Roots: of what files said, which nothing else may say again; of what runs read, which goes when they are forgotten."""
MOST_BUCKETS = 256
FORMAT = 1
LINES = schema_of(LedgerLine)
READ_AT_ONCE = 10_000
"""Rows of a file that are on their way to their buckets at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """The manifest of a batch."""

    shop: str
    provider: str
    name: str
    rows: int
    first_at: datetime | None
    last_at: datetime | None
    buckets: int
    files: tuple[tuple[int, StoredFile], ...]
    """Each with its bucket."""
    repeated: tuple[str, ...]
    """Line ids that stand more than once."""

    def of_bucket(self, bucket: int) -> list[StoredFile]:
        """Return the files of one bucket."""
        return [file for number, file in self.files if number == bucket]


class Batches:
    """Writes and finds batches below one root."""

    def __init__(self, files: LakeFiles, limits: EngineLimits, rows_per_bucket: int, root: str = FILES) -> None:
        self.root = root
        self._files = files
        self._limits = limits
        self._rows_per_bucket = rows_per_bucket

    def write(self, shop: str, provider: str, name: str, lines: Iterable[LedgerLine], *, beside: int = 0) -> Batch:
        """Write a batch and return its manifest; one of this name that exists already is returned as it is.

        `beside` is how many rows of ours it will be compared with, where that is known: the buckets follow the
        larger side.
        """
        known = self.find(shop, provider, name)
        if known is not None:
            return known
        with engine(self._limits) as opened:
            raw = opened.folder / "raw.parquet"
            rows = 0
            with pq.ParquetWriter(raw, schema_of(LedgerLine)) as writer:
                for batch in batches_of(LedgerLine, lines):
                    writer.write_batch(batch, ROW_GROUP)
                    rows += batch.num_rows
            return self.take(opened, [raw], max(rows, beside), shop, provider, name)

    def take(self, opened: Engine, files: Sequence[Path], rows: int, shop: str, provider: str, name: str) -> Batch:
        """Keep the lines of Parquet files as a batch, in buckets for so many rows."""
        buckets, tally, schema = self.buckets_of(rows), tally_of(opened, rows), coded_schema(LINES)
        with ThreadPoolExecutor(self._limits.threads, "cutting") as pool:
            cutter = Cutter(opened, "lines", LINES, LINE_NAME, buckets, pool, tally)
            for file in files:
                with pq.ParquetFile(file) as source:
                    for some in source.iter_batches(READ_AT_ONCE, columns=LINES.names):
                        cutter.add(coded(some, schema))
            written = cutter.close()
        return self.keep(opened, written, tally, shop, provider, name, buckets)

    def buckets_of(self, rows: int) -> int:
        """Return into how many buckets so many rows are cut."""
        return min(max(1, -(-rows // self._rows_per_bucket)), MOST_BUCKETS)

    def keep(
        self,
        opened: Engine,
        written: Sequence[tuple[int, Path]],
        tally: Tally,
        shop: str,
        provider: str,
        name: str,
        buckets: int,
    ) -> Batch:
        """Keep what a cutter has written, and what was counted meanwhile, as a batch."""
        day = tally.last_at.date().isoformat() if tally.last_at else "none"
        # Whoever writes the same batch at the same time has files of its own; the first manifest is the batch's.
        root = f"{self._place(shop, provider)}/day={day}/{quote(name, safe='')}/{uuid.uuid4().hex[:8]}"

        def publish(made: tuple[int, tuple[int, Path]]) -> tuple[int, StoredFile]:
            number, (bucket, path) = made
            rows = pq.read_metadata(path).num_rows
            return bucket, self._files.publish(path, f"{root}/bucket-{bucket:03d}-{number}.parquet", rows)

        repeated = _repeated(opened, [path for _, path in written], tally)
        with ThreadPoolExecutor(self._limits.threads, "publish") as pool:
            files = tuple(pool.map(publish, enumerate(written)))
        made = Batch(
            shop=shop,
            provider=provider,
            name=name,
            rows=tally.rows,
            first_at=tally.first_at,
            last_at=tally.last_at,
            buckets=buckets,
            files=files,
            repeated=repeated,
        )
        self._files.write_json(self._manifest(shop, provider, name), _document(made))
        return self.find(shop, provider, name) or made

    def find(self, shop: str, provider: str, name: str) -> Batch | None:
        """Return a batch, or None when it was not written to its end."""
        path = self._manifest(shop, provider, name)
        if not self._files.exists(path):
            return None
        document = self._files.read_json(path)
        return Batch(
            shop=document["shop"],
            provider=document["provider"],
            name=document["name"],
            rows=document["rows"],
            first_at=_moment(document["first_at"]),
            last_at=_moment(document["last_at"]),
            buckets=document["buckets"],
            files=tuple((bucket, StoredFile(**file)) for bucket, file in document["files"]),
            repeated=tuple(document["repeated"]),
        )

    def lines(self, batch: Batch) -> Iterator[LedgerLine]:
        """Stream the lines of a batch."""
        with workspace(self._limits) as folder:
            for _, file in batch.files:
                for some in pq.ParquetFile(self._files.fetch(file.path, folder)).iter_batches(ROW_GROUP):
                    yield from items_of(LedgerLine, pa.Table.from_batches([some]))

    def _place(self, shop: str, provider: str) -> str:
        return f"{self.root}/shop={quote(shop, safe='')}/provider={quote(provider, safe='')}"

    def _manifest(self, shop: str, provider: str, name: str) -> str:
        return f"{self._place(shop, provider)}/batches/{quote(name, safe='')}.json"


def tally_of(opened: Engine, about: int) -> Tally:
    """Return what counts the lines of a batch; `about` so many will come."""
    return Tally(Repeats(opened.folder / "hashes", about))


def _repeated(opened: Engine, written: Sequence[Path], tally: Tally) -> tuple[str, ...]:
    """Return the line ids that stand more than once, sorted."""
    hashes = tally.repeats.found()
    if not hashes:
        return ()
    sql = f"""
        select {COUNTED} from {parquet(written)} where hash({COUNTED}) in (select unnest($hashes::ubigint[]))
        group by all having count(*) > 1 order by all
    """  # noqa: S608 - our own column and files
    return tuple(row[0] for row in opened.connection.execute(sql, {"hashes": hashes}).fetchall())


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _document(batch: Batch) -> dict[str, object]:
    return {
        "format": FORMAT,
        "shop": batch.shop,
        "provider": batch.provider,
        "name": batch.name,
        "rows": batch.rows,
        "first_at": batch.first_at.isoformat() if batch.first_at else None,
        "last_at": batch.last_at.isoformat() if batch.last_at else None,
        "buckets": batch.buckets,
        "files": [[bucket, asdict(file)] for bucket, file in batch.files],
        "repeated": list(batch.repeated),
    }
