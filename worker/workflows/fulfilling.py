"""How an order gets its parcels: asked for, waited for, and stopped in time when they must not leave.

An order that is captured on shipment stays `authorised` while money is held for it. Its money is taken once the parcel has left; when it
lapses before that, the parcel is stopped first, and only then is the order given another chance to be paid.
"""

from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

with workflow.unsafe.imports_passed_through():
    from worker.activities.orders import OrderActivities, Recorded
    from worker.contract.orders import PaymentMode
    from worker.domain.errors import ProviderRejected
    from worker.domain.order import TERMINAL, OrderState
    from worker.workflows.exits import heed_cancellation
    from worker.workflows.order_steps import OrderSteps, from_now

FULFILMENT_SLA = "fulfilment SLA"
AGAIN = "fulfil-again"
"""The step that asks for what was stopped when its money had lapsed, once that is paid otherwise."""


class Fulfilling(OrderSteps):
    """Asks for the parcel and sees it off."""

    async def _fulfil(self, recorded: Recorded, name: str = "fulfil") -> None:
        """Bring the order to its end; or to `lapsed`, where its money is gone and not all of it has left."""
        async with self._addresses.turn:  # one that is being changed is in what the warehouse is asked for
            self._addresses.asked_for = True
        try:
            async with self._lines.turn:
                if not self._asked_with_charge(recorded) and not (self._lapsed and self._held):
                    await self._ask_for_parcel(name)
        except ActivityError as problem:
            if not (isinstance(problem.cause, ApplicationError) and problem.cause.type == ProviderRejected.code):
                raise
            await self._reverse(OrderState.REFUNDED, "the warehouse refused the parcel")
            return
        deadline = self._until(FULFILMENT_SLA, timedelta(seconds=recorded.fulfilment_sla_seconds))
        late = False
        try:
            await self._watch(recorded, deadline)
            while self._may_send_more:
                # Parcel by parcel: what each was due is taken, and the rest is waited for. The deadline is the order's.
                self._parcel_left = False
                async with self._lines.turn:
                    await self._take_for_parcel()
                await self._watch(recorded, deadline)
        except TimeoutError:
            late = True
            self._parcel_failed = "nothing was shipped within the fulfilment SLA"
            if self._part_left:
                self._parcel_failed = "the rest was not shipped within the fulfilment SLA"
        async with self._lines.turn:  # pieces that are being cancelled are dealt with first
            await self._close(recorded, late=late)

    async def _close(self, recorded: Recorded, *, late: bool) -> None:
        """Take the money of what has left whole, and stop what has not."""
        if self._parcel_left and self._held and not self._part_left:
            await self._take_for_parcel()
        if self._state in TERMINAL:
            return
        await self._do("stop", OrderActivities.stop_fulfilment, "stop the parcel")
        if self._held and not self._part_left:  # it may have left before it could be stopped
            await self._take_for_parcel()
        if self._state in TERMINAL:
            return
        again = recorded.payment_retry_window_seconds > 0
        if self._rest_may_be_paid(again=again and not late):
            await self._do("lapse", OrderActivities.lapse_payment, "the authorisation is gone", may_retry=True)
            self._lapsed = False
        elif self._part_left and not self._cancel and (late or self._lapsed):
            # The customer waits for goods that will not come, or that are not paid for: a person is to see that.
            await self._reverse(OrderState.NEEDS_ATTENTION, self._parcel_failed or "the authorisation lapsed")
        elif self._lapsed and self._held and not (self._cancel or self._parcel_failed):
            await self._do("lapse", OrderActivities.lapse_payment, "the authorisation is gone", may_retry=again)
            self._lapsed = False
            self._addresses.asked_for = False  # the parcel is stopped, and asked for anew once the order is paid
        else:
            to = OrderState.CANCELLED if self._cancel else OrderState.REFUNDED
            await self._reverse(to, self._cancel or self._parcel_failed or "")

    async def _ask_for_parcel(self, name: str) -> None:
        if self._part_left and name == AGAIN:  # paid otherwise when the hold for the rest had lapsed
            await self._do(name, OrderActivities.request_rest, "ask for what has not left")
        else:
            await self._do(name, OrderActivities.request_fulfilment, "ask for the parcel")

    def _rest_may_be_paid(self, *, again: bool) -> bool:
        """Tell whether another method may pay for the rest of an order that has left in part, its hold having lapsed."""
        lapsed = self._part_left and self._lapsed and self._held and not (self._cancel or self._parcel_failed)
        # Orders of before end with a person at once.
        return lapsed and again and workflow.patched("rests-are-paid-otherwise")

    async def _watch(self, recorded: Recorded, deadline: datetime) -> None:
        """Wait until it is decided what becomes of the parcel, and ask after money that is held meanwhile.

        Raises TimeoutError when nothing was decided by the deadline.
        """
        every = timedelta(seconds=recorded.ask_hold_seconds)
        # A worker that knows no such question must not take its wait for the SLA's: hence a patch besides the setting.
        asks = bool(every) and self._held and workflow.patched("holds-are-asked-after")
        while asks and self._held and every < from_now(deadline):
            try:
                await self._wait(self._decided, every, "ask after the hold", FULFILMENT_SLA, deadline)
            except TimeoutError:
                await self._ask_after_hold()
            else:
                return
        await self._wait(self._decided, from_now(deadline), FULFILMENT_SLA, FULFILMENT_SLA, deadline)

    async def _ask_after_hold(self) -> None:
        """Ask the provider whether the money is still held; without an answer everything stays as it is."""
        hold = await self._ask("hold", OrderActivities.ask_after_hold, "ask whether the money is held")
        if hold is not None:
            self._stand(hold.status)
            self._lapsed = self._lapsed or (hold.lapsed and self._held)
        heed_cancellation()

    def _asked_with_charge(self, recorded: Recorded) -> bool:
        """Tell whether the step that charged the order has asked for its parcel, too."""
        return recorded.at_once and self._state is OrderState.FULFILLING

    def _may_be_asked_for(self, recorded: Recorded) -> bool:
        """Tell whether a step that charged the order, and did not come to its end, may have asked for its parcel."""
        tried = recorded.at_once and self._place.payment_mode == PaymentMode.CHARGE
        return recorded.stops_first and tried and self._state is OrderState.PAID

    def _decided(self) -> bool:
        """Tell whether it is known what becomes of the parcel."""
        return (
            self._state in TERMINAL
            or self._cancel is not None
            or self._parcel_failed is not None
            or (self._held and (self._parcel_left or self._lapsed))
        )

    @property
    def _may_send_more(self) -> bool:
        """Whether a parcel has left that is to be paid for, and others may follow it."""
        ending = self._cancel is not None or self._parcel_failed is not None or self._lapsed
        return self._held and self._parcel_left and self._part_left and not ending

    async def _take_for_parcel(self) -> None:
        """Take the money of a parcel that has left. The key is the same whenever that is found out."""
        await self._do("capture", OrderActivities.capture_shipped, f"capture {self._amount()} if the parcel has left")

    @property
    def _held(self) -> bool:
        """Whether the money is held, and to be taken when the parcel leaves."""
        return self._on_shipment and self._state is OrderState.AUTHORISED
