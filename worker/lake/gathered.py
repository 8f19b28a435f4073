"""A gathered run: sifted bucket by bucket, what is aside brought together, judged in pieces.

What a step makes lies beside what it was made of, in files of its own names; a document, written last and once, says
which they are, and a step that finds it there is done. So two that do one step at a time do not meet. A run that is done
again has everything made elsewhere (`made`), and so from the beginning.
"""

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from worker.domain.ledger import LedgerLine
from worker.domain.matching.payouts import PayoutSums
from worker.domain.matching.rules import Reference, Rules
from worker.domain.matching.scope import Scope
from worker.domain.matching.sums import WindowSums
from worker.domain.payment import BookEntry
from worker.lake.batches import Batch
from worker.lake.collecting import collect
from worker.lake.columns import ENTRY_SCHEMA, items_of, schema_of
from worker.lake.engine import EngineLimits, engine, parquet, quoted, workspace
from worker.lake.files import LakeFiles, StoredFile, require_unchanged
from worker.lake.judged import read_judged, written
from worker.lake.payouts import payouts_of
from worker.lake.sifting import sift, view
from worker.services.ports.lake import Cleared, Judged, Kept, Piece

R = TypeVar("R")

_AT_ONCE = 5_000
"""Payments asked for in one go."""


class GatheredRun:
    """Implements `Gathered`."""

    def __init__(
        self,
        files: LakeFiles,
        limits: EngineLimits,
        reference: str,
        manifest: Mapping[str, Any],
        batch: Batch,
        keys_per_piece: int,
        made: LakeFiles | None = None,
    ) -> None:
        self._files = files
        self._again = made is not None
        self._made = made or files
        self._limits = limits
        self._reference = reference
        self._manifest = manifest
        self._batch = batch
        self._keys_per_piece = keys_per_piece
        self._entries = [(bucket, StoredFile(**file)) for bucket, file in manifest["entries"]]

    @property
    def reference(self) -> str:
        """What `RunLake.gathered` finds it by."""
        return self._reference

    @property
    def facts(self) -> Mapping[str, Any]:
        """The facts it was sealed with."""
        facts: Mapping[str, Any] = self._manifest["facts"]
        return facts

    @property
    def buckets(self) -> int:
        """How many parts there are to sift, at least 1."""
        return self._batch.buckets

    @property
    def rows(self) -> int:
        """How many movements both sides hold together."""
        return self._batch.rows + sum(file.rows for _, file in self._entries)

    def sift(self, bucket: int, scope: Scope, rules: Rules, *, by_key: bool = True) -> None:
        """Set aside what does not trivially agree; once done, doing it again changes nothing."""
        done = self._at(f"sifted-{bucket:03d}.json")
        if self._made.exists(done):
            return
        with engine(self._limits, part=True) as opened:
            entries = self._fetched([file for number, file in self._entries if number == bucket], opened.folder)
            lines = self._fetched(self._batch.of_bucket(bucket), opened.folder)
            entries = entries or [_nothing(opened.folder / "no-entries.parquet", ENTRY_SCHEMA)]
            lines = lines or [_nothing(opened.folder / "no-lines.parquet", schema_of(LedgerLine))]
            made = sift(
                opened, entries, lines, self._batch.repeated, scope, rules, self._manifest["shop"], by_key=by_key
            )
            mine = _own_name()
            stored = {
                name: asdict(
                    self._made.publish(path, self._at(f"{path.stem}-{bucket:03d}-{mine}.parquet"), _rows(path))
                )
                for name, path in zip(("entries", "lines"), made[:2], strict=True)
            }
            self._made.write_json(done, {**stored, "sums": [asdict(one) for one in made[2]]})

    def loose_payments(self, rules: Rules) -> Iterator[list[str]]:
        """Yield the payments whose orders must be asked for before the rest can be judged; after all buckets.

        Not those that our entries name, nor those that no rule looks at.
        """
        named = {Reference.PAYMENT: "payment_reference", Reference.SOURCE: "source_id"}
        with engine(self._limits) as opened:
            lines = parquet(self._aside("lines", opened.folder))
            entries = self._fetched([file for _, file in self._entries], opened.folder)
            entries = entries or [_nothing(opened.folder / "no-entries.parquet", ENTRY_SCHEMA)]
            # Whether a line that names another shop is ours, our books say by any of its references.
            asked = " union all ".join(
                f"select {column} as name from {lines}"  # noqa: S608
                + (
                    ""
                    if reference in rules.references
                    else f" where shop not in ('', {quoted(self._manifest['shop'])})"
                )
                for reference, column in named.items()
            )
            opened.connection.execute(
                f"create or replace temp table asked as select distinct name from ({asked}) where name <> ''"  # noqa: S608
            )
            view(opened, "entry", entries)
            # Few are asked for: our books, which are many, are looked through, and no table is built of them.
            found = opened.connection.execute(
                "select name from asked where name not in "
                "(select payment_reference from entry semi join asked on name = payment_reference) order by name"
            )
            rows = [row[0] for row in found.fetchall()]
        for start in range(0, len(rows), _AT_ONCE):
            yield rows[start : start + _AT_ONCE]

    def loose_orders(self) -> Iterator[list[str]]:
        """Yield what lines that are aside call their orders and our entries do not: it may be the orders' numbers."""
        with engine(self._limits) as opened:
            lines = parquet(self._aside("lines", opened.folder))
            entries = self._fetched([file for _, file in self._entries], opened.folder)
            view(opened, "entry", entries or [_nothing(opened.folder / "no-entries.parquet", ENTRY_SCHEMA)])
            found = opened.connection.execute(
                f"with named as (select distinct order_id from {lines} where order_id <> '') "  # noqa: S608
                "select order_id from named where order_id not in "
                "(select order_id from entry semi join named using (order_id)) order by order_id"
            )
            rows = [row[0] for row in found.fetchall()]
        for start in range(0, len(rows), _AT_ONCE):
            yield rows[start : start + _AT_ONCE]

    def collect(
        self,
        owners: Mapping[str, str],
        suspects: Sequence[str],
        scope: Scope,
        rules: Rules,
        *,
        by_key: bool = True,
    ) -> int:
        """Bring together all movements of every key that does not trivially agree; return how many pieces that makes."""
        done = self._at("collected.json")
        if self._made.exists(done):
            return int(self._made.read_json(done)["pieces"])
        with engine(self._limits) as opened:
            found = collect(
                opened,
                all_entries=self._fetched([file for _, file in self._entries], opened.folder),
                all_lines=self._fetched([file for _, file in self._batch.files], opened.folder),
                aside_entries=self._aside("entries", opened.folder),
                aside_lines=self._aside("lines", opened.folder),
                owners=owners,
                suspects=suspects,
                scope=scope,
                rules=rules,
                shop=self._manifest["shop"],
                keys_per_piece=self._keys_per_piece,
                by_key=by_key,
            )
            mine = f"collected-{_own_name()}"
            for path in (*found.entries, *found.lines):
                self._made.publish(path, self._at(f"{mine}/{path.name}"), _rows(path))
            sums = [asdict(one) for one in _less([*self._sifted_sums(), *found.agreed], found.recalled)]
            document = {"pieces": found.pieces, "keys": found.cleared_keys, "sums": sums, "folder": mine}
            self._made.write_json(done, document)
        return int(self._made.read_json(done)["pieces"])

    def piece(self, number: int) -> Piece:
        """Return one piece, after `collect`."""
        # A run that an older release collected has them beside everything else.
        within = self._made.read_json(self._at("collected.json")).get("folder", ".")
        with workspace(self._limits) as folder:
            entries = pq.read_table(self._made.fetch(self._at(f"{within}/piece-entries-{number:03d}.parquet"), folder))
            lines = pq.read_table(self._made.fetch(self._at(f"{within}/piece-lines-{number:03d}.parquet"), folder))
        owners: dict[str, str] = {}
        for name, owner in (("payment_reference", "payment_owner"), ("source_id", "source_owner")):
            pairs = zip(lines.column(name).to_pylist(), lines.column(owner).to_pylist(), strict=True)
            owners |= {reference: order for reference, order in pairs if reference and order}
        return Piece(
            entries=tuple(items_of(BookEntry, entries)),
            lines=tuple(items_of(LedgerLine, lines)),
            order_of_payment=owners,
        )

    def payouts(self) -> tuple[PayoutSums, ...]:
        """Return the payouts that the provider told of; where it was not asked, those that stand beside their lines."""
        if PayoutSums.__name__ in self._manifest["records"]:
            return tuple(self.read(PayoutSums))
        if not self._batch.files:
            return ()
        with engine(self._limits) as opened:
            return payouts_of(opened, self._fetched([file for _, file in self._batch.files], opened.folder))

    def cleared(self) -> Cleared:
        """Return what agrees without being in any piece, after `collect`."""
        document = self._made.read_json(self._at("collected.json"))
        return Cleared(keys=document["keys"], sums=tuple(WindowSums(**one) for one in document["sums"]))

    def read(self, kind: type[R]) -> list[R]:
        """Return the records of another leg."""
        file = self._manifest["records"].get(kind.__name__)
        if file is None:
            return []
        with workspace(self._limits) as folder:
            (fetched,) = self._fetched([StoredFile(**file)], folder)
            return items_of(kind, pq.read_table(fetched))

    def recalled(self, name: str, ask: Callable[[], Mapping[str, Any]]) -> Mapping[str, Any]:
        """Return what a step needs of a database that moves on (JSON): asked for once, and the same ever after."""
        kept = self._at(f"recalled-{name}.json")
        # A run that is done again has only what it was told then.
        if not self._again and not self._files.exists(kept):
            self._files.write_json(kept, ask())  # of two that ask at a time the first is believed
        return self._files.read_json(kept)

    def keep_result(self, result: Iterable[bytes]) -> str:
        """Keep what the run found: JSON in pieces, in one form for one content. Return the SHA-256 of its bytes."""
        # Until the run is stored it may be concluded anew, and by another release: the last one's is stored with it.
        return self._made.rewrite(self._at("result.json"), result)

    def result(self) -> Mapping[str, Any]:
        """Return what the run found. Raises Conflict when it is gone."""
        return self._made.read_json(self._at("result.json"))

    def keep_findings(self, part: str, judged: Judged) -> None:
        """Keep what the rules said of one part."""
        self._made.write(self._at(f"findings-{part}.json"), written(judged))

    def findings(self, part: str) -> Kept:
        """Return what was kept of a part. Raises Conflict when it is gone."""
        return read_judged(self._made.read(self._at(f"findings-{part}.json")))

    def _sifted(self) -> list[dict[str, Any]]:
        return [self._made.read_json(self._at(f"sifted-{bucket:03d}.json")) for bucket in range(self.buckets)]

    def _sifted_sums(self) -> list[WindowSums]:
        return [WindowSums(**one) for sifted in self._sifted() for one in sifted["sums"]]

    def _aside(self, name: str, folder: Path) -> list[Path]:
        return [self._made.fetch(sifted[name]["path"], folder / "fetched") for sifted in self._sifted()]

    def _fetched(self, files: Sequence[StoredFile], folder: Path) -> list[Path]:
        fetched = [self._files.fetch(file.path, folder / "fetched") for file in files]
        if self._again:
            for file, path in zip(files, fetched, strict=True):
                require_unchanged(file, path)
        return fetched

    def _at(self, name: str) -> str:
        return f"{self._reference}/{name}"


def _less(sums: Iterable[WindowSums], recalled: Iterable[WindowSums]) -> list[WindowSums]:
    """Add the sums up by currency and take the recalled ones out again."""
    totals: dict[str, WindowSums] = {}
    for one in (*sums, *map(_negated, recalled)):
        totals[one.currency] = totals[one.currency] + one if one.currency in totals else one
    return [totals[currency] for currency in sorted(totals)]


def _negated(sums: WindowSums) -> WindowSums:
    amounts = {name: -value for name, value in asdict(sums).items() if name != "currency"}
    return WindowSums(currency=sums.currency, **amounts)


def _own_name() -> str:
    return uuid.uuid4().hex[:8]


def _nothing(path: Path, schema: pa.Schema) -> Path:
    pq.write_table(schema.empty_table(), path)
    return path


def _rows(path: Path) -> int:
    return int(pq.ParquetFile(path).metadata.num_rows)
