"""How an order that is under way loses pieces: see worker.workflows.line_cancelling for the steps."""

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from worker.contract.ids import fingerprint
    from worker.contract.names import OrderMessage
    from worker.contract.orders import CancelLines, CancelOrder, LinesAnswer, OrderStatus, RefundOrder
    from worker.domain.errors import Conflict
    from worker.services.line_cancelling import Cancelled
    from worker.workflows.order_steps import OrderSteps

ORDER_CANCELLED = "order_cancelled"


class Shrinking(OrderSteps):
    """Takes pieces off the order."""

    @workflow.update(name=OrderMessage.CANCEL_LINES)
    async def cancel_lines(self, request: CancelLines) -> LinesAnswer:
        """Cancel pieces that have not left, once per request id. All that has not left cancels the order."""
        await self._recorded()
        async with self._lines.turn, self._refunds.turn:
            if (before := self._lines.given(request)) is not None:
                return before
            self._may_cancel_lines(request)  # again: it may have waited for its turn
            looked = await self._lines.look(request)
            if looked.everything:
                return await self._all_cancelled(request, looked.status)
            cancelled = await self._cancelled_and_asked_anew(request)
            answer = self._lines.keep(request, await self._given_back(request, cancelled))
        self._tell_story(f"pieces were cancelled: {answer.amount_minor} less, {answer.refunded_minor} given back")
        return answer

    @cancel_lines.validator
    def _may_cancel_lines(self, request: CancelLines) -> None:
        if self._status is None:
            return
        ending = self._cancel is not None or self._parcel_failed is not None or self._lapsed
        if ending and self._lines.given(request) is None:
            raise ApplicationError("what has not left of the order is being stopped", type=Conflict.code)
        self._lines.allow(request, self._status)

    async def _all_cancelled(self, request: CancelLines, status: OrderStatus) -> LinesAnswer:
        answer = self._take_cancellation(request.reason or f"cancelled by {request.requested_by}")
        if answer.outcome != "applied":
            raise ApplicationError(f"the order is {answer.state}: too late to cancel", type=Conflict.code)
        asked = CancelOrder(request_id=request.request_id, requested_by=request.requested_by, reason=request.reason)
        await self._telling.of_cancellation(asked, answer)
        return self._lines.keep(request, _answer(status, reason=ORDER_CANCELLED))

    async def _cancelled_and_asked_anew(self, request: CancelLines) -> Cancelled:
        self._replacing = True
        try:
            self._stand_with_goods(await self._lines.stop())
            return await self._lines.cancel(request)
        finally:
            # One that waits for its money is asked for once it is paid.
            if self._with_the_warehouse and self._cancel is None:
                asked = await self._lines.ask_for_rest(request)
                if asked is None:
                    self._parcel_failed = "the warehouse refused what was left of the order"
                else:
                    self._stand_with_goods(asked)
            self._replacing = False

    async def _given_back(self, request: CancelLines, cancelled: Cancelled) -> LinesAnswer:
        """Give back what was paid for the pieces. What is refused stays held, for reconciliation to show."""
        given, refused = 0, ""
        if cancelled.back_minor:
            back = RefundOrder(
                request_id=f"lines-{fingerprint(request.request_id.encode())[:32]}",
                requested_by=request.requested_by,
                amount_minor=cancelled.back_minor,
                reason=request.reason,
            )
            try:
                answer, status = await self._refunds.give(back)
            except ApplicationError as refusal:
                refused = refusal.type or "refused"
            else:
                self._stand(status)
                given = answer.amount_minor
        return _answer(cancelled.status, cancelled.amount_minor, given, refused)

    def _stand_with_goods(self, status: OrderStatus) -> None:
        """Take over a status after a parcel was stopped: it may tell of one that had left before, which is to be paid."""
        self._stand(status)
        self._parcel_left = self._parcel_left or status.fulfilment not in {"", "unfulfilled"}


def _answer(status: OrderStatus, amount_minor: int = 0, refunded_minor: int = 0, reason: str = "") -> LinesAnswer:
    return LinesAnswer(
        outcome="applied",
        state=status.state,
        currency=status.currency,
        amount_minor=amount_minor,
        refunded_minor=refunded_minor,
        total_minor=status.total_minor,
        reason=reason,
    )
