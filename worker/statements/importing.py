"""Taking a statement file in: read, judged, kept as it came in the object store; its lines in the lake, the rest in MySQL.

The same file (SHA-256) is taken once, however often and under whatever name it comes. What MySQL holds is written last:
a file that is known there has its lines.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from worker.domain.errors import InvalidStatement
from worker.services.ports import Database, ObjectStore, StatementFile, StatementScope, Transaction
from worker.services.ports.lake import KeptReport, RunLake
from worker.statements.dialect import Dialect
from worker.statements.large_report import FORMAT, PROVIDER, OddRows, checks_of
from worker.statements.mapped import MappedJson
from worker.statements.parse import ParsedStatement, parse
from worker.statements.told import Told

LARGE = 16 * 1024 * 1024
"""Bytes from which a report is read in bulk where its format allows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What became of a file."""

    file: StatementFile
    parsed: ParsedStatement
    """What was read; of a file that was read in bulk without the lines, which are in the lake alone."""
    lines: int
    """Lines it has, of all shops."""
    added: bool
    """False: this very file was there already, and nothing was added."""
    foreign: int
    """Lines of other shops on the same provider account, which take no part."""
    new_entries: int
    """Bank entries that no file held before."""


class StatementImport:
    """Takes files of one shop in."""

    def __init__(
        self,
        database: Database,
        store: ObjectStore,
        lake: Callable[[], RunLake],
        shop: str,
        *,
        own: Sequence[Dialect | MappedJson] = (),
        whole: bool = False,
    ) -> None:
        """`own` are formats described in the settings; `whole` refuses a file of which anything cannot be relied on."""
        self._database = database
        self._store = store
        self._lake = lake
        self._shop = shop
        self._own = own
        self._whole = whole

    def take(
        self,
        name: str,
        content: bytes,
        now: datetime,
        *,
        format_name: str | None = None,
        provider: str | None = None,
        told: Told | None = None,
    ) -> Imported:
        """Take one file in. `provider` says whose books it is of, where that is not the format's own.

        Raises InvalidStatement when it cannot be read, or when it is damaged and only whole files are wanted.
        """
        parsed = parse(name, content, format_name, shop=self._shop, told=told, own=self._own)
        if self._whole:
            insist(parsed)
        file = _file(parsed, self._shop, provider, now)
        self._store.put(f"statements/{file.provider}/{file.sha256}.{_ending(content)}", content)
        if parsed.scope is not StatementScope.BANK:
            self._lake().keep(self._shop, file.provider, file.sha256, parsed.lines)

        def stored(tx: Transaction) -> tuple[bool, int]:
            if not tx.statements.add(file, parsed.rejects):
                return False, 0
            return True, tx.bank.add(self._shop, file.sha256, parsed.entries)

        added, new = self._database.transact(stored)
        foreign = sum(line.shop not in {"", self._shop} for line in parsed.lines)
        return Imported(
            file=file, parsed=parsed, lines=len(parsed.lines), added=added, foreign=foreign, new_entries=new
        )

    def take_report(
        self, path: Path, now: datetime, *, format_name: str | None = None, provider: str | None = None
    ) -> Imported | None:
        """Take a large report in without reading it row by row; None where only `take` can read it.

        Raises InvalidStatement as `take` does.
        """
        if format_name not in {None, FORMAT} or path.stat().st_size < LARGE:
            return None
        # Its name in the store is what was read: it is copied meanwhile, and waiting for a disk takes no one's time.
        with self._store.holding(path) as put:
            kept = self._lake().keep_report(self._shop, provider or PROVIDER, path, OddRows(self._shop))
            if kept is None:
                return None
            parsed = _parsed(path, kept)
            if self._whole:
                insist(parsed)
            file = _file(parsed, self._shop, provider, now)
            put(f"statements/{file.provider}/{file.sha256}.csv")
        added = self._database.transact(lambda tx: tx.statements.add(file, parsed.rejects))
        return Imported(
            file=file, parsed=parsed, lines=kept.batch.rows, added=added, foreign=kept.foreign, new_entries=0
        )


def insist(parsed: ParsedStatement) -> None:
    """Refuse a file with rows that cannot be read, or that contradicts itself. Raises InvalidStatement."""
    wrong = [f"line {row.line}, {row.column or 'the row'}: {row.reason}" for row in parsed.rejects]
    wrong = wrong or parsed.failed
    if wrong:
        more = f" (and {len(wrong) - 3} more)" if len(wrong) > 3 else ""
        raise InvalidStatement(
            f"{parsed.name} is refused as a whole (statements.on_reject): {'; '.join(wrong[:3])}{more}; "
            "`orders statements preview` shows all of it"
        )


def _parsed(path: Path, kept: KeptReport) -> ParsedStatement:
    """Return what was read in bulk, whose lines are in the lake alone."""
    return ParsedStatement(
        name=path.name,
        format=FORMAT,
        provider=PROVIDER,
        scope=StatementScope.LEDGER,
        lines=(),
        entries=(),
        rejects=kept.rejects,
        rows=kept.rows,
        checks=checks_of(kept),
        sha256=kept.batch.name,
        first_at=kept.batch.first_at,
        last_at=kept.batch.last_at,
    )


def _file(parsed: ParsedStatement, shop: str, provider: str | None, now: datetime) -> StatementFile:
    return StatementFile(
        sha256=parsed.sha256,
        shop=shop,
        provider=provider or parsed.provider,
        format=parsed.format,
        name=parsed.name[-512:],
        imported_at=now,
        rows=parsed.rows,
        rejected=len(parsed.rejects),
        first_at=parsed.first_at,
        last_at=parsed.last_at,
        checks=parsed.checks,
        scope=parsed.scope,
        marks=parsed.marks,
    )


def _ending(content: bytes) -> str:
    start = content.lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n\x00")[:1]
    return {b"<": "xml", b"{": "json", b"[": "json"}.get(start, "csv")
