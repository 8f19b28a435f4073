"""One order, from the first word of it to its last state.

    record -> authorise -> capture -> request fulfilment -> wait for the parcel -> completed
                (or wait for the payment's event, asking for it now and then)
Cancelled before capture: voided. After capture: refunded. A failed parcel: refunded. Any other exit
(cancellation, failure) stops the parcel and gives the money back first; a step that is under way is waited
for, since what it does outside can only be undone once it is done. The state lives in MySQL; this class keeps
the last answer of it and never a second truth. An order that hears so much that its history becomes long goes on as a
new run, while it waits (worker.workflows.carrying).
"""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import chain, repeat

from temporalio import workflow
from temporalio.common import SearchAttributeKey
from temporalio.exceptions import ActivityError, ApplicationError, FailureError

with workflow.unsafe.imports_passed_through():
    from worker.activities.orders import Delivery, OrderActivities, Recorded, Reverse, Step
    from worker.contract.names import OrderMessage, SearchAttribute, WorkflowType
    from worker.contract.orders import (
        CancelOrder,
        OrderAnswer,
        OrderEvent,
        OrderEventKind,
        OrderStatus,
        PlaceOrder,
        RefundAnswer,
        RefundOrder,
    )
    from worker.domain.errors import Conflict, OrdersError, ProviderRejected
    from worker.domain.money import Money
    from worker.domain.order import TERMINAL, OrderState, may_follow
    from worker.workflows.carrying import STORY_KEPT, Carried, OrderInput, Seen
    from worker.workflows.exits import heed_cancellation, shielded
    from worker.workflows.policies import ASKING, EVENT, RECORDING, REVERSAL, STEP
    from worker.workflows.refunding import Refunding
    from worker.workflows.telling import Telling

STATE = SearchAttributeKey.for_keyword(SearchAttribute.ORDER_STATE)
TOO_LATE_TO_CANCEL = TERMINAL | {OrderState.SHIPPED, OrderState.REFUNDING}
WITH_THE_WAREHOUSE = frozenset({OrderState.PAID, OrderState.FULFILLING})
"""States in which the warehouse may have been asked for a parcel."""
PAYMENT_WINDOW = "payment window"
FULFILMENT_SLA = "fulfilment SLA"


@workflow.defn(name=WorkflowType.ORDER)
class OrderWorkflow:
    """Runs one order; see the module's text for the path."""

    @workflow.init
    def __init__(self, order: OrderInput) -> None:
        place, carried = order.place, order.carried
        self._place = place
        self._carried = carried
        self._status = carried.status if carried else None
        self._over = False
        self._long = False
        self._cancel: str | None = None
        self._parcel_failed: str | None = None
        self._refunds = Refunding(place.shop, place.order_id, carried.refunds if carried else ())
        self._telling = Telling(place.shop, place.order_id)
        self._seen = Seen(carried.seen if carried else ())
        self._story = list(carried.story) if carried else []

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
            applied = await workflow.execute_activity_method(
                OrderActivities.apply_event,
                Delivery(shop=self._place.shop, order_id=self._place.order_id, event=event),
                summary=f"{event.kind} {event.reference}",
                **EVENT,
            )
        except ActivityError:
            self._seen.discard(event.event_id)  # it was not taken in: no repetition of it is a duplicate
            raise
        self._stand(applied.status)
        if event.kind is OrderEventKind.SHIPMENT_FAILED and applied.answer.outcome == "applied":
            self._parcel_failed = event.detail or "the warehouse could not ship"
        return applied.answer

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
        """Give money back, once per request id. When all of it went before the parcel left, the order ends."""
        await self._recorded()
        async with self._refunds.turn:
            if (before := self._refunds.given(request)) is not None:
                return before
            self._may_refund(request)  # again: it may have waited for its turn
            answer, status = await self._refunds.give(request)
            self._stand(status)
        self._story.append(f"- {workflow.now():%Y-%m-%d %H:%M:%S} UTC refunded {answer.amount_minor} on request")
        workflow.set_current_details("\n".join(self._story))
        if status.captured_minor == status.refunded_minor and self._state in WITH_THE_WAREHOUSE:
            self._parcel_failed = self._parcel_failed or request.reason or f"refunded for {request.requested_by}"
        return answer

    @refund.validator
    def _may_refund(self, request: RefundOrder) -> None:
        if self._status is None:
            return
        self._refunds.allow(request, self._status)
        if self._refunds.given(request) is None and self._cancel is not None:
            raise ApplicationError("the order is being cancelled: all its money goes back", type=Conflict.code)

    async def _process(self, place: PlaceOrder) -> None:
        recorded = await workflow.execute_local_activity_method(
            OrderActivities.record_order, place, summary="record and validate", **RECORDING
        )
        self._stand(recorded.status)
        heed_cancellation()
        if self._state is OrderState.PAYING and not self._cancel:
            await self._do("authorise", OrderActivities.authorise_payment, self._amount())
        if self._state is OrderState.AWAITING_PAYMENT:
            await self._wait_for_payment(recorded)
        if self._state is OrderState.AUTHORISED and not self._cancel:
            await self._do("capture", OrderActivities.capture_payment, self._amount())
        if self._state in WITH_THE_WAREHOUSE and not self._cancel:
            await self._fulfil(timedelta(seconds=recorded.fulfilment_sla_seconds))
        if self._cancel and self._state not in TERMINAL:
            await self._reverse(OrderState.CANCELLED, self._cancel)
        if self._state is OrderState.REFUNDING:  # left so by an earlier run that was terminated
            await self._reverse(OrderState.REFUNDED, recorded.status.reason)
        if self._state is OrderState.AWAITING_PAYMENT:  # too little came for the order to expire empty-handed
            await self._reverse(OrderState.REFUNDED, "not paid in full within the payment window")

    async def _wait_for_payment(self, recorded: Recorded) -> None:
        deadline = self._until(PAYMENT_WINDOW, timedelta(seconds=recorded.payment_window_seconds))
        left = _from_now(deadline)
        ladder = [timedelta(seconds=each) for each in recorded.ask_again_seconds]
        # An order that was recorded before there was a ladder has none in its history, and never asks: that is its patch.
        # (`workflow.patched` behind a local activity is not replayed when a query came while that was under way.)
        for wait in chain(ladder, repeat(ladder[-1])) if ladder else ():
            if wait >= left or await self._payment_told(wait, "ask again", deadline):
                break
            left -= wait
            await self._ask_for_payment()
        if not await self._payment_told(left, PAYMENT_WINDOW, deadline):
            await self._do("expire", OrderActivities.expire_order, "payment window passed")

    async def _payment_told(self, within: timedelta, summary: str, deadline: datetime) -> bool:
        """Wait until there is nothing to wait for; return whether that came in time."""
        try:
            await self._wait(
                lambda: self._state is not OrderState.AWAITING_PAYMENT or self._cancel is not None,
                within,
                summary,
                PAYMENT_WINDOW,
                deadline,
            )
        except TimeoutError:
            return False
        return True

    async def _ask_for_payment(self) -> None:
        """Ask its owner what became of the payment; without an answer everything stays as it is."""
        try:
            status = await workflow.execute_activity_method(
                OrderActivities.ask_payment, self._step("ask"), summary="ask what became of the payment", **ASKING
            )
        except ActivityError as problem:
            workflow.logger.warning("the payment could not be asked for", extra={"cause": str(problem.cause)})
        else:
            self._stand(status)
        heed_cancellation()

    async def _fulfil(self, sla: timedelta) -> None:
        try:
            await self._do("fulfil", OrderActivities.request_fulfilment, "ask for the parcel")
        except ActivityError as problem:
            if not (isinstance(problem.cause, ApplicationError) and problem.cause.type == ProviderRejected.code):
                raise
            await self._reverse(OrderState.REFUNDED, "the warehouse refused the parcel")
            return
        deadline = self._until(FULFILMENT_SLA, sla)
        try:
            await self._wait(
                lambda: self._state in TERMINAL or self._cancel is not None or self._parcel_failed is not None,
                _from_now(deadline),
                FULFILMENT_SLA,
                FULFILMENT_SLA,
                deadline,
            )
        except TimeoutError:
            self._parcel_failed = "nothing was shipped within the fulfilment SLA"
        if self._state in TERMINAL:
            return
        await self._do("stop", OrderActivities.stop_fulfilment, "stop the parcel")
        if self._state not in TERMINAL:
            to = OrderState.CANCELLED if self._cancel else OrderState.REFUNDED
            await self._reverse(to, self._cancel or self._parcel_failed or "")

    def _until(self, wait: str, span: timedelta) -> datetime:
        """Return when a wait ends: `span` after it began, be it in an earlier run."""
        earlier, self._carried = self._carried, None
        return earlier.deadline if earlier is not None and earlier.wait == wait else workflow.now() + span

    async def _wait(
        self, over: Callable[[], bool], within: timedelta, summary: str, wait: str, deadline: datetime
    ) -> None:
        """Wait until `over`. Raises TimeoutError when it was not `within` that time.

        With a long history it goes on as a new run, which is told which `wait` this was and until when it may last.
        """
        await workflow.wait_condition(lambda: over() or self._long, timeout=within, timeout_summary=summary)
        if over():
            return
        # What is being answered is answered first; it may be what was waited for.
        await workflow.wait_condition(workflow.all_handlers_finished)
        if not over():
            workflow.continue_as_new(OrderInput.next_run(self._place, self._to_carry(wait, deadline)))

    def _to_carry(self, wait: str, deadline: datetime) -> Carried:
        return Carried(
            status=self._now(),
            wait=wait,
            deadline=deadline,
            seen=list(self._seen),
            refunds=self._refunds.made(),
            story=self._story[-STORY_KEPT:],
        )

    async def _reverse(self, to: OrderState, reason: str) -> None:
        async with self._refunds.turn:  # a refund on request that is under way is finished first
            status = await workflow.execute_activity_method(
                OrderActivities.reverse_payment,
                Reverse(
                    shop=self._place.shop,
                    order_id=self._place.order_id,
                    to=to,
                    reason=reason[:300],
                    key=f"{workflow.info().workflow_id}:reverse",
                ),
                summary=f"void or refund: {reason}"[:180],
                **REVERSAL,
            )
            if status is not None:
                self._stand(status)

    async def _compensate(self, reason: str) -> None:
        """End an order whose process ends early: nobody may get both the parcel and the money."""
        if self._status is not None and self._state in WITH_THE_WAREHOUSE:
            try:
                self._stand(await self._attempt("stop", OrderActivities.stop_fulfilment, "stop the parcel"))
            except ActivityError as problem:
                # The money goes back all the same; reconciliation reports a parcel without an order.
                workflow.logger.warning("the parcel could not be stopped", extra={"cause": str(problem.cause)})
        if self._status is None or self._state not in TERMINAL:
            await self._reverse(OrderState.CANCELLED, reason)

    async def _do(self, name: str, activity: Callable[[OrderActivities, Step], OrderStatus], summary: str) -> None:
        """Do one step and stand where it led; a cancellation takes effect after it."""
        self._stand(await self._attempt(name, activity, summary))
        heed_cancellation()

    async def _attempt(
        self, name: str, activity: Callable[[OrderActivities, Step], OrderStatus], summary: str
    ) -> OrderStatus:
        return await workflow.execute_activity_method(activity, self._step(name), summary=summary, **STEP)

    async def _recorded(self) -> None:
        """Wait for the order to be in the book; one that ended before gets no further (see `_now`)."""
        await workflow.wait_condition(lambda: self._status is not None or self._over)
        self._now()

    def _take_cancellation(self, reason: str) -> OrderAnswer:
        if self._state in TOO_LATE_TO_CANCEL or self._cancel is not None:
            return OrderAnswer(outcome="ignored", state=self._state)
        self._cancel = reason or "cancelled"
        return OrderAnswer(outcome="applied", state=self._state)

    def _stand(self, status: OrderStatus) -> None:
        """Take over a newer status. An answer that was overtaken by a later state is dropped."""
        before = self._status
        if before is not None and not may_follow(OrderState(before.state), OrderState(status.state)):
            return
        self._status = status
        if before is None or before.state != status.state:
            workflow.upsert_search_attributes([STATE.value_set(status.state)])
            why = f": {status.reason}" if status.reason else ""
            self._story.append(f"- {workflow.now():%Y-%m-%d %H:%M:%S} UTC **{status.state}**{why}")
            workflow.set_current_details("\n".join(self._story))

    def _step(self, name: str) -> Step:
        key = f"{workflow.info().workflow_id}:{name}"
        return Step(shop=self._place.shop, order_id=self._place.order_id, key=key)

    def _amount(self) -> str:
        return str(Money(self._place.total_minor, self._place.currency))

    def _now(self) -> OrderStatus:
        if self._status is None:
            raise ApplicationError("the order is not recorded yet", type=Conflict.code)
        return self._status

    @property
    def _state(self) -> OrderState:
        return OrderState(self._now().state)


def _from_now(deadline: datetime) -> timedelta:
    return max(deadline - workflow.now(), timedelta())
