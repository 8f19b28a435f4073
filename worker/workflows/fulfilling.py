"""How an order gets its parcel: asked for, waited for, and stopped in time when it must not leave.

An order that is captured on shipment stays `authorised` meanwhile. Its money is taken once the parcel has left; when it
lapses before that, the parcel is stopped first, and only then is the order given another chance to be paid.
"""

from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

with workflow.unsafe.imports_passed_through():
    from worker.activities.orders import OrderActivities, Recorded
    from worker.domain.errors import ProviderRejected
    from worker.domain.order import TERMINAL, OrderState
    from worker.workflows.order_steps import OrderSteps, from_now

FULFILMENT_SLA = "fulfilment SLA"


class Fulfilling(OrderSteps):
    """Asks for the parcel and sees it off."""

    async def _fulfil(self, recorded: Recorded, name: str = "fulfil") -> None:
        """Bring the order to its end; or to `lapsed`, where its money is gone and its parcel has not left."""
        async with self._addresses.turn:  # one that is being changed is in what the warehouse is asked for
            self._addresses.asked_for = True
        try:
            if not (self._lapsed and self._held):
                await self._do(name, OrderActivities.request_fulfilment, "ask for the parcel")
        except ActivityError as problem:
            if not (isinstance(problem.cause, ApplicationError) and problem.cause.type == ProviderRejected.code):
                raise
            await self._reverse(OrderState.REFUNDED, "the warehouse refused the parcel")
            return
        deadline = self._until(FULFILMENT_SLA, timedelta(seconds=recorded.fulfilment_sla_seconds))
        try:
            await self._wait(self._decided, from_now(deadline), FULFILMENT_SLA, FULFILMENT_SLA, deadline)
        except TimeoutError:
            self._parcel_failed = "nothing was shipped within the fulfilment SLA"
        if self._parcel_left and self._held:
            await self._take_for_parcel()
        if self._state in TERMINAL:
            return
        await self._do("stop", OrderActivities.stop_fulfilment, "stop the parcel")
        if self._held:  # it may have left before it could be stopped
            await self._take_for_parcel()
        if self._state in TERMINAL:
            return
        if self._lapsed and self._held and not (self._cancel or self._parcel_failed):
            again = recorded.payment_retry_window_seconds > 0
            await self._do("lapse", OrderActivities.lapse_payment, "the authorisation is gone", may_retry=again)
            self._lapsed = False
            self._addresses.asked_for = False  # the parcel is stopped, and asked for anew once the order is paid
        else:
            to = OrderState.CANCELLED if self._cancel else OrderState.REFUNDED
            await self._reverse(to, self._cancel or self._parcel_failed or "")

    def _decided(self) -> bool:
        """Tell whether it is known what becomes of the parcel."""
        return (
            self._state in TERMINAL
            or self._cancel is not None
            or self._parcel_failed is not None
            or (self._held and (self._parcel_left or self._lapsed))
        )

    async def _take_for_parcel(self) -> None:
        """Take the money of a parcel that has left. The key is the same whenever that is found out."""
        await self._do("capture", OrderActivities.capture_shipped, f"capture {self._amount()} if the parcel has left")

    @property
    def _held(self) -> bool:
        """Whether the money is held, and to be taken when the parcel leaves."""
        return self._on_shipment and self._state is OrderState.AUTHORISED
