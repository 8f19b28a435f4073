"""One order, from the first word of it to its last state.

    record -> authorise, capture and request fulfilment -> wait for the parcel -> completed
                (or wait for the payment's event, asking for it now and then; or for another method after a refusal)
                        (or request fulfilment, wait for the parcel, and capture when it has left)
An order may leave in several parcels: it completes when nothing more is owed. What was cancelled, failed or did not come in
time after a part has left closes the rest: its share is let go or given back, and a rest that never came is a person's matter.
Cancelled before capture: voided. After capture: refunded. A failed parcel: refunded. Any other exit
(cancellation, failure) stops the parcel and gives the money back first; a step that is under way is waited
for, since what it does outside can only be undone once it is done. An order that hears so much that its history becomes
long goes on as a new run, while it waits (worker.workflows.carrying).
"""

import asyncio

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, FailureError

with workflow.unsafe.imports_passed_through():
    from worker.activities.orders import Delivery, OrderActivities
    from worker.contract.names import OrderMessage, WorkflowType
    from worker.contract.orders import (
        CancelOrder,
        OrderAnswer,
        OrderEvent,
        OrderEventKind,
        OrderStatus,
        PaymentAnswer,
        PlaceOrder,
        ReaddressOrder,
        RefundAnswer,
        RefundOrder,
        RetryPayment,
    )
    from worker.domain.errors import Conflict, OrdersError
    from worker.domain.order import METHOD_WELCOME, TERMINAL, OrderState
    from worker.services.orders import Applied
    from worker.workflows.carrying import OrderInput
    from worker.workflows.exits import heed_cancellation, shielded
    from worker.workflows.fulfilling import AGAIN, Fulfilling
    from worker.workflows.order_steps import TOO_LATE_TO_CANCEL
    from worker.workflows.parcel_stops import why_no_parcel
    from worker.workflows.paying import Paying
    from worker.workflows.policies import DATABASE, EVENT, RECORDING
    from worker.workflows.shrinking import Shrinking

OF_PARCELS = frozenset({OrderEventKind.SHIPPED, OrderEventKind.SHIPMENT_FAILED})
"""What takes one transaction to note; all other events have their owner asked, who may be slow."""


@workflow.defn(name=WorkflowType.ORDER)
class OrderWorkflow(Paying, Fulfilling, Shrinking):
    """Runs one order; see the module's text for the path."""

    @workflow.init
    def __init__(self, order: OrderInput) -> None:
        super().__init__(order)

    @workflow.run
    async def run(self, order: OrderInput) -> OrderStatus:  # noqa: ARG002 - see __init__
        """Run the order to a terminal state and return it."""
        try:
            await self._process(self._place)
        except BaseException as problem:
            # Other exceptions are bugs: they fail the workflow task, not the order, and a fixed worker goes on.
            if not isinstance(problem, asyncio.CancelledError | FailureError | OrdersError):
                raise
            await shielded(self._compensate(f"ended early: {type(problem).__name__}"))
            self._over = True
            await workflow.wait_condition(workflow.all_handlers_finished)
            raise
        await workflow.wait_condition(workflow.all_handlers_finished)
        return self._now()

    @workflow.query(name=OrderMessage.STATUS)
    def status(self) -> OrderStatus | None:
        """Return where the order stands; None before it is recorded."""
        return self._status

    @workflow.update(name=OrderMessage.DELIVER_EVENT)
    async def deliver_event(self, event: OrderEvent) -> OrderAnswer:
        """Take in an outside event, once per event id."""
        await self._recorded()
        # Asked here, where a history grows: an old run that was long already when it met this code stays as it is.
        if workflow.info().is_continue_as_new_suggested() and workflow.patched("long-orders-go-on"):
            self._long = True
        if event.event_id in self._seen:
            return OrderAnswer(outcome="duplicate", state=self._now().state)
        self._seen.add(event.event_id)
        if event.kind is OrderEventKind.SHOP_CANCELLED:
            return self._take_cancellation(event.detail)
        try:
            applied = await self._apply(Delivery(shop=self._place.shop, order_id=self._place.order_id, event=event))
        except FailureError as problem:
            # It was not taken in: no repetition of it is a duplicate. A local activity fails with its own error; orders of
            # before took that for an event that is done with.
            if isinstance(problem, ActivityError) or workflow.patched("failed-events-come-again"):
                self._seen.discard(event.event_id)
            raise
        self._stand(applied.status)
        if applied.answer.outcome == "applied":
            self._heed(event, applied.status)
        return applied.answer

    async def _apply(self, delivery: Delivery) -> Applied:
        event = delivery.event
        summary = f"{event.kind} {event.reference}"
        if self._in_fewer_steps and event.kind in OF_PARCELS:
            return await workflow.execute_local_activity_method(
                OrderActivities.apply_event, delivery, summary=summary, **DATABASE
            )
        return await workflow.execute_activity_method(OrderActivities.apply_event, delivery, summary=summary, **EVENT)

    def _heed(self, event: OrderEvent, status: OrderStatus) -> None:
        """Note what an event that was taken in means to the parcel that is waited for."""
        if not (self._replacing and event.kind is OrderEventKind.SHIPMENT_FAILED):  # stopped, to be asked for anew
            self._parcel_failed = self._parcel_failed or why_no_parcel(event, status)
        if event.kind in {OrderEventKind.SHIPPED, OrderEventKind.DELIVERED}:
            self._parcel_left = True
        elif event.kind is OrderEventKind.PAYMENT_VOIDED:
            self._lapsed = True
        elif event.kind is OrderEventKind.PAYMENT_CAPTURED and self._part_left and self._held:
            self._lapsed = True  # closed by the provider with a part captured: nothing is held for the rest

    @workflow.update(name=OrderMessage.CANCEL)
    async def cancel(self, request: CancelOrder) -> OrderAnswer:
        """Ask the order to stop; the answer says whether it will."""
        await self._recorded()
        answer = self._take_cancellation(request.reason or f"cancelled by {request.requested_by}")
        return await self._telling.of_cancellation(request, answer)

    @cancel.validator
    def _may_cancel(self, request: CancelOrder) -> None:  # noqa: ARG002  the SDK wants the same signature
        if self._status is not None and OrderState(self._status.state) in TOO_LATE_TO_CANCEL:
            raise ApplicationError(f"the order is {self._status.state}: too late to cancel", type=Conflict.code)

    @workflow.update(name=OrderMessage.REFUND)
    async def refund(self, request: RefundOrder) -> RefundAnswer:
        """Give money back, once per request id. When all of it went, the order ends, and nothing more leaves."""
        await self._recorded()
        async with self._refunds.turn:
            if (before := self._refunds.given(request)) is not None:
                return before
            self._may_refund(request)  # again: it may have waited for its turn
            answer, status = await self._refunds.give(request)
            self._stand(status)
        self._tell_story(f"refunded {answer.amount_minor} on request")
        if status.captured_minor == status.refunded_minor and self._with_the_warehouse and self._rest_is_paid_ahead:
            self._parcel_failed = self._parcel_failed or request.reason or f"refunded for {request.requested_by}"
        return answer

    @property
    def _rest_is_paid_ahead(self) -> bool:
        """Whether what has not left was to leave for money that was taken before, and not for money that is held."""
        # Of orders of before the rest left all the same once a part had, with nothing left to pay for it.
        return not self._part_left or (not self._held and workflow.patched("refunded-rests-are-stopped"))

    @refund.validator
    def _may_refund(self, request: RefundOrder) -> None:
        if self._status is None:
            return
        self._refunds.allow(request, self._status)
        if self._refunds.given(request) is None and self._cancel is not None:
            raise ApplicationError("the order is being cancelled: all its money goes back", type=Conflict.code)

    @workflow.update(name=OrderMessage.RETRY_PAYMENT)
    async def retry_payment(self, request: RetryPayment) -> PaymentAnswer:
        """Pay with another method, once per request id, while the order waits for its money."""
        await self._recorded()
        async with self._refunds.turn:
            if (before := self._retries.given(request)) is not None:
                return before
            self._may_retry_payment(request)  # again: it may have waited for its turn
            answer, status = await self._retries.give(request)
            self._stand(status)
        self._tell_story(f"another payment method: {answer.outcome} {answer.reason}".rstrip())
        return answer

    @retry_payment.validator
    def _may_retry_payment(self, request: RetryPayment) -> None:
        if self._status is None:
            return
        if self._cancel is not None and self._retries.given(request) is None:
            raise ApplicationError("the order is being cancelled: nothing is to be paid", type=Conflict.code)
        self._retries.allow(request, self._status)

    @workflow.update(name=OrderMessage.CHANGE_ADDRESS)
    async def change_address(self, request: ReaddressOrder) -> OrderAnswer:
        """Send the parcel elsewhere, once per request id, as long as the warehouse was not asked for it."""
        await self._recorded()
        async with self._addresses.turn:
            if (before := self._addresses.given(request)) is not None:
                return before
            self._may_change_address(request)  # again: it may have waited for its turn
            answer, status = await self._addresses.give(request)
            self._stand(status)
        self._tell_story("the shipping address was changed")
        return answer

    @change_address.validator
    def _may_change_address(self, request: ReaddressOrder) -> None:
        if self._status is None:
            return
        if self._cancel is not None and self._addresses.given(request) is None:
            raise ApplicationError("the order is being cancelled: nothing will be shipped for it", type=Conflict.code)
        self._addresses.allow(request, self._status)

    async def _process(self, place: PlaceOrder) -> None:
        recorded = await workflow.execute_local_activity_method(
            OrderActivities.record_order, place, summary="record and validate", **RECORDING
        )
        self._in_fewer_steps = recorded.in_fewer_steps
        # One that is charged within this task is shown to pay only if that does not go well: nobody sees it before.
        self._stand(recorded.status, shown=not recorded.within_task)
        heed_cancellation()
        if self._state is OrderState.PAYING and not self._cancel:
            await self._pay(recorded)
        if self._state is OrderState.AWAITING_METHOD and not self._cancel:
            await self._wait_for_method(recorded)
        if self._state is OrderState.AWAITING_PAYMENT:
            await self._wait_for_payment(recorded)
        if self._state is OrderState.AUTHORISED and not self._cancel and not self._on_shipment:
            await self._do("capture", OrderActivities.capture_payment, self._amount())
        # A cancellation stops a parcel that was asked for with the charge.
        if self._with_the_warehouse and (self._asked_with_charge(recorded) or not self._cancel):
            await self._fulfil(recorded)
        elif self._may_be_asked_for(recorded):
            async with self._lines.turn:
                await self._close(recorded, late=False)
        if self._state is OrderState.LAPSED and not self._cancel:
            await self._wait_for_method(recorded)
            if self._with_the_warehouse and not self._cancel:
                await self._fulfil(recorded, AGAIN)
        if self._cancel and self._state not in TERMINAL:
            await self._reverse(OrderState.CANCELLED, self._cancel)
        if self._state is OrderState.REFUNDING:  # left so by an earlier run that was terminated
            await self._reverse(OrderState.REFUNDED, recorded.status.reason)
        if self._state in METHOD_WELCOME:  # too little came for the order to expire empty-handed
            await self._reverse(*self._unpaid())
