"""How an order waits for its money: for a payment that is under way, or for another method after a refusal."""

from datetime import datetime, timedelta
from itertools import chain, repeat

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, FailureError
from temporalio.exceptions import TimeoutError as StepTimeout

with workflow.unsafe.imports_passed_through():
    from worker.activities.orders import OrderActivities, Recorded, Step
    from worker.contract.orders import OrderStatus
    from worker.domain.order import AWAITING_ANOTHER, OrderState
    from worker.workflows.exits import heed_cancellation
    from worker.workflows.order_steps import OrderSteps, from_now
    from worker.workflows.policies import CHARGE, CHARGE_AND_FULFIL, CHARGE_WITHIN_TASK

PAYMENT_WINDOW = "payment window"
RETRY_WINDOW = "payment retry window"


class Paying(OrderSteps):
    """Waits for money."""

    async def _pay(self, recorded: Recorded) -> None:
        """Ask for the money: hold it, and unless it is taken when the parcel leaves, take it and ask for the parcel."""
        again = recorded.payment_retry_window_seconds > 0
        if not recorded.in_fewer_steps or self._on_shipment:
            await self._do("authorise", OrderActivities.authorise_payment, self._amount(), may_retry=again)
            return
        whole = Step(
            shop=self._place.shop, order_id=self._place.order_id, key=workflow.info().workflow_id, may_retry=again
        )
        if recorded.at_once:
            # Until it is known what came of it, the warehouse may have been asked.
            self._addresses.asked_once_paid = True
            status = await self._charge_and_fulfil(whole, within_task=recorded.within_task)
            self._addresses.asked_once_paid = False
        else:
            status = await workflow.execute_activity_method(
                OrderActivities.charge_payment, whole, summary=self._amount(), **CHARGE
            )
        self._stand(status)
        heed_cancellation()

    async def _charge_and_fulfil(self, whole: Step, *, within_task: bool) -> OrderStatus:
        if not within_task:
            return await workflow.execute_activity_method(
                OrderActivities.charge_and_fulfil, whole, summary=self._amount(), **CHARGE_AND_FULFIL
            )
        try:
            return await workflow.execute_local_activity_method(
                OrderActivities.charge_and_fulfil, whole, summary=self._amount(), **CHARGE_WITHIN_TASK
            )
        except FailureError as problem:
            if not _worth_another_try(problem):
                raise
            workflow.logger.warning("a charge goes on step by step", extra={"cause": str(problem)})
        # From here on as at a second try. What is waited for is to be seen, and it may be given up meanwhile.
        self._show()
        heed_cancellation()
        return await self._attempt(
            "authorise", OrderActivities.authorise_payment, self._amount(), may_retry=whole.may_retry
        )

    async def _wait_for_payment(self, recorded: Recorded) -> None:
        deadline = self._until(PAYMENT_WINDOW, timedelta(seconds=recorded.payment_window_seconds))
        left = from_now(deadline)
        ladder = [timedelta(seconds=each) for each in recorded.ask_again_seconds]
        # An order that was recorded before there was a ladder has none in its history, and never asks: that is its patch.
        # (`workflow.patched` behind a local activity is not replayed when a query came while that was under way.)
        for wait in chain(ladder, repeat(ladder[-1])) if ladder else ():
            if wait >= left or await self._payment_told(wait, "ask again", deadline):
                break
            left -= wait
            await self._ask_for_payment()
        if not await self._payment_told(left, PAYMENT_WINDOW, deadline):
            await self._give_up_payment("payment window passed")

    async def _wait_for_method(self, recorded: Recorded) -> None:
        """Wait until another method has brought the order on, or its window closes: then nothing is owed."""
        deadline = self._until(RETRY_WINDOW, timedelta(seconds=recorded.payment_retry_window_seconds))
        try:
            await self._wait(
                lambda: self._state not in AWAITING_ANOTHER or self._cancel is not None or self._nobody_else_is_asked,
                from_now(deadline),
                RETRY_WINDOW,
                RETRY_WINDOW,
                deadline,
            )
        except TimeoutError:
            await self._give_up_payment("payment retry window passed")

    @property
    def _nobody_else_is_asked(self) -> bool:
        """Whether a method for the rest was refused because of who pays: its order is over without a rest then."""
        return self._state is OrderState.LAPSED and self._part_left and self._retries.refused_for_good

    def _unpaid(self) -> tuple[OrderState, str]:
        """Return where an order ends that was not paid in full in time, and why."""
        if self._state is OrderState.LAPSED and self._part_left:
            # The customer waits for goods that are not paid for: a person is to see that.
            return OrderState.NEEDS_ATTENTION, "the authorisation lapsed, and no other method paid for the rest in time"
        return OrderState.REFUNDED, "not paid in full within the payment window"

    async def _give_up_payment(self, summary: str) -> None:
        async with self._refunds.turn:  # a method that is being tried may yet be good
            await self._do("expire", OrderActivities.expire_order, summary)

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
        status = await self._ask("ask", OrderActivities.ask_payment, "ask what became of the payment")
        if status is not None:
            self._stand(status)
        heed_cancellation()


def _worth_another_try(problem: FailureError) -> bool:
    # What a local activity has raised comes as it is, other than what a normal one has.
    cause = problem.cause if isinstance(problem, ActivityError) else problem
    return isinstance(cause, StepTimeout) or (isinstance(cause, ApplicationError) and not cause.non_retryable)
