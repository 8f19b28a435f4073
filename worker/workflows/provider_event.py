"""One outside event: into the inbox, translated, delivered to its order exactly once, filed."""

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, FailureError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from worker.activities.events import EventActivities, Filing, Receipt
    from worker.contract.events import EventResult, ProviderEvent
    from worker.contract.names import WorkflowType
    from worker.domain.errors import InvalidInput
    from worker.services.translation.route import Route
    from worker.workflows.policies import DATABASE, delivery


@workflow.defn(name=WorkflowType.PROVIDER_EVENT)
class ProviderEventWorkflow:
    """Handles one webhook, or its stand-in by a repair."""

    @workflow.run
    async def run(self, event: ProviderEvent) -> EventResult:
        """Return what became of the event: applied, duplicate, ignored, late, unmatched or unreadable."""
        info = workflow.info()
        receipt = Receipt(event=event, workflow_id=info.workflow_id, run_id=info.first_execution_run_id)
        try:
            received = await workflow.execute_local_activity_method(
                EventActivities.receive_event, receipt, summary="inbox and translation", **DATABASE
            )
        except FailureError as problem:
            # A local activity fails with its own error, a remote one with an ActivityError around it.
            cause = problem.cause if isinstance(problem, ActivityError) else problem
            if not (isinstance(cause, ApplicationError) and cause.type == InvalidInput.code):
                raise
            return await self._file(event, EventResult(outcome="unreadable", detail=cause.message))
        route = received.route
        if route is None:
            return EventResult(outcome="duplicate", detail="handled before")
        if route.place is None and route.event is None and route.address is None:
            return await self._file(event, EventResult(outcome="ignored", detail=route.reason), route)
        try:
            result = await workflow.execute_activity_method(
                EventActivities.deliver_event,
                route,
                summary=f"{event.topic} for order {route.order_id}",
                **delivery(received.patience_seconds),
            )
        except ActivityError as problem:
            # Nobody waits for it any more; reconciliation will find what it meant.
            why = _why(problem, received.patience_seconds)
            result = EventResult(outcome="unmatched", detail=f"order {route.order_id} did not take it{why}")
        return await self._file(event, result, route)

    async def _file(self, event: ProviderEvent, result: EventResult, route: Route | None = None) -> EventResult:
        filing = Filing(
            source=event.source,
            event_id=event.event_id,
            outcome=result.outcome,
            detail=result.detail,
            shop=route.shop if route else "",
            order_id=route.order_id if route else "",
            topic=event.topic,
            origin=event.origin,
        )
        await workflow.execute_local_activity_method(
            EventActivities.close_event, filing, summary=f"file as {result.outcome}", **DATABASE
        )
        workflow.set_current_details(f"{event.topic}: **{result.outcome}** {result.detail}")
        return result


def _why(problem: ActivityError, patience_seconds: int) -> str:
    if is_cancelled_exception(problem):
        return ": the delivery was cancelled"
    if isinstance(problem.cause, ApplicationError) and problem.cause.non_retryable:
        return f": {problem.cause.message}"
    return f" within {patience_seconds} s"
