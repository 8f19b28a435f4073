"""What a careless change looks like: the report is written before the books are compared."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from worker.activities.reconciliation import Plan, ReconciliationActivities
    from worker.contract.names import WorkflowType
    from worker.contract.reconciliation import Reconcile
    from worker.workflows.policies import DATABASE, REPORT


@workflow.defn(name=WorkflowType.RECONCILIATION)
class ReportFirst:
    @workflow.run
    async def run(self, request: Reconcile) -> str:
        await workflow.execute_local_activity_method(
            ReconciliationActivities.plan_window, Plan(request=request, nominal=workflow.now().isoformat()), **DATABASE
        )
        return await workflow.execute_activity_method(ReconciliationActivities.write_report, "r-1", **REPORT)
