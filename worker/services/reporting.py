"""Reporting: gather what finished runs left behind and hand it to the report writer."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from worker.domain.errors import NotFound
from worker.domain.finding import Break, Finding, Statement, break_id
from worker.services.open_breaks import Followed, OpenBreaks
from worker.services.ports import Database, ReportWriter, Run, Transaction
from worker.services.spool import Spool

TREND_RUNS = 20
"""How many earlier runs a report's trend shows."""
HISTORIES = 10_000
"""For how many open breaks the history is read."""
ASKED_AT_ONCE = 500
INDEXED_RUNS = 10_000
"""How many runs, newest first, the pages over all runs are made of: a year of hourly ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """A run with everything that belongs to it."""

    run: Run
    statements: tuple[Statement, ...]
    findings: Spool[Finding]
    """But those that are breaks."""
    broken: Spool[str]
    """Ids of the breaks that the other findings belong to."""
    breaks: OpenBreaks
    """Open after the newest run of the shop and provider; for the oldest `HISTORIES`, with what was done about them."""
    resolved: tuple[Break, ...]
    """Resolved by this run."""
    earlier: tuple[Run, ...]


def run_record(database: Database, run_id: str) -> RunRecord:
    """Gather a run. Raises NotFound."""

    def gather(tx: Transaction) -> RunRecord:
        run = tx.runs.get(run_id)
        if run is None:
            raise NotFound(f"no run {run_id}; `orders reconcile list` shows them")
        past = [item for item in tx.runs.recent(run.shop, TREND_RUNS + 1) if item.provider == run.provider]
        closed = tx.breaks.listed(run.shop, status="resolved", limit=500)
        return RunRecord(
            run=run,
            statements=tuple(tx.runs.statements(run_id)),
            findings=Spool(tx.runs.each_finding(run_id, breaks=False)),
            broken=Spool(break_id(run.shop, run.provider, *of) for of in tx.runs.differing(run_id)),
            breaks=OpenBreaks(_followed(tx, run)),
            resolved=tuple(
                item for item in closed if item.resolved_at == run.finished_at and item.provider == run.provider
            ),
            earlier=tuple(item for item in past if item.run_id != run_id and item.started_at <= run.started_at),
        )

    return database.transact(gather)


def _followed(tx: Transaction, run: Run) -> Iterator[Followed]:
    opened, left = tx.breaks.each_open(run.shop, run.provider), HISTORIES
    while some := list(islice(opened, ASKED_AT_ONCE)):
        histories = tx.breaks.histories([item.break_id for item in some[:left]])
        left = max(left - len(some), 0)
        for item in some:
            yield item, tuple(histories.get(item.break_id, ()))


class ReportingService:
    """Writes the report of a run."""

    def __init__(self, database: Database, writer: ReportWriter) -> None:
        self._database = database
        self._writer = writer

    def write(self, run_id: str) -> str:
        """Render the run, record where its report is, and bring the index up to it.

        Raises NotFound. Writing again replaces it.
        """
        record = run_record(self._database, run_id)
        path = self._writer.write(
            record.run,
            statements=record.statements,
            findings=record.findings,
            breaks=record.breaks,
            resolved=record.resolved,
            earlier=record.earlier,
            broken=record.broken,
        )
        self._database.transact(lambda tx: tx.runs.set_report(run_id, path))
        self.write_index(record.run)
        return path

    def write_index(self, latest: Run | None = None) -> str:
        """Write the pages over all runs; return the path of the index. Without `latest`, every page anew.

        Several runs may end at once, each in a process of its own, and an object store knows no order of writers. So
        who wrote reads again: if another run has been added meanwhile, the pages are written again. Whoever writes
        last has then seen all that was there, and no run is missing from the index.
        """
        runs = self._runs()
        while True:
            path = self._writer.write_index(runs, latest)
            written, runs = runs, self._runs()
            if runs == written:
                return path

    def _runs(self) -> list[Run]:
        return self._database.transact(lambda tx: tx.runs.recent(None, INDEXED_RUNS))
