"""Activities of the event process."""

import asyncio
from dataclasses import dataclass

from temporalio import activity

from worker.contract.events import EventResult, ProviderEvent
from worker.contract.ids import order_workflow_id
from worker.domain.errors import Conflict
from worker.services.events import EventService
from worker.services.ports import Processes
from worker.services.translation.route import Route


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
    """What became of an event."""

    source: str
    event_id: str
    outcome: str
    detail: str = ""


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
        started = await self._processes.start_order(route.place) if route.place is not None else False
        if route.event is None:
            return EventResult(outcome="applied" if started else "duplicate", workflow_id=workflow_id)
        try:
            answer = await self._processes.deliver(route.shop, route.order_id, route.event)
        except Conflict:
            booked = await asyncio.to_thread(self._events.late, route.shop, route.order_id, route.event)
            detail = "the order is over; the money was booked" if booked else "the order is over"
            return EventResult(outcome="late", workflow_id=workflow_id, detail=detail)
        return EventResult(outcome=answer.outcome, workflow_id=workflow_id, detail=f"order is {answer.state}")

    @activity.defn
    def close_event(self, filing: Filing) -> None:
        """File what became of the event."""
        self._events.close(filing.source, filing.event_id, filing.outcome, filing.detail)
