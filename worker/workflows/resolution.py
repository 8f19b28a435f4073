"""A person's decision about an order whose own process ended in `needs_attention`."""

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

with workflow.unsafe.imports_passed_through():
    from worker.activities.resolution import ResolutionActivities
    from worker.contract.names import WorkflowType
    from worker.contract.orders import OrderAnswer, ResolveOrder
    from worker.workflows.policies import REVERSAL


@workflow.defn(name=WorkflowType.RESOLUTION)
class ResolutionWorkflow:
    """Runs one decision. One workflow an order: two people decide one after another, and the second is answered so."""

    @workflow.run
    async def run(self, request: ResolveOrder) -> OrderAnswer:
        """Return where the order ended. A refusal is a failure with its code: nothing happened."""
        try:
            return await workflow.execute_activity_method(
                ResolutionActivities.resolve_order,
                request,
                summary=f"asked for by {request.requested_by}"[:180],
                **REVERSAL,
            )
        except ActivityError as problem:
            if not isinstance(problem.cause, ApplicationError):
                raise
            raise ApplicationError(problem.cause.message, type=problem.cause.type) from None
