"""The bare shapes: as many steps as a happy order has, which do nothing, with the arguments and answers of an order."""

from datetime import timedelta
from typing import cast

from temporalio import activity, workflow

with workflow.unsafe.imports_passed_through():
    from worker.activities.orders import Step
    from worker.contract.orders import OrderStatus, PlaceOrder

NORMAL, LOCAL, WAITING = "BareNormal", "BareLocal", "BareWaiting"
STEPS = ("record", "authorise", "capture", "request parcel", "take in its departure")
"""What an order does, however many activities it is done in."""
DEPARTED = "departed"
"""The update that tells of a parcel."""
_PATIENCE = timedelta(seconds=30)


@activity.defn
async def nothing(step: Step) -> OrderStatus:
    """Answer as a step of an order would, and do nothing."""
    return OrderStatus(
        shop=step.shop,
        order_id=step.order_id,
        state="paid",
        currency="EUR",
        total_minor=2500,
        captured_minor=2500,
        refunded_minor=0,
    )


@workflow.defn(name=NORMAL)
class BareNormal:
    """Steps as normal activities, one after the other."""

    @workflow.run
    async def run(self, place: PlaceOrder) -> OrderStatus:
        """Run all steps and return the last answer."""
        for name in STEPS:
            step = Step(shop=place.shop, order_id=place.order_id, key=f"{workflow.info().workflow_id}:{name}")
            status = await workflow.execute_activity(nothing, step, start_to_close_timeout=_PATIENCE)
        return status


@workflow.defn(name=LOCAL)
class BareLocal:
    """Steps as local activities: all of them in one workflow task."""

    @workflow.run
    async def run(self, place: PlaceOrder) -> OrderStatus:
        """Run all steps and return the last answer."""
        for name in STEPS:
            step = Step(shop=place.shop, order_id=place.order_id, key=f"{workflow.info().workflow_id}:{name}")
            status = await workflow.execute_local_activity(nothing, step, start_to_close_timeout=_PATIENCE)
        return status


@workflow.defn(name=WAITING)
class BareWaiting:
    """As local activities, but for the parcel, which is waited for as an order waits: an update tells of it."""

    def __init__(self) -> None:
        self._status: OrderStatus | None = None

    @workflow.run
    async def run(self, place: PlaceOrder) -> OrderStatus:
        """Run the steps, the last one when the update comes, and return its answer."""
        for name in STEPS[:-1]:
            await self._step(place, name)
        await workflow.wait_condition(lambda: self._status is not None and workflow.all_handlers_finished())
        return cast("OrderStatus", self._status)

    @workflow.update(name=DEPARTED)
    async def departed(self, place: PlaceOrder) -> OrderStatus:
        """Take in what the last step tells."""
        self._status = await self._step(place, STEPS[-1])
        return self._status

    async def _step(self, place: PlaceOrder, name: str) -> OrderStatus:
        step = Step(shop=place.shop, order_id=place.order_id, key=f"{workflow.info().workflow_id}:{name}")
        return await workflow.execute_local_activity(nothing, step, start_to_close_timeout=_PATIENCE)
