"""One reconciliation: window, comparison, repair, report. Rows stay out of the history; counts go in."""

import hashlib

from temporalio import workflow
from temporalio.common import SearchAttributeKey

with workflow.unsafe.imports_passed_through():
    from worker.activities.reconciliation import Plan, ReconciliationActivities, RepairOrder, RunOrder
    from worker.contract.names import SearchAttribute, WorkflowType
    from worker.contract.reconciliation import Progress, Reconcile, ReconciliationResult
    from worker.domain.finding import Verdict
    from worker.workflows.alerting import Alerting
    from worker.workflows.closing import Closing
    from worker.workflows.comparing import Comparing
    from worker.workflows.policies import COMPARISON, DATABASE, REPORT

NOMINAL_TIME = SearchAttributeKey.for_datetime("TemporalScheduledStartTime")
VERDICT = SearchAttributeKey.for_keyword(SearchAttribute.VERDICT)


@workflow.defn(name=WorkflowType.RECONCILIATION)
class ReconciliationWorkflow:
    """Runs one reconciliation of one shop with one provider."""

    def __init__(self) -> None:
        self._comparing = Comparing()
        self._closing = Closing()

    @workflow.query
    def progress(self) -> Progress:
        """Tell how far the run is."""
        return self._comparing.progress

    @workflow.run
    async def run(self, request: Reconcile) -> ReconciliationResult:
        """Return the verdict and the counts."""
        self._comparing.begin()
        self._closing.begin(request)
        info = workflow.info()
        # Set by the server for runs of a schedule, catch-up and backfill included: the window follows from it.
        nominal = info.typed_search_attributes.get(NOMINAL_TIME) or workflow.now()
        run_id = hashlib.sha256(f"{info.workflow_id}\n{info.first_execution_run_id}".encode()).hexdigest()[:12]
        if self._closing.claims:
            claimed = await self._closing.claim(request, nominal, run_id)
            if not claimed.mine:
                workflow.set_current_details(f"The month is left to run `{claimed.run_id}`")
                return ReconciliationResult(run_id=claimed.run_id, verdict=claimed.verdict, window=claimed.window)
            window = claimed.window
        else:
            window = await workflow.execute_local_activity_method(
                ReconciliationActivities.plan_window,
                Plan(request=request, nominal=nominal.isoformat()),
                summary="window",
                **DATABASE,
            )
        answer = await self._comparing.compare(
            RunOrder(request=request, window=window, run_id=run_id, workflow_id=info.workflow_id)
        )
        workflow.upsert_search_attributes([VERDICT.value_set(answer.verdict)])
        repairs = 0
        if request.repair and answer.verdict != Verdict.RECONCILED:
            repairs = await workflow.execute_activity_method(
                ReconciliationActivities.repair_breaks,
                RepairOrder(shop=request.shop, provider=request.provider, run_id=run_id),
                summary="deliver what was lost",
                **COMPARISON,
            )
        report = await workflow.execute_activity_method(
            ReconciliationActivities.write_report, run_id, summary="report", **REPORT
        )
        await Alerting().raise_alerts(run_id, request.interval_seconds)
        await self._closing.see_to_open_months(request, answer.verdict)
        counts = answer.counts
        workflow.set_current_details(f"Verdict **{answer.verdict}**, run `{run_id}`, report `{report}`")
        return ReconciliationResult(
            run_id=run_id,
            verdict=answer.verdict,
            window=window,
            matched=counts.get("matched", 0),
            pending=counts.get("pending", 0),
            breaks_open=counts.get("breaks_open", 0),
            breaks_new=counts.get("breaks_new", 0),
            breaks_resolved=counts.get("breaks_resolved", 0),
            repairs_requested=repairs,
            report=report,
            incomplete_because=answer.incomplete_because,
        )
