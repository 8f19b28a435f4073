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
from worker.lake.columns import aware, batches_of, items_of, schema_of
from worker.lake.cutting import Cutter, coded, coded_schema
from worker.lake.engine import ROW_GROUP, Engine, EngineLimits, engine, parquet, workspace
from worker.lake.files import LakeFiles, StoredFile
from worker.lake.naming import LINE_NAME

FILES, READ = "lines", "read"
"""Roots: of what files said, which nothing else may say again; of what runs read, which goes when they are forgotten."""
MOST_BUCKETS = 256
HASHES = 1_500_000
"""How many ids are held beside each other when it is looked for those that stand twice."""
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
            buckets = self.buckets_of(max(rows, beside))
            written = cut(opened, [raw], buckets, "lines")
            return self.keep(opened, written, shop, provider, name, buckets)

    def buckets_of(self, rows: int) -> int:
        """Return into how many buckets so many rows are cut."""
        return min(max(1, -(-rows // self._rows_per_bucket)), MOST_BUCKETS)

    def keep(
        self, opened: Engine, written: Sequence[tuple[int, Path]], shop: str, provider: str, name: str, buckets: int
    ) -> Batch:
        """Keep what `cut` has written as a batch."""
        rows, first, last = _one(
            opened,
            f"select count(*), min(created_at), max(created_at) from {parquet([path for _, path in written])}",  # noqa: S608 - our own files
        )
        repeated = _repeated(opened, [path for _, path in written], rows)
        day = last.date().isoformat() if last else "none"
        # Whoever writes the same batch at the same time has files of its own; the first manifest is the batch's.
        root = f"{self._place(shop, provider)}/day={day}/{quote(name, safe='')}/{uuid.uuid4().hex[:8]}"
        files = []
        for number, (bucket, path) in enumerate(written):
            stored = f"{root}/bucket-{bucket:03d}-{number}.parquet"
            files.append((bucket, self._files.publish(path, stored, pq.ParquetFile(path).metadata.num_rows)))
        made = Batch(
            shop=shop,
            provider=provider,
            name=name,
            rows=rows,
            first_at=aware(first) if first else None,
            last_at=aware(last) if last else None,
            buckets=buckets,
            files=tuple(files),
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


def cut(opened: Engine, files: Iterable[Path], buckets: int, into: str) -> list[tuple[int, Path]]:
    """Write the lines of Parquet files, cut into buckets; return the files that are made, each with its bucket."""
    schema = coded_schema(LINES)
    with ThreadPoolExecutor(1, "cutting") as pool:
        cutter = Cutter(opened, into, LINES, LINE_NAME, buckets, pool)
        for file in files:
            with pq.ParquetFile(file) as source:
                for rows in source.iter_batches(READ_AT_ONCE, columns=LINES.names):
                    cutter.add(coded(rows, schema))
        return cutter.close()


def _repeated(opened: Engine, written: Sequence[Path], rows: int) -> tuple[str, ...]:
    """Return the line ids that stand more than once, sorted: by their hashes first, which need little memory.

    Of very many rows not even these fit at once: they are looked through several times, for a share of the hashes each.
    """
    source, shares = parquet(written), -(-rows // HASHES)
    found: list[str] = []
    for share in range(shares):
        sql = f"""
            with twice as (
                select h from (select hash(line_id) as h from {source}) where h % {shares} = {share} group by h having count(*) > 1
            )
            select line_id from {source} where hash(line_id) in (select h from twice) group by line_id having count(*) > 1
        """  # noqa: S608
        found += [row[0] for row in opened.connection.execute(sql).fetchall()]
    return tuple(sorted(found))


def _one(opened: Engine, sql: str) -> tuple[int, datetime | None, datetime | None]:
    rows, first, last = opened.connection.execute(sql).fetchall()[0]
    return rows, first, last


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
