"""Stores of reconciliation: runs, breaks, statement files."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Protocol

from worker.contract.reconciliation import Mode
from worker.domain.continuity import Mark
from worker.domain.finding import Break, Finding, Leg, Statement
from worker.domain.ledger import BankEntry, LedgerLine
from worker.domain.window import Span

API = "api"
AT_RISK = "at_risk_minor_"
"""How the counts of a run name what its open breaks put at risk in a currency: `at_risk_minor_EUR`."""


def source_of(mode: Mode) -> str:
    """Return the source of a run of some mode over the provider's API: runs of one mode follow one another."""
    return API if mode is Mode.FULL else f"{API}/{mode}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One reconciliation run, as stored. `verdict` is empty while it runs."""

    run_id: str
    shop: str
    provider: str
    window_start: datetime
    window_end: datetime
    source: str
    """`api` (`api/light`, `api/close` for runs of those modes), or `statement:{sha256}`."""
    requested_by: str
    workflow_id: str
    started_at: datetime
    finished_at: datetime | None = None
    verdict: str = ""
    counts: Mapping[str, int] | None = None
    """matched, within_tolerance (of the matched), pending, warnings, breaks_open, breaks_new, breaks_persisting, breaks_resolved, repairs_requested; and for each currency what is at risk in open breaks (`AT_RISK`)."""
    incomplete_because: tuple[str, ...] = ()
    report: str = ""
    inputs: str = ""
    """Where in the lake that lies which the run was gathered with; empty: before the first release that kept it."""
    result_sha256: str = ""
    """Of what the run found, before people's decisions and without what the run before left open."""

    @property
    def of_api(self) -> bool:
        """Whether the provider itself was asked, not a file of it."""
        return self.source.partition("/")[0] == API

    @property
    def mode(self) -> Mode:
        """What the run was to compare; of a file, everything it holds."""
        source, _, mode = self.source.partition("/")
        return Mode(mode) if source == API and mode else Mode.FULL


class RunStore(Protocol):
    """Reconciliation runs, their statements and findings, and the watermark."""

    def begin(self, run: Run) -> None:
        """Insert the run, or start it over when it exists unfinished. A finished run is left as it is."""
        ...

    def finish(self, run: Run, statements: Sequence[Statement], findings: Iterable[tuple[Finding, str]]) -> None:
        """Store the result: verdict and counts, statements, and every finding that is no plain match.

        Each comes with the text of its document (`finding_text`); beside it, its evidence may be missing.
        """
        ...

    def get(self, run_id: str) -> Run | None:
        """Return the run or None."""
        ...

    def recent(self, shop: str | None, limit: int) -> list[Run]:
        """Return the newest finished or running runs, newest first."""
        ...

    def before(self, shop: str, provider: str, source: str, end: datetime) -> Run | None:
        """Return the first complete run of that source whose window ended at `end`, or None."""
        ...

    def statements(self, run_id: str) -> list[Statement]:
        """Return the statements of a run, by currency."""
        ...

    def findings(self, run_id: str) -> list[Finding]:
        """Return the stored findings of a run (all that were no plain match)."""
        ...

    def each_finding(self, run_id: str, *, breaks: bool = True) -> Iterator[Finding]:
        """Stream them; without `breaks`, those that are none."""
        ...

    def differing(self, run_id: str) -> Iterator[tuple[Leg, str, str]]:
        """Stream leg, key and currency of the findings of a run that are breaks."""
        ...

    def set_report(self, run_id: str, report: str) -> None:
        """Record where the report was written."""
        ...

    def after(self, shop: str, provider: str, source: str, end: datetime) -> Run | None:
        """Return the newest complete run of that source whose window ended later than `end`, or None."""
        ...

    def of_window(self, shop: str, provider: str, source: str, start: datetime, end: datetime) -> Run | None:
        """Return the newest complete run of that source over exactly this window, or None."""
        ...

    def closes(self, shop: str, provider: str, since: datetime) -> list[Run]:
        """Return the runs that were to close a month and began since then, complete or not, oldest first."""
        ...

    def watermark(self, shop: str, provider: str, mode: Mode = Mode.FULL) -> datetime | None:
        """Return up to when complete runs of a mode cover time without a hole, or None before the first.

        Of closing it is the end of the last month that is closed, and before it every one is.
        """
        ...

    def advance_watermark(
        self, shop: str, provider: str, start: datetime, end: datetime, mode: Mode = Mode.FULL
    ) -> datetime:
        """Move the watermark to `end` if [start, end) continues it; return where it stands (locked row)."""
        ...

    def lock(self, shop: str, provider: str) -> None:
        """Serialise the breaks of one shop and provider until the transaction ends."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakAction:
    """One line of a break's history: an entry of the audit trail."""

    at: datetime
    actor: str
    action: str
    """Of the engine: `found`, `class_changed`, `resolved`, `reopened`.

    Of repairs: `repair_requested`, `repair_would`, `repair_refused`, `repair_off`, `repair_without_effect`,
    `repair_failed`, `repair_begun_anew`. Of people: `assigned`, `commented`, `resolved`, `ignored`, `reopened`,
    `linked`."""
    run_id: str
    detail: str = ""
    reason: str = ""
    """Why a person did it, in their words; it may hold personal data by mistake and is never logged."""
    row: str = ""
    """Mark of the row of an imported file it came from."""

    @property
    def words(self) -> str:
        """What it did and why, for a person to read."""
        return ": ".join(text for text in (self.detail, self.reason) if text)


class BreakStore(Protocol):
    """Breaks and their history."""

    def open(self, shop: str, provider: str) -> list[Break]:
        """Return the open breaks, oldest first."""
        ...

    def each_open(self, shop: str, provider: str) -> Iterator[Break]:
        """Stream the open breaks, oldest first."""
        ...

    def by_ids(self, break_ids: Sequence[str]) -> dict[str, Break]:
        """Return the named breaks, whatever their status."""
        ...

    def lapsed(self, shop: str, provider: str, now: datetime) -> list[Break]:
        """Return the breaks whose time of being ignored has ended."""
        ...

    def save(self, item: Break, action: BreakAction | None) -> None:
        """Insert or update a break and append to its history (the audit trail of its shop)."""
        ...

    def save_all(self, items: Iterable[tuple[Break, BreakAction | None, str]]) -> None:
        """Do as `save` does for each.

        Each comes with the text of its finding's document (`finding_text`), beside which its evidence may be missing; or
        with an empty text, and all evidence.
        """
        ...

    def get(self, break_id: str) -> Break | None:
        """Return one break or None."""
        ...

    def history(self, break_id: str) -> list[BreakAction]:
        """Return the history of a break, oldest first."""
        ...

    def histories(self, break_ids: Sequence[str]) -> dict[str, list[BreakAction]]:
        """Return the histories of breaks, oldest first; one without any is absent."""
        ...

    def listed(
        self,
        shop: str | None,
        *,
        status: str | None,
        limit: int,
        owner: str | None = None,
        provider: str | None = None,
        order_id: str | None = None,
    ) -> list[Break]:
        """Return breaks, largest amount at risk first.

        `status` may also be `open`, `settled` (by a person) or `ignored`; `owner` may be empty for nobody.
        """
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
    """One imported statement file, of one shop: the same bytes may be another shop's too."""

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
    marks: tuple[Mark, ...] = ()
    """What it begins and ends with, where its format tells; none of files that an earlier release imported."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectedRow:
    """A row that could not be read; `line` counts from 1 and includes the header."""

    line: int
    column: str
    reason: str


class RejectedRows(Protocol):
    """Rejected rows, of which there may be any number."""

    def __len__(self) -> int:
        """Return how many there are."""
        ...

    def __iter__(self) -> Iterator[RejectedRow]:
        """Return them in the order of the file, as often as it is asked for."""
        ...

    def __getitem__(self, some: slice, /) -> Sequence[RejectedRow]:
        """Return the first ones."""
        ...


class StatementStore(Protocol):
    """Imported statement files; their lines are in the lake."""

    def add(self, file: StatementFile, rejects: RejectedRows) -> bool:
        """Store what is known of the file; return False when its shop has this very file (SHA-256) already."""
        ...

    def recent(self, shop: str, limit: int) -> list[StatementFile]:
        """Return the files imported last, newest first."""
        ...

    def get(self, shop: str, sha256: str) -> StatementFile | None:
        """Return the shop's file or None."""
        ...

    def telling(
        self, shop: str, provider: str, scope: StatementScope, start: datetime, end: datetime
    ) -> list[StatementFile]:
        """Return the files of one scope that tell of a time in [start, end], as they were imported, the newest last."""
        ...

    def marks(self, shop: str, provider: str | None = None) -> dict[str, StatementFile]:
        """Return the files that say what they begin and end with, by SHA-256, of one provider or of all."""
        ...

    def lines(self, shop: str, sha256: str) -> Iterator[LedgerLine]:
        """Stream the lines of a file that was imported before there was a lake, in file order."""
        ...

    def rejects(self, shop: str, sha256: str) -> list[RejectedRow]:
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
