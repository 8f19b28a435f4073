"""One refund asked for after the order's own process has ended: goods that came back, money that came too late."""

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from worker.contract.names import WorkflowType
    from worker.contract.orders import LateRefund, RefundAnswer
    from worker.workflows.refunding import Refunding


@workflow.defn(name=WorkflowType.REFUND)
class RefundWorkflow:
    """Runs one refund; the order stays in the state it ended in.

    Two of them at once may plan to give back the same money; the provider never refunds more than it took, so the
    second is refused there.
    """

    @workflow.run
    async def run(self, late: LateRefund) -> RefundAnswer:
        """Return what was given back, or the code of the refusal: being refused is an answer, not a failure."""
        try:
            answer, _ = await Refunding(late.shop, late.order_id).give(late.refund)
        except ApplicationError as refusal:
            return RefundAnswer(outcome=refusal.type or "refused")
        return answer
