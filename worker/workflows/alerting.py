"""The end of a reconciliation: alerts. Nothing here can fail the run; what could not be sent is sent by a later one."""

from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from worker.activities.alerts import AlertActivities, AlertOrder
    from worker.workflows.policies import DATABASE_AFTERWARDS, NOTICES

PATCH = "alerts-after-a-run"


class Alerting:
    """Alerts of one run."""

    async def raise_alerts(self, run_id: str, interval_seconds: int) -> None:
        """Weigh the rules, then send what they tell and what earlier runs could not."""
        if not workflow.patched(PATCH):
            return
        try:
            await workflow.execute_activity_method(
                AlertActivities.weigh_alerts,
                AlertOrder(run_id=run_id, interval_seconds=interval_seconds),
                summary="weigh the alerts",
                **DATABASE_AFTERWARDS,
            )
            await workflow.execute_activity_method(
                AlertActivities.send_notices, summary="send what they tell", **NOTICES
            )
        except ActivityError as problem:
            if is_cancelled_exception(problem):
                raise
            workflow.logger.warning("alerts are left to the next run", extra={"cause": str(problem.cause)})
