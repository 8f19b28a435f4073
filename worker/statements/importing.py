"""Taking a statement file in: read, judged, kept as it came in the object store; its lines in the lake, the rest in MySQL.

A file may have any size: its lines go to the lake as they are read, and nothing holds more than some thousand of them.
The same file (SHA-256) is taken once, however often and under whatever name it comes. What MySQL holds is written last:
a file that is known there has its lines.
"""

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from worker.domain.errors import InvalidStatement
from worker.domain.ledger import BankEntry, LedgerLine
from worker.services.ports import Database, ObjectStore, StatementFile, StatementScope, Transaction
from worker.services.ports.lake import KeptReport, RunLake
from worker.statements.dialect import Dialect, Line
from worker.statements.large_report import FORMAT, PROVIDER, OddRows, checks_of
from worker.statements.mapped import MappedJson
from worker.statements.parse import Reading, ReadStatement, open_statement, opener
from worker.statements.told import Told

_HEAD = 4_096
LARGE = 64 * 1024
"""Bytes from which a report is read in bulk where its format allows. To do so costs less at any size, from half (of 300 rows)
to a twentieth (of 16,000); what is smaller is not worth a second way of reading it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What became of a file."""

    file: StatementFile
    read: ReadStatement
    """What was read; its lines are in the lake alone, its entries in MySQL."""
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
        content: bytes | Path,
        now: datetime,
        *,
        format_name: str | None = None,
        provider: str | None = None,
        told: Told | None = None,
    ) -> Imported:
        """Take one file in. `provider` says whose books it is of, where that is not the format's own.

        Raises InvalidStatement when it cannot be read, or when it is damaged and only whole files are wanted: nothing
        of it is kept then.
        """
        with _held(content) as path:
            reading = open_statement(name, opener(path), format_name, shop=self._shop, told=told, own=self._own)
            of = provider or reading.provider
            entries: tuple[BankEntry, ...] = ()
            if reading.scope is StatementScope.BANK:
                entries = tuple(line for line in self._lines(reading) if isinstance(line, BankEntry))
            else:
                lines = (line for line in self._lines(reading) if isinstance(line, LedgerLine))
                self._lake().keep(self._shop, of, reading.sha256, lines)
                for _ in lines:
                    pass  # the lake has them from before: they are read for what is told of them
            read = reading.statement
            file = _file(read, self._shop, provider, now)
            self._store.put_file(f"statements/{of}/{file.sha256}.{_ending(path)}", path)

        def stored(tx: Transaction) -> tuple[bool, int]:
            if not tx.statements.add(file, read.rejects):
                return False, 0
            return True, tx.bank.add(self._shop, file.sha256, entries)

        added, new = self._database.transact(stored)
        return Imported(file=file, read=read, added=added, foreign=reading.foreign, new_entries=new)

    def _lines(self, reading: Reading) -> Iterator[Line]:
        """Yield the lines of a file; it is judged behind the last one, before anything of it is kept for good."""
        yield from reading
        if self._whole:
            insist(reading.statement)

    def take_report(
        self, name: str, path: Path, now: datetime, *, format_name: str | None = None, provider: str | None = None
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
            read = _read(name, kept)
            if self._whole:
                insist(read)
            file = _file(read, self._shop, provider, now)
            put(f"statements/{file.provider}/{file.sha256}.csv")
        added = self._database.transact(lambda tx: tx.statements.add(file, read.rejects))
        return Imported(file=file, read=read, added=added, foreign=kept.foreign, new_entries=0)


def insist(read: ReadStatement) -> None:
    """Refuse a file with rows that cannot be read, or that contradicts itself. Raises InvalidStatement."""
    wrong = [f"line {row.line}, {row.column or 'the row'}: {row.reason}" for row in read.rejects[:3]]
    count = len(read.rejects)
    if not wrong:
        wrong, count = read.failed[:3], len(read.failed)
    if wrong:
        more = f" (and {count - 3} more)" if count > 3 else ""
        raise InvalidStatement(
            f"{read.name} is refused as a whole (statements.on_reject): {'; '.join(wrong)}{more}; "
            "`orders statements preview` shows all of it"
        )


@contextmanager
def _held(content: bytes | Path) -> Iterator[Path]:
    """Copy a file to where nobody changes it: it is gone through several times, and kept as it was read."""
    with TemporaryDirectory(prefix="orders-statement-") as folder:
        held = Path(folder) / "statement"
        if isinstance(content, Path):
            shutil.copyfile(content, held)
        else:
            held.write_bytes(content)
        yield held


def _read(name: str, kept: KeptReport) -> ReadStatement:
    """Return what was read in bulk."""
    return ReadStatement(
        name=name,
        format=FORMAT,
        provider=PROVIDER,
        scope=StatementScope.LEDGER,
        made=kept.batch.rows,
        sums=kept.sums,
        rejects=kept.rejects,
        rows=kept.rows,
        checks=checks_of(kept),
        sha256=kept.batch.name,
        first_at=kept.batch.first_at,
        last_at=kept.batch.last_at,
    )


def _file(read: ReadStatement, shop: str, provider: str | None, now: datetime) -> StatementFile:
    return StatementFile(
        sha256=read.sha256,
        shop=shop,
        provider=provider or read.provider,
        format=read.format,
        name=read.name[-512:],
        imported_at=now,
        rows=read.rows,
        rejected=len(read.rejects),
        first_at=read.first_at,
        last_at=read.last_at,
        checks=read.checks,
        scope=read.scope,
        marks=read.marks,
    )


def _ending(path: Path) -> str:
    with path.open("rb") as file:
        start = file.read(_HEAD).lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n\x00")[:1]
    return {b"<": "xml", b"{": "json", b"[": "json"}.get(start, "csv")
