"""One running OrderWorkflow with its doubles: what tests send it and what they wait for."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowHandle, WorkflowUpdateFailedError, WorkflowUpdateStage
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment

from tests.workflows.doubles import OrderDoubles, activities_of
from tests.workflows.histories import PATIENCE_SECONDS, until
from tests.workflows.order_book import OrderBook
from tests.workflows.samples import order_event
from tests.workflows.timeskipping import serving
from worker.contract.names import OrderMessage, WorkflowType
from worker.contract.orders import CancelOrder, OrderAnswer, OrderEventKind, OrderStatus, ParcelLine, PlaceOrder
from worker.domain.order import OrderState
from worker.workflows.order import OrderWorkflow


class OrderRun:
    """Sends messages by the names of the contract, as functions and activities do."""

    def __init__(
        self, env: WorkflowEnvironment, handle: WorkflowHandle[OrderWorkflow, OrderStatus], order_id: str
    ) -> None:
        self.env = env
        self.handle = handle
        self.order_id = order_id

    async def deliver(
        self,
        kind: OrderEventKind,
        event_id: str = "",
        detail: str = "",
        amount_minor: int | None = None,
        update_id: str = "",
    ) -> OrderAnswer:
        """Deliver an event under an update id of its own (a repeated event id reaches the workflow again)."""
        event = order_event(kind, event_id, detail, amount_minor)
        answer: OrderAnswer = await self.handle.execute_update(
            OrderMessage.DELIVER_EVENT, event, id=update_id or uuid.uuid4().hex, result_type=OrderAnswer
        )
        return answer

    async def parcel(self, name: str, *contents: ParcelLine, event_id: str = "") -> OrderAnswer:
        """Deliver the event of a parcel that says what it holds."""
        event = replace(
            order_event(OrderEventKind.SHIPPED, event_id or f"evt-{name}"), reference=name, contents=contents
        )
        answer: OrderAnswer = await self.handle.execute_update(
            OrderMessage.DELIVER_EVENT, event, id=uuid.uuid4().hex, result_type=OrderAnswer
        )
        return answer

    async def accept(self, kind: OrderEventKind, event_id: str = "") -> Any:
        """Send an event and return when the workflow has accepted it; `result()` of what is returned is its answer."""
        return await self.handle.start_update(
            OrderMessage.DELIVER_EVENT,
            order_event(kind, event_id),
            wait_for_stage=WorkflowUpdateStage.ACCEPTED,
            result_type=OrderAnswer,
        )

    async def cancel(self, reason: str = "changed my mind") -> OrderAnswer:
        """Ask the order to stop, as the function does."""
        request = CancelOrder(request_id="r-1", requested_by="customer", reason=reason)
        answer: OrderAnswer = await self.handle.execute_update(OrderMessage.CANCEL, request, result_type=OrderAnswer)
        return answer

    async def status(self) -> OrderStatus | None:
        """Ask the workflow where the order stands."""
        found: OrderStatus | None = await self.handle.query(OrderMessage.STATUS, result_type=OrderStatus)
        return found

    async def standing(self, state: OrderState) -> None:
        """Wait until the workflow says that the order is in `state`."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while (status := await self.status()) is None or status.state != state:
                await asyncio.sleep(0.01)

    async def parcels_are_waited_for(self) -> None:
        """Wait until the parcel was asked for and nothing but its word is missing."""
        await until(self.handle, EventType.EVENT_TYPE_TIMER_STARTED)

    async def captured(self) -> None:
        """Wait until the workflow says that money was taken."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while (status := await self.status()) is None or not status.captured_minor:
                await asyncio.sleep(0.01)

    async def cancellation_heard(self) -> None:
        """Wait until the workflow was told of its cancellation."""
        asked = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED
        await until(self.handle, asked, EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED)

    async def result(self) -> OrderStatus:
        """Wait for the end; raises WorkflowFailureError for any other than a result."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await self.handle.result()


@asynccontextmanager
async def order_worker(env: WorkflowEnvironment, doubles: OrderDoubles, queue: str = "") -> AsyncIterator[str]:
    """Serve OrderWorkflow with the doubles, on `queue` or one of its own; yield the queue."""
    async with serving(env.client, [OrderWorkflow], activities_of(doubles), queue) as served:
        yield served


async def start_order(env: WorkflowEnvironment, queue: str, place: PlaceOrder) -> OrderRun:
    """Start the order under an id nobody used before."""
    place = replace(place, order_id=uuid.uuid4().hex[:8])
    handle = await env.client.start_workflow(
        WorkflowType.ORDER,
        place,
        id=f"order/{place.shop}/{place.order_id}",
        task_queue=queue,
        result_type=OrderStatus,
    )
    return OrderRun(env, handle, place.order_id)


@asynccontextmanager
async def running_order(env: WorkflowEnvironment, doubles: OrderDoubles, place: PlaceOrder) -> AsyncIterator[OrderRun]:
    """Serve and start one order."""
    async with order_worker(env, doubles) as queue:
        yield await start_order(env, queue, place)


def steps(book: OrderBook, run: OrderRun) -> str:
    """Return the states the order went through, as one line."""
    return " ".join(book.trail[run.order_id])


def refused_as(error: WorkflowUpdateFailedError) -> str | None:
    """Return the error code with which an update was refused."""
    assert isinstance(error.cause, ApplicationError)
    return error.cause.type
