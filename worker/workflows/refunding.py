"""Giving money back on request, as steps of a workflow: plan, then carry out. The plan stays in the history.

The idempotency key names the order and the request, not the workflow: a request that reaches the order's own
process and, repeated after its end, a RefundWorkflow is one refund.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import replace

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

with workflow.unsafe.imports_passed_through():
    from worker.activities.refunds import PlannedRefund, RefundActivities, RefundWish
    from worker.contract.ids import refund_workflow_id
    from worker.contract.orders import OrderStatus, RefundAnswer, RefundOrder
    from worker.domain.errors import Conflict, OrdersError
    from worker.domain.order import OrderState
    from worker.domain.refund import check
    from worker.workflows.policies import OUTSIDE, REVERSAL


class Refunding:
    """The refunds of one order, one after another. `turn` is held by whoever moves its money."""

    def __init__(self, shop: str, order_id: str, made: Iterable[tuple[RefundOrder, RefundAnswer]] = ()) -> None:
        self.turn = asyncio.Lock()
        self._shop = shop
        self._order_id = order_id
        self._given = {request.request_id: (request, answer) for request, answer in made}

    def allow(self, request: RefundOrder, status: OrderStatus) -> None:
        """Raise an ApplicationError of type `conflict` or `invalid_input` when the request cannot be fulfilled."""
        if request.request_id in self._given:
            if replace(self._given[request.request_id][0], requested_by=request.requested_by) != request:
                raise ApplicationError("this request id was used for another refund", type=Conflict.code)
            return
        try:
            left = status.captured_minor - status.refunded_minor - status.disputed_minor
            check(OrderState(status.state), left, request.amount_minor)
        except OrdersError as refusal:
            raise ApplicationError(str(refusal), type=refusal.code) from None

    def given(self, request: RefundOrder) -> RefundAnswer | None:
        """Return the answer to a request that was fulfilled before, marked as a duplicate."""
        known = self._given.get(request.request_id)
        return replace(known[1], outcome="duplicate") if known else None

    def made(self) -> list[tuple[RefundOrder, RefundAnswer]]:
        """Return every request that was fulfilled, with its answer."""
        return list(self._given.values())

    async def give(self, request: RefundOrder) -> tuple[RefundAnswer, OrderStatus]:
        """Give the money back; the caller holds `turn`. Raises ApplicationError with the code of a refusal."""
        key = refund_workflow_id(self._shop, self._order_id, request.request_id)
        try:
            plan = await workflow.execute_activity_method(
                RefundActivities.plan_refund,
                RefundWish(
                    shop=self._shop,
                    order_id=self._order_id,
                    amount_minor=request.amount_minor,
                    request_id=request.request_id,
                    requested_by=request.requested_by,
                ),
                summary="plan the refund",
                **OUTSIDE,
            )
            status = await workflow.execute_activity_method(
                RefundActivities.make_refund,
                PlannedRefund(
                    shop=self._shop,
                    order_id=self._order_id,
                    plan=plan,
                    key=key,
                    request_id=request.request_id,
                    requested_by=request.requested_by,
                ),
                summary=f"refund {plan.amount_minor} for {request.requested_by}"[:180],
                **REVERSAL,
            )
        except ActivityError as problem:
            if not isinstance(problem.cause, ApplicationError):
                raise
            raise ApplicationError(problem.cause.message, type=problem.cause.type) from None
        answer = RefundAnswer(
            outcome="applied",
            state=status.state,
            currency=status.currency,
            amount_minor=plan.amount_minor,
            refunded_minor=status.refunded_minor,
        )
        self._given[request.request_id] = (request, answer)
        return answer, status
