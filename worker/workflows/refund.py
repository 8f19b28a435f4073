"""One refund asked for after the order's own process has ended: goods that came back, money that came too late."""

from temporalio import workflow

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
        """Return what was given back. A refusal is a failure with its code: nothing happened, the id is free again."""
        answer, _ = await Refunding(late.shop, late.order_id).give(late.refund)
        return answer
