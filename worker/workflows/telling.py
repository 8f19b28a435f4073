"""What a workflow tells in its order's timeline because nothing it does would tell it."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from worker.activities.journal import CancellationAsked, JournalActivities
    from worker.contract.orders import CancelOrder, OrderAnswer
    from worker.workflows.policies import DATABASE


class Telling:
    """Entries of one order."""

    def __init__(self, shop: str, order_id: str) -> None:
        self._shop = shop
        self._order_id = order_id

    async def of_cancellation(self, request: CancelOrder, answer: OrderAnswer) -> OrderAnswer:
        """Tell that the order was asked to stop and what it answered; return that answer."""
        if workflow.patched("cancellations-are-told"):
            await workflow.execute_local_activity_method(
                JournalActivities.tell_of_cancellation,
                CancellationAsked(
                    shop=self._shop,
                    order_id=self._order_id,
                    request_id=request.request_id,
                    requested_by=request.requested_by,
                    outcome=answer.outcome,
                ),
                summary=f"{answer.outcome}, asked for by {request.requested_by}"[:180],
                **DATABASE,
            )
        return answer
