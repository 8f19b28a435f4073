"""Cancelling pieces of an order that goes on: the parcel is stopped, the order becomes smaller, the rest is asked for anew.

`turn` of the goods is held throughout, as by the order itself whenever it asks for a parcel, takes money for one or ends:
no capture and no parcel is of an order that is being made smaller. Whatever goes wrong between the stop and the rest, the
rest is asked for. Each request takes effect once.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from typing import TypeVar

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

with workflow.unsafe.imports_passed_through():
    from worker.activities.line_cancelling import LineActivities, UnwantedLines
    from worker.activities.orders import OrderActivities, Step
    from worker.contract.orders import CancelLines, LinesAnswer, OrderStatus, PlaceOrder
    from worker.domain.errors import Conflict, InvalidInput, OrdersError, ProviderRejected
    from worker.domain.line_cancelling import check_pieces, check_state
    from worker.domain.order import OrderState
    from worker.services.line_cancelling import Cancelled, Wanted, pieces_of
    from worker.services.order_messages import order_of
    from worker.workflows.policies import OUTSIDE, STEP

KEPT = 50
"""Answered requests that are remembered: more than anybody makes of one order."""
Kept = list[tuple[CancelLines, LinesAnswer]]
T = TypeVar("T")


class LineCancelling:
    """The cancellations of pieces of one order."""

    def __init__(self, place: PlaceOrder, made: Iterable[tuple[CancelLines, LinesAnswer]] = ()) -> None:
        self.turn = asyncio.Lock()
        self._place = place
        self._made = {request.request_id: (request, answer) for request, answer in made}

    def allow(self, request: CancelLines, status: OrderStatus) -> None:
        """Raise an ApplicationError of type `conflict` or `invalid_input` when the request cannot be fulfilled.

        What has left, or was cancelled before, is looked at later: this knows the order as it was placed.
        """
        known = self._made.get(request.request_id)
        if known is not None:
            if pieces_of(known[0]) != pieces_of(request):
                raise ApplicationError("this request id was used for other pieces", type=Conflict.code)
            return
        try:
            order = replace(order_of(self._place), state=OrderState(status.state))
            check_pieces(
                order.lines,
                {number: line.quantity for number, line in enumerate(order.lines, start=1)},
                pieces_of(request),
            )
            check_state(order)
        except OrdersError as refusal:
            raise ApplicationError(str(refusal), type=refusal.code) from None

    def given(self, request: CancelLines) -> LinesAnswer | None:
        """Return the answer to a request that took effect before, marked as a duplicate."""
        known = self._made.get(request.request_id)
        return replace(known[1], outcome="duplicate") if known else None

    def keep(self, request: CancelLines, answer: LinesAnswer) -> LinesAnswer:
        """Remember the answer to a request that took effect, and return it."""
        self._made[request.request_id] = (request, answer)
        return answer

    def made(self) -> Kept:
        """Return the latest requests that took effect."""
        return list(self._made.values())[-KEPT:]

    async def look(self, request: CancelLines) -> Wanted:
        """Look whether the pieces can be cancelled. Raises ApplicationError with the code of a refusal."""
        try:
            return await workflow.execute_activity_method(
                LineActivities.look_at_lines,
                self._unwanted(request),
                summary=f"look at lines, asked by {request.requested_by}"[:180],
                **OUTSIDE,
            )
        except ActivityError as problem:
            raise _refusal(problem) from None

    async def cancel(self, request: CancelLines) -> Cancelled:
        """Cancel the pieces; nothing may be under way. Raises ApplicationError with the code of a refusal."""
        try:
            return await workflow.execute_activity_method(
                LineActivities.cancel_lines,
                self._unwanted(request),
                summary=f"cancel lines for {request.requested_by}"[:180],
                **OUTSIDE,
            )
        except ActivityError as problem:
            raise _refusal(problem) from None

    async def stop(self) -> OrderStatus:
        """Stop what has not left."""
        step = Step(shop=self._place.shop, order_id=self._place.order_id)
        return await workflow.execute_activity_method(
            OrderActivities.stop_fulfilment, step, summary="stop the parcel that holds cancelled pieces", **STEP
        )

    async def ask_for_rest(self, request: CancelLines) -> OrderStatus | None:
        """Ask for what is owed now; None where the warehouse refuses it."""
        key = f"{workflow.info().workflow_id}:lines:{request.request_id}"
        step = Step(shop=self._place.shop, order_id=self._place.order_id, key=key)
        try:
            return await workflow.execute_activity_method(
                OrderActivities.request_rest, step, summary="ask for what is left of the order", **STEP
            )
        except ActivityError as problem:
            if isinstance(problem.cause, ApplicationError) and problem.cause.type == ProviderRejected.code:
                return None
            raise

    def _unwanted(self, request: CancelLines) -> UnwantedLines:
        return UnwantedLines(shop=self._place.shop, order_id=self._place.order_id, request=request)


def _refusal(problem: ActivityError) -> BaseException:
    if isinstance(problem.cause, ApplicationError) and problem.cause.type in {Conflict.code, InvalidInput.code}:
        return ApplicationError(problem.cause.message, type=problem.cause.type)
    return problem
