"""One run of an order: where it stands, the steps it takes, what it waits for, and how it gives everything back.

The state lives in MySQL; this class keeps the last answer of it and never a second truth. What the parts of the process
(worker.workflows.paying, worker.workflows.fulfilling) and its messages (worker.workflows.order) share is here.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TypeVar

from temporalio import workflow
from temporalio.common import SearchAttributeKey
from temporalio.exceptions import ActivityError, ApplicationError

with workflow.unsafe.imports_passed_through():
    from worker.activities.orders import OrderActivities, Reverse, Step
    from worker.contract.names import SearchAttribute
    from worker.contract.orders import OrderAnswer, OrderStatus, PaymentMode
    from worker.domain.errors import Conflict
    from worker.domain.money import Money
    from worker.domain.order import TERMINAL, OrderState, may_follow
    from worker.domain.parcels import PARTS
    from worker.workflows.carrying import STORY_KEPT, Carried, OrderInput, Seen
    from worker.workflows.exits import heed_cancellation
    from worker.workflows.line_cancelling import LineCancelling
    from worker.workflows.policies import ASKING, REVERSAL, STEP
    from worker.workflows.readdressing import Readdressing
    from worker.workflows.refunding import Refunding
    from worker.workflows.retrying import Retrying
    from worker.workflows.telling import Telling

T = TypeVar("T")
STATE = SearchAttributeKey.for_keyword(SearchAttribute.ORDER_STATE)
TOO_LATE_TO_CANCEL = TERMINAL | {OrderState.SHIPPED, OrderState.REFUNDING}


class OrderSteps:
    """The state of one run, and its steps."""

    def __init__(self, order: OrderInput) -> None:
        place, carried = order.place, order.carried
        self._place = place
        self._carried = carried
        self._status = carried.status if carried else None
        self._over = False
        self._long = False
        self._in_fewer_steps = False
        self._cancel: str | None = None
        self._parcel_failed: str | None = None
        self._parcel_left = carried is not None and carried.parcel_left
        self._lapsed = carried is not None and carried.lapsed
        self._part_left = carried is not None and carried.part_left
        self._refunds = Refunding(place.shop, place.order_id, carried.refunds if carried else ())
        self._retries = Retrying(place.shop, place.order_id, carried.retries if carried else ())
        self._addresses = Readdressing(place.shop, place.order_id, carried.addresses if carried else ())
        self._lines = LineCancelling(place, carried.lines if carried else ())
        self._replacing = False
        self._telling = Telling(place.shop, place.order_id)
        self._seen = Seen(carried.seen if carried else ())
        self._story = list(carried.story) if carried else []

    @property
    def _on_shipment(self) -> bool:
        """Whether the money is captured when the parcel has left."""
        return self._place.payment_mode == PaymentMode.AUTHORISE

    @property
    def _with_the_warehouse(self) -> bool:
        """Whether the order stands where the warehouse may have been asked for a parcel."""
        states = {OrderState.PAID, OrderState.FULFILLING}
        return self._state in (states | {OrderState.AUTHORISED} if self._on_shipment else states)

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
            retries=self._retries.made(),
            addresses=self._addresses.made(),
            lines=self._lines.made(),
            story=self._story[-STORY_KEPT:],
            parcel_left=self._parcel_left,
            lapsed=self._lapsed,
            part_left=self._part_left,
        )

    async def _recorded(self) -> None:
        """Wait for the order to be in the book; one that ended before gets no further (see `_now`)."""
        await workflow.wait_condition(lambda: self._status is not None or self._over)
        self._now()

    def _take_cancellation(self, reason: str) -> OrderAnswer:
        gone = self._parcel_left and not self._part_left
        if self._state in TOO_LATE_TO_CANCEL or gone or self._cancel is not None:
            return OrderAnswer(outcome="ignored", state=self._state)
        self._cancel = reason or "cancelled"
        return OrderAnswer(outcome="applied", state=self._state)

    async def _reverse(self, to: OrderState, reason: str) -> None:
        """End the order: all its money goes back; of one that has left in part, what is due for the rest."""
        # No order of before knows of parts: its history has no status that says so.
        part = self._part_left and workflow.patched("parcels-by-line")
        if part and to is not OrderState.NEEDS_ATTENTION:
            to = OrderState.COMPLETED
        async with self._refunds.turn:  # whatever moves its money now is finished first
            status = await workflow.execute_activity_method(
                OrderActivities.close_rest if part else OrderActivities.reverse_payment,
                Reverse(
                    shop=self._place.shop,
                    order_id=self._place.order_id,
                    to=to,
                    reason=reason[:300],
                    key=f"{workflow.info().workflow_id}:{'rest' if part else 'reverse'}",
                    process=workflow.info().workflow_id if self._status is None else "",
                ),
                summary=f"{'close the rest' if part else 'void or refund'}: {reason}"[:180],
                **REVERSAL,
            )
            if status is not None:
                self._stand(status)

    async def _compensate(self, reason: str) -> None:
        """End an order whose process ends early: nobody may get both the parcel and the money."""
        async with self._lines.turn:  # pieces that are being cancelled are dealt with first
            await self._undo(reason)

    async def _undo(self, reason: str) -> None:
        if self._status is not None and (self._with_the_warehouse or self._addresses.asked_once_paid):
            try:
                self._stand(await self._attempt("stop", OrderActivities.stop_fulfilment, "stop the parcel"))
            except ActivityError as problem:
                # The money goes back all the same; reconciliation reports a parcel without an order.
                workflow.logger.warning("the parcel could not be stopped", extra={"cause": str(problem.cause)})
            if self._on_shipment:
                self._stand(await self._attempt("capture", OrderActivities.capture_shipped, "if the parcel has left"))
        if self._status is None or self._state not in TERMINAL:
            await self._reverse(OrderState.CANCELLED, reason)

    async def _do(
        self,
        name: str,
        activity: Callable[[OrderActivities, Step], OrderStatus],
        summary: str,
        *,
        may_retry: bool = False,
    ) -> None:
        """Do one step and stand where it led; a cancellation takes effect after it."""
        self._stand(await self._attempt(name, activity, summary, may_retry=may_retry))
        heed_cancellation()

    async def _attempt(
        self,
        name: str,
        activity: Callable[[OrderActivities, Step], OrderStatus],
        summary: str,
        *,
        may_retry: bool = False,
    ) -> OrderStatus:
        step = self._step(name, may_retry=may_retry)
        return await workflow.execute_activity_method(activity, step, summary=summary, **STEP)

    async def _ask(self, name: str, activity: Callable[[OrderActivities, Step], T], summary: str) -> T | None:
        """Ask somebody outside how things stand; None where there was no answer."""
        try:
            return await workflow.execute_activity_method(activity, self._step(name), summary=summary, **ASKING)
        except ActivityError as problem:
            workflow.logger.warning(
                "no answer to a question", extra={"activity": activity.__name__, "cause": str(problem.cause)}
            )
            return None

    def _stand(self, status: OrderStatus, *, shown: bool = True) -> None:
        """Take over a newer status, and have it `shown`. An answer that was overtaken by a later state is dropped."""
        before = self._status
        if before is not None and not may_follow(OrderState(before.state), OrderState(status.state)):
            return
        self._status = status
        if status.fulfilment:
            self._part_left = status.fulfilment in PARTS
        if before is None or before.state != status.state:
            if shown:
                self._show()
            why = f": {status.reason}" if status.reason else ""
            self._tell_story(f"**{status.state}**{why}")

    def _show(self) -> None:
        """Have operators find the order by its state."""
        workflow.upsert_search_attributes([STATE.value_set(self._now().state)])

    def _tell_story(self, what: str) -> None:
        """Add a line to the details that the Temporal UI shows."""
        self._story.append(f"- {workflow.now():%Y-%m-%d %H:%M:%S} UTC {what}")
        workflow.set_current_details("\n".join(self._story))

    def _step(self, name: str, *, may_retry: bool = False) -> Step:
        key = f"{workflow.info().workflow_id}:{name}"
        return Step(shop=self._place.shop, order_id=self._place.order_id, key=key, may_retry=may_retry)

    def _amount(self) -> str:
        return str(Money(self._place.total_minor, self._place.currency))

    def _now(self) -> OrderStatus:
        if self._status is None:
            raise ApplicationError("the order is not recorded yet", type=Conflict.code)
        return self._status

    @property
    def _state(self) -> OrderState:
        return OrderState(self._now().state)


def from_now(deadline: datetime) -> timedelta:
    """Return how long it is until a deadline; nothing when it has passed."""
    return max(deadline - workflow.now(), timedelta())
