"""Activities of the event process."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from temporalio import activity

from worker.contract.events import EventResult, ProviderEvent
from worker.contract.ids import order_workflow_id
from worker.domain.errors import Conflict, NotFound, ProviderUnavailable
from worker.services.events import About, EventService
from worker.services.ports import Processes
from worker.services.shop_addresses import AddressAtShop
from worker.services.translation.route import Route

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """An event and the run that received it."""

    event: ProviderEvent
    workflow_id: str
    run_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """The translated event; without a route it was handled before."""

    route: Route | None
    patience_seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Filing:
    """What became of an event. One that was for an order is told in that order's timeline."""

    source: str
    event_id: str
    outcome: str
    detail: str = ""
    shop: str = ""
    order_id: str = ""
    topic: str = ""
    origin: str = ""


class EventActivities:
    """Steps of ProviderEventWorkflow."""

    def __init__(self, events: EventService, processes: Processes, *, patience_seconds: int) -> None:
        self._events = events
        self._processes = processes
        self._patience_seconds = patience_seconds

    @activity.defn
    def receive_event(self, receipt: Receipt) -> Received:
        """Open the inbox row and translate the body."""
        route = self._events.receive(receipt.event, receipt.workflow_id, receipt.run_id)
        return Received(route=route, patience_seconds=self._patience_seconds)

    @activity.defn
    async def deliver_event(self, route: Route) -> EventResult:
        """Start the order if the event brings one, then deliver the event to it.

        An order that is over gets its money booked all the same (outcome `late`).
        """
        workflow_id = order_workflow_id(route.shop, route.order_id)
        if route.address is not None:
            return await self._readdress(route, route.address)
        started = await self._processes.start_order(route.place) if route.place is not None else False
        if route.event is None:
            return EventResult(outcome="applied" if started else "duplicate", workflow_id=workflow_id)
        try:
            answer = await _unless_stopping(self._processes.deliver(route.shop, route.order_id, route.event))
        except (Conflict, NotFound) as problem:
            over = isinstance(problem, Conflict) or await asyncio.to_thread(
                self._events.is_over, route.shop, route.order_id
            )
            if not over:  # it may still come
                raise
            done = await asyncio.to_thread(self._events.late, route.shop, route.order_id, route.event)
            detail = f"the order is over; {done}" if done else "the order is over"
            return EventResult(outcome="late", workflow_id=workflow_id, detail=detail)
        return EventResult(outcome=answer.outcome, workflow_id=workflow_id, detail=f"order is {answer.state}")

    async def _readdress(self, route: Route, told: AddressAtShop) -> EventResult:
        """Send the parcel where the shop says. An address that comes too late stands in the timeline."""
        workflow_id, late = order_workflow_id(route.shop, route.order_id), False
        try:
            answer = await _unless_stopping(self._processes.readdress(route.shop, route.order_id, told.request))
        except (Conflict, NotFound) as problem:
            over = await asyncio.to_thread(self._events.is_over, route.shop, route.order_id)
            if isinstance(problem, NotFound) and not over:  # the order may still come
                raise
            late, outcome, detail = True, "late" if over else "ignored", f"the address came too late; {problem}"[:500]
        else:
            outcome, detail = answer.outcome, f"order is {answer.state}"
        await asyncio.to_thread(self._events.heard, route.shop, route.order_id, told, too_late=late)
        return EventResult(outcome=outcome, workflow_id=workflow_id, detail=detail)

    @activity.defn
    def close_event(self, filing: Filing) -> None:
        """File what became of the event."""
        about = (
            About(shop=filing.shop, order_id=filing.order_id, topic=filing.topic, origin=filing.origin)
            if filing.order_id
            else None
        )
        self._events.close(filing.source, filing.event_id, filing.outcome, filing.detail, about)


async def _unless_stopping(work: Coroutine[Any, Any, T]) -> T:
    """Wait for `work`, but no longer than this worker polls; raises ProviderUnavailable when it stops first.

    The order answers from a worker, perhaps this very one: a worker that stops would wait for itself until the grace
    is over. The event is delivered again elsewhere, under the same update id.
    """
    waiting = asyncio.ensure_future(work)
    stopping = asyncio.ensure_future(activity.wait_for_worker_shutdown())
    try:
        await asyncio.wait({waiting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if waiting.done():
            return waiting.result()
        raise ProviderUnavailable("this worker stops; the event is delivered again")
    finally:
        waiting.cancel()
        stopping.cancel()
