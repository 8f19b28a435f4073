"""Other payment methods for an order that waits for its money: each request is tried once, and answered the same again."""

from collections.abc import Iterable
from dataclasses import replace

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

with workflow.unsafe.imports_passed_through():
    from worker.activities.orders import OrderActivities
    from worker.contract.orders import OrderStatus, PaymentAnswer, RetryPayment
    from worker.domain.errors import Conflict
    from worker.domain.order import METHOD_WELCOME, OrderState
    from worker.domain.payment import may_try_another
    from worker.services.retries import NewMethod
    from worker.workflows.policies import REVERSAL

KEPT = 50
"""Answered requests that are remembered: far more cards than one order is tried with."""


class Retrying:
    """The methods that were supplied for one order. Whoever tries one holds the turn of the order's money."""

    def __init__(self, shop: str, order_id: str, made: Iterable[tuple[RetryPayment, PaymentAnswer]] = ()) -> None:
        self._shop = shop
        self._order_id = order_id
        self._given = {request.request_id: (request, answer) for request, answer in made}

    def allow(self, request: RetryPayment, status: OrderStatus) -> None:
        """Raise an ApplicationError of type `conflict` when the order waits for no method, or the id was used."""
        known = self._given.get(request.request_id)
        if known is not None:
            if known[0].payment_method != request.payment_method:
                raise ApplicationError("this request id was used with another method", type=Conflict.code)
            return
        if OrderState(status.state) not in METHOD_WELCOME:
            raise ApplicationError(f"the order is {status.state}: it waits for no payment method", type=Conflict.code)

    def given(self, request: RetryPayment) -> PaymentAnswer | None:
        """Return the answer to a request that was tried before, marked as a duplicate."""
        known = self._given.get(request.request_id)
        return replace(known[1], outcome="duplicate") if known else None

    @property
    def refused_for_good(self) -> bool:
        """Whether a method was refused in a way after which nobody is asked for another."""
        refusals = (answer for _, answer in self._given.values() if answer.outcome == "declined")
        return any(not may_try_another(answer.reason) for answer in refusals)

    def made(self) -> list[tuple[RetryPayment, PaymentAnswer]]:
        """Return the latest requests that were tried, with their answers."""
        return list(self._given.values())[-KEPT:]

    async def give(self, request: RetryPayment) -> tuple[PaymentAnswer, OrderStatus]:
        """Try the method. Raises ApplicationError with the code of what went wrong for good."""
        try:
            tried = await workflow.execute_activity_method(
                OrderActivities.retry_payment,
                NewMethod(
                    shop=self._shop,
                    order_id=self._order_id,
                    method=request.payment_method,
                    key=f"{workflow.info().workflow_id}:retry:{request.request_id}",
                    request_id=request.request_id,
                    requested_by=request.requested_by,
                    asked_at=workflow.now().isoformat(),
                ),
                summary=f"try another method for {request.requested_by}"[:180],
                **REVERSAL,
            )
        except ActivityError as problem:
            if not isinstance(problem.cause, ApplicationError):
                raise
            raise ApplicationError(problem.cause.message, type=problem.cause.type) from None
        answer = PaymentAnswer(outcome=tried.outcome, state=tried.status.state, reason=tried.reason)
        self._given[request.request_id] = (request, answer)
        return answer, tried.status
