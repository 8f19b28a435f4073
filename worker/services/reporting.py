"""Reporting: gather what a finished run left behind and hand it to the report writer."""

from worker.domain.errors import NotFound
from worker.domain.finding import Break, Finding, Statement
from worker.services.ports import Database, ReportWriter, Run, Transaction

TREND_RUNS = 20


class ReportingService:
    """Writes the report of a run."""

    def __init__(self, database: Database, writer: ReportWriter) -> None:
        self._database = database
        self._writer = writer

    def write(self, run_id: str) -> str:
        """Render the run and record where its report is. Raises NotFound. Writing again replaces it."""

        def gather(
            tx: Transaction,
        ) -> tuple[Run, list[Statement], list[Finding], list[Break], list[Break], list[Run]]:
            run = tx.runs.get(run_id)
            if run is None:
                raise NotFound(f"reconciliation run {run_id} is not stored")
            past = [r for r in tx.runs.recent(run.shop, TREND_RUNS + 1) if r.provider == run.provider]
            earlier = [r for r in past if r.run_id != run_id and r.started_at <= run.started_at]
            resolved = [
                item
                for item in tx.breaks.listed(run.shop, status="resolved", limit=500)
                if item.resolved_at == run.finished_at and item.provider == run.provider
            ]
            opened = tx.breaks.open(run.shop, run.provider)
            return run, tx.runs.statements(run_id), tx.runs.findings(run_id), opened, resolved, earlier

        run, statements, findings, breaks, resolved, earlier = self._database.transact(gather)
        path = self._writer.write(
            run, statements=statements, findings=findings, breaks=breaks, resolved=resolved, earlier=earlier
        )
        self._database.transact(lambda tx: tx.runs.set_report(run_id, path))
        return path
