"""Gathering a run: what all sides say, as files in a folder that nothing changes once it is sealed.

    runs/shop=S/provider=P/run=R/ATTEMPT/entries-000-0.parquet, shop-orders.parquet, ...
    runs/shop=S/provider=P/run=R/ATTEMPT/manifest.json          written last

An attempt has a folder of its own: two workers that gather one run do not meet, and whichever seal the workflow got
is the run's.
"""

import json
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import pyarrow.parquet as pq

from worker.domain.errors import Conflict, InvalidInput
from worker.domain.ledger import LedgerLine
from worker.domain.matching.payouts_told import PayoutLines
from worker.lake.batches import FILES, READ, Batch, Batches
from worker.lake.columns import ENTRY_SCHEMA, batches_of, schema_of
from worker.lake.cutting import Cutter
from worker.lake.engine import EngineLimits, engine, parquet, workspace
from worker.lake.entries import entry_batches
from worker.lake.files import LakeFiles, StoredFile
from worker.lake.gathered import GatheredRun
from worker.lake.naming import ENTRY_NAME
from worker.lake.payouts import lines_by_payout
from worker.lake.reading import read_in_parts
from worker.lake.reports import keep_report, line_batch
from worker.services.ports.lake import EntryBlock, KeptReport, LineBatch, RowParser

R = TypeVar("R")


class Lake:
    """Implements `RunLake`."""

    def __init__(
        self,
        files: LakeFiles,
        limits: EngineLimits,
        *,
        rows_per_bucket: int,
        keys_per_piece: int,
        made: LakeFiles | None = None,
    ) -> None:
        self._files = files
        self._limits = limits
        self._batches = Batches(files, limits, rows_per_bucket)
        self._read = Batches(files, limits, rows_per_bucket, READ)
        self._rows_per_bucket = rows_per_bucket
        self._keys_per_piece = keys_per_piece
        self._made = made
        """Where steps put what they make, when that is not beside what it was made of."""

    @property
    def batches(self) -> Batches:
        """The lines of statement files."""
        return self._batches

    def keep(self, shop: str, provider: str, name: str, lines: Iterable[LedgerLine]) -> LineBatch:
        """Keep the lines of a statement file; the same name again is the same batch."""
        return line_batch(self._batches.write(shop, provider, name, lines))

    def keep_report(self, shop: str, provider: str, path: Path, parser: RowParser) -> KeptReport | None:
        """Keep the lines of a large report without reading it row by row, under the SHA-256 of what was read.

        None where it is not of a form for that.
        """
        return keep_report(self._batches, self._limits, shop, provider, path, parser)

    @contextmanager
    def gathering(self, shop: str, provider: str, run_id: str) -> Iterator["GatheringRun"]:
        """Begin to gather a run; what an earlier attempt left is not touched and not seen."""
        yield GatheringRun(self, self._files, self._batches, self._read, self._limits, shop, provider, run_id)

    def gathered(self, reference: str) -> GatheredRun:
        """Return a run that was sealed. Raises Conflict when it is gone."""
        manifest = self._files.read_json(f"{reference}/manifest.json")
        # Runs of older releases kept what they read beside the lines of files.
        batches = self._read if manifest.get("batches") == READ else self._batches
        batch = batches.find(manifest["shop"], manifest["provider"], manifest["batch"])
        if batch is None:
            raise Conflict(f"the lines that {reference} was gathered with are not in the object store any more")
        return GatheredRun(self._files, self._limits, reference, manifest, batch, self._keys_per_piece, self._made)

    @contextmanager
    def again(self) -> Iterator["Lake"]:
        """Open the lake for doing runs again: what their steps make lies in a folder that is gone afterwards."""
        with workspace(self._limits) as folder:
            yield Lake(
                self._files,
                self._limits,
                rows_per_bucket=self._rows_per_bucket,
                keys_per_piece=self._keys_per_piece,
                made=LakeFiles.in_folder(folder),
            )

    @contextmanager
    def aside(self) -> Iterator["Lake"]:
        """Open the lake for runs that leave nothing: what they read and make lies in a folder that is gone afterwards."""
        with workspace(self._limits) as folder:
            yield Lake(
                self._files.under(folder),
                self._limits,
                rows_per_bucket=self._rows_per_bucket,
                keys_per_piece=self._keys_per_piece,
            )


class GatheringRun:
    """Implements `Gathering`."""

    def __init__(
        self,
        lake: Lake,
        files: LakeFiles,
        batches: Batches,
        read: Batches,
        limits: EngineLimits,
        shop: str,
        provider: str,
        run_id: str,
    ) -> None:
        self._lake = lake
        self._files = files
        self._batches = batches
        self._read = read
        self._limits = limits
        self._shop = shop
        self._provider = provider
        attempt = uuid.uuid4().hex[:12]
        self._run = f"{_place(shop, provider)}/run={quote(run_id, safe='')}"
        self._reference = f"runs/{self._run}/{attempt}"
        self._attempt = f"{run_id}-{attempt}"
        self._batch: Batch | None = None
        self._root = FILES
        self._entries: list[tuple[int, StoredFile]] = []
        self._records: dict[str, StoredFile] = {}

    def lines(self, lines: Iterable[LedgerLine]) -> None:
        """Keep what the provider's API told as a batch of its own, and compare with it."""
        self._batch, self._root = self._read.write(self._shop, self._provider, self._attempt, lines), READ

    def told(self, read: Callable[[str], Iterable[LedgerLine]]) -> None:
        """Keep what the provider's API tells as `lines` does, without ever holding it all.

        `read` is given the id of the line to go on behind, which an earlier attempt kept last; empty at the beginning.
        """
        with workspace(self._limits) as folder:
            parts = read_in_parts(self._files, f"reading/{self._run}", folder, read)
            # Only now is it the engine's turn: an API is slow, and other runs of this process have work.
            with engine(self._limits) as opened:
                rows = sum(pq.ParquetFile(part).metadata.num_rows for part in parts)
                self._batch = self._read.take(opened, parts, rows, self._shop, self._provider, self._attempt)
                self._root = READ

    def lasting(self, name: str, ask: Callable[[], Mapping[str, Any]]) -> Mapping[str, Any]:
        """Return what the provider said once and never says otherwise (JSON); it is asked only where that is not kept."""
        path = f"lasting/{_place(self._shop, self._provider)}/{quote(name, safe='')}.json"
        if not self._files.exists(path):
            self._files.write_json(path, ask())
        return self._files.read_json(path)

    def statement(self, name: str, otherwise: Callable[[], Iterable[LedgerLine]]) -> None:
        """Compare with the batch of a statement file; where none is kept, `otherwise` says its lines, which then are."""
        kept = self._batches.find(self._shop, self._provider, name)
        self._batch = kept or self._batches.write(self._shop, self._provider, name, otherwise())
        self._root = FILES

    def kept_lines(self, name: str) -> list[LedgerLine]:
        """Return the lines of a small file that was imported; none of one that is not in the lake."""
        kept = self._batches.find(self._shop, self._provider, name)
        return [] if kept is None else list(self._batches.lines(kept))

    def payout_lines(self, others: Sequence[str], since: datetime) -> tuple[PayoutLines, ...]:
        """Return the sums by payout over the lines of the statement and of others, as these were imported.

        Of others those lines count whose payout is of `since` or later.
        """
        kept = [self._batches.find(self._shop, self._provider, name) for name in others if name != self._kept.name]
        if not self._kept.files:
            return ()
        with engine(self._limits) as opened:
            own, *rest = (
                [self._files.fetch(file.path, opened.folder / "fetched") for _, file in one.files]
                for one in (self._kept, *kept)
                if one is not None
            )
            return lines_by_payout(opened, own, rest, since)

    def entries(self, blocks: Iterable[EntryBlock]) -> None:
        """Take our movements; after the lines, whose buckets they share."""
        # A transaction that was rolled back gathers again.
        self._entries = []
        # Closed before the transaction ends: until then its connection is in use.
        with (
            engine(self._limits) as opened,
            ThreadPoolExecutor(self._limits.threads, "cutting") as pool,
            closing(entry_batches(blocks)) as batches,
        ):
            cutter = Cutter(opened, "entries", ENTRY_SCHEMA, ENTRY_NAME, self._kept.buckets, pool)
            for batch in batches:
                cutter.add(batch)
            self._entries = list(pool.map(self._publish, enumerate(cutter.close())))

    def booked_orders(self) -> list[str]:
        """Return the orders of the entries, each once, sorted."""
        if not self._entries:
            return []
        with engine(self._limits) as opened:
            files = [self._files.fetch(file.path, opened.folder / "fetched") for _, file in self._entries]
            sql = f"select distinct order_id from {parquet(files)} order by order_id"  # noqa: S608
            return [row[0] for row in opened.connection.execute(sql).fetchall()]

    def records(self, kind: type[R], items: Iterable[R]) -> None:
        """Take records of another leg."""
        name = kind.__name__
        rows = 0
        with workspace(self._limits) as folder:
            made = folder / "records.parquet"
            with pq.ParquetWriter(made, schema_of(kind)) as writer:
                for batch in batches_of(kind, items):
                    writer.write_batch(batch)
                    rows += batch.num_rows
            self._records[name] = self._files.publish(made, f"{self._reference}/{name}.parquet", rows)

    def seal(self, facts: Mapping[str, Any]) -> GatheredRun:
        """Say that everything is in, together with facts about the run that later steps need (JSON)."""
        manifest = {
            "shop": self._shop,
            "provider": self._provider,
            "batch": self._kept.name,
            "batches": self._root,
            "entries": [[bucket, asdict(file)] for bucket, file in self._entries],
            "records": {name: asdict(file) for name, file in self._records.items()},
            "facts": json.loads(json.dumps(facts)),
        }
        self._files.write_json(f"{self._reference}/manifest.json", manifest)
        return self._lake.gathered(self._reference)

    def _publish(self, made: tuple[int, tuple[int, Path]]) -> tuple[int, StoredFile]:
        number, (bucket, path) = made
        rows = pq.read_metadata(path).num_rows
        return bucket, self._files.publish(path, f"{self._reference}/entries-{bucket:03d}-{number}.parquet", rows)

    @property
    def _kept(self) -> Batch:
        if self._batch is None:
            raise InvalidInput("a run is gathered with the provider's lines first")
        return self._batch


def _place(shop: str, provider: str) -> str:
    return f"shop={quote(shop, safe='')}/provider={quote(provider, safe='')}"
