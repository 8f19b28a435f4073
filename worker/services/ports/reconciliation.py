"""Stores of reconciliation: runs, breaks, statement files."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Protocol

from worker.domain.finding import Break, Finding, Statement
from worker.domain.ledger import BankEntry, LedgerLine
from worker.domain.window import Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One reconciliation run, as stored. `verdict` is empty while it runs."""

    run_id: str
    shop: str
    provider: str
    window_start: datetime
    window_end: datetime
    source: str
    """`api`, or `statement:{sha256}`."""
    requested_by: str
    workflow_id: str
    started_at: datetime
    finished_at: datetime | None = None
    verdict: str = ""
    counts: Mapping[str, int] | None = None
    """matched, pending, warnings, breaks_open, breaks_new, breaks_persisting, breaks_resolved, repairs_requested."""
    incomplete_because: tuple[str, ...] = ()
    report: str = ""


class RunStore(Protocol):
    """Reconciliation runs, their statements and findings, and the watermark."""

    def begin(self, run: Run) -> None:
        """Insert the run, or start it over when it exists unfinished. A finished run is left as it is."""
        ...

    def finish(self, run: Run, statements: Sequence[Statement], findings: Sequence[Finding]) -> None:
        """Store the result: verdict and counts, statements, and every finding that is not matched."""
        ...

    def get(self, run_id: str) -> Run | None:
        """Return the run or None."""
        ...

    def recent(self, shop: str | None, limit: int) -> list[Run]:
        """Return the newest finished or running runs, newest first."""
        ...

    def statements(self, run_id: str) -> list[Statement]:
        """Return the statements of a run, by currency."""
        ...

    def findings(self, run_id: str) -> list[Finding]:
        """Return the stored findings of a run (all that were not matched)."""
        ...

    def set_report(self, run_id: str, report: str) -> None:
        """Record where the report was written."""
        ...

    def watermark(self, shop: str, provider: str) -> datetime | None:
        """Return up to when complete runs cover time without a hole, or None before the first."""
        ...

    def advance_watermark(self, shop: str, provider: str, start: datetime, end: datetime) -> datetime:
        """Move the watermark to `end` if [start, end) continues it; return where it stands (locked row)."""
        ...

    def lock(self, shop: str, provider: str) -> None:
        """Serialise the breaks of one shop and provider until the transaction ends."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakAction:
    """One line of a break's history; append-only."""

    at: datetime
    actor: str
    action: str
    """`found`, `seen`, `class_changed`, `repair_requested`, `resolved`, `reopened`."""
    run_id: str
    detail: str = ""


class BreakStore(Protocol):
    """Breaks and their history."""

    def open(self, shop: str, provider: str) -> list[Break]:
        """Return the open breaks, oldest first."""
        ...

    def by_ids(self, break_ids: Sequence[str]) -> dict[str, Break]:
        """Return the named breaks, whatever their status."""
        ...

    def save(self, item: Break, action: BreakAction | None) -> None:
        """Insert or update a break and append to its history."""
        ...

    def get(self, break_id: str) -> Break | None:
        """Return one break or None."""
        ...

    def history(self, break_id: str) -> list[BreakAction]:
        """Return the history of a break, oldest first."""
        ...

    def listed(self, shop: str | None, *, status: str | None, limit: int) -> list[Break]:
        """Return breaks, largest amount at risk first; `status` may be `open`."""
        ...


class StatementScope(StrEnum):
    """What a statement file tells of, and so what it may be compared with."""

    LEDGER = "ledger"
    """Every movement of the provider's account in its time."""
    PAYOUTS = "payouts"
    """Payouts alone: it says nothing of single payments."""
    BANK = "bank"
    """Entries of a bank account."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementFile:
    """One imported statement file."""

    sha256: str
    shop: str
    provider: str
    format: str
    name: str
    imported_at: datetime
    rows: int
    rejected: int
    first_at: datetime | None
    last_at: datetime | None
    checks: Mapping[str, str]
    """Self-checks of the file and their result in words."""
    scope: StatementScope = StatementScope.LEDGER


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectedRow:
    """A row that could not be read; `line` counts from 1 and includes the header."""

    line: int
    column: str
    reason: str


class StatementStore(Protocol):
    """Imported statement files and their normalised lines."""

    def add(self, file: StatementFile, lines: Sequence[LedgerLine], rejects: Sequence[RejectedRow]) -> bool:
        """Store the file whole; return False when this very file (SHA-256) is there already."""
        ...

    def recent(self, shop: str, limit: int) -> list[StatementFile]:
        """Return the files imported last, newest first."""
        ...

    def get(self, sha256: str) -> StatementFile | None:
        """Return the file or None."""
        ...

    def lines(self, sha256: str) -> Iterator[LedgerLine]:
        """Stream the lines in file order."""
        ...

    def rejects(self, sha256: str) -> list[RejectedRow]:
        """Return the rejected rows in file order."""
        ...


class BankStore(Protocol):
    """Entries of bank accounts, each once however many files hold it: the other end of payouts."""

    def add(self, shop: str, sha256: str, entries: Sequence[BankEntry]) -> int:
        """Store what a file holds and return how many entries are known from it: new ones, and pending ones now booked.

        An entry is known by its account and id: one that is there stays as it is, but for a pending one that is now
        booked, which takes over what the newer file says.
        """
        ...

    def entries(self, shop: str, start: date, end: date) -> Iterator[BankEntry]:
        """Stream the entries booked in [start, end), by day, account and id: all accounts, currencies and statuses."""
        ...

    def covered(self, shop: str, start: datetime, end: datetime) -> list[Span]:
        """Return the spans of time that bank files tell of and that touch [start, end), by their end."""
        ...
