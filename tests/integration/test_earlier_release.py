"""While releases change, a worker of the earlier one meets what it does not know: that waits, and nothing is lost."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any

import pytest
from temporalio import activity
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowUpdateRPCTimeoutOrCancelledError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from tests.integration.earlier_release import EarlierOrder, NewerOrder
from tests.integration.nothing_stuck import NOTHING_IS_STUCK
from tests.integration.temporal_namespace import fresh_namespace
from tests.integration.test_dispatch import ORDER, event
from worker.activities.events import EventActivities, Filing, Receipt, Received
from worker.contract.events import EventResult, ProviderEvent
from worker.contract.names import Queue
from worker.contract.orders import OrderEvent, OrderEventKind, PaymentMode, ReaddressOrder
from worker.contract.shipping import ShipTo
from worker.domain.errors import ProviderUnavailable
from worker.observability.metrics import Metrics
from worker.services.translation.route import Route
from worker.temporal.dispatch import TemporalProcesses
from worker.temporal.interceptors import ActivityInterceptor
from worker.temporal.operations import readdress_order
from worker.workflows.provider_event import ProviderEventWorkflow

PATIENCE = 60
TRIES = 6
NEW_KIND = event("evt-1", OrderEventKind.DELIVERED)
WEBHOOK = ProviderEvent(
    source="warehouse",
    dialect="warehouse",
    shop="main",
    event_id="evt-1",
    topic="shipment.delivered",
    body="{}",
    received_at="2026-11-28T10:00:00+00:00",
)
ELSEWHERE = ReaddressOrder(
    request_id="a-1",
    requested_by="tester",
    ship_to=ShipTo(recipient="R", lines=("1",), city="C", country="BE"),
)


class Inbox:
    """What is known of events; the order is not over."""

    def __init__(self) -> None:
        self.filed: list[str] = []
        self.late_ones: list[str] = []

    def receive(self, *_: object) -> Route:
        return Route(shop="main", order_id="1001", event=NEW_KIND)

    def is_over(self, *_: object) -> bool:
        return False

    def late(self, *_: object) -> str:
        self.late_ones.append("late")
        return ""

    def close(self, source: str, event_id: str, outcome: str, *_: object) -> None:
        self.filed.append(outcome)


@pytest.fixture
async def client(temporal_server: str) -> AsyncIterator[Client]:
    async with fresh_namespace(temporal_server) as client:
        yield client


@asynccontextmanager
async def release(client: Client, *orders: type[Any]) -> AsyncIterator[None]:
    async with Worker(
        client,
        task_queue=Queue.ORDERS,
        workflows=orders,
        workflow_runner=UnsandboxedWorkflowRunner(),
        max_cached_workflows=0,
    ):
        yield


@asynccontextmanager
async def events(client: Client, inbox: Inbox) -> AsyncIterator[None]:
    """Run the events' worker, which is of the newer release already."""
    real = EventActivities(inbox, TemporalProcesses(client), patience_seconds=PATIENCE)  # type: ignore[arg-type]

    @activity.defn
    async def receive_event(receipt: Receipt) -> Received:
        return Received(route=inbox.receive(), patience_seconds=PATIENCE)

    @activity.defn
    async def close_event(filing: Filing) -> None:
        real.close_event(filing)

    steps: Sequence[Any] = [receive_event, real.deliver_event, close_event]
    async with Worker(
        client,
        task_queue=Queue.EVENTS,
        workflows=[ProviderEventWorkflow],
        activities=steps,
        interceptors=[ActivityInterceptor(Metrics(), NOTHING_IS_STUCK)],
        workflow_runner=UnsandboxedWorkflowRunner(),
    ):
        yield


async def test_an_event_of_a_kind_that_the_earlier_release_cannot_read_waits_for_the_newer_one(client: Client) -> None:
    processes, inbox = TemporalProcesses(client), Inbox()
    await processes.start_order(ORDER)
    async with events(client, inbox):
        async with release(client, EarlierOrder):
            assert (await processes.deliver("main", "1001", event("e0", OrderEventKind.SHIPPED))).state == "1"
            await processes.start_event(WEBHOOK)
            handle = client.get_workflow_handle("event/warehouse/evt-1", result_type=EventResult)
            async with asyncio.timeout(PATIENCE):
                while not await _tried_again(client, handle.id):
                    await asyncio.sleep(0.1)
            assert (inbox.filed, inbox.late_ones) == ([], []), (
                "the order lives: the event is kept, and not booked past it"
            )
        async with release(client, NewerOrder), asyncio.timeout(PATIENCE):
            assert (await handle.result()).outcome == "applied"
            assert await client.get_workflow_handle("order/main/1001").result() == ["e0", "evt-1"]
    assert (inbox.filed, inbox.late_ones) == (["applied"], [])


async def test_a_message_that_the_earlier_release_does_not_know_is_to_be_asked_again(client: Client) -> None:
    await TemporalProcesses(client).start_order(ORDER)
    async with release(client, EarlierOrder):
        with pytest.raises(ProviderUnavailable, match="another release"):
            await readdress_order(client, "main", "1001", ELSEWHERE)
    async with release(client, NewerOrder):
        assert (await readdress_order(client, "main", "1001", ELSEWHERE)).state == "BE"


async def test_an_order_of_a_mode_that_the_earlier_release_does_not_know_waits_and_does_not_fail(
    client: Client,
) -> None:
    processes = TemporalProcesses(client)
    await processes.start_order(replace(ORDER, payment_mode=PaymentMode.AUTHORISE))
    handle = client.get_workflow_handle("order/main/1001")
    async with release(client, EarlierOrder), asyncio.timeout(PATIENCE):
        while EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED not in [
            each.event_type async for each in handle.fetch_history_events()
        ]:
            await asyncio.sleep(0.1)
    async with release(client, NewerOrder):
        for one in ("e1", "e2"):
            await _delivered(processes, event(one, OrderEventKind.DELIVERED))
        assert await asyncio.wait_for(handle.result(), PATIENCE) == ["e1", "e2"]


async def _delivered(processes: TemporalProcesses, told: OrderEvent) -> None:
    """Deliver as the events' worker does: again. A task that the earlier release was handed as it stopped has to time out."""
    for _ in range(TRIES):
        with suppress(WorkflowUpdateRPCTimeoutOrCancelledError):
            await processes.deliver("main", "1001", told)
            return
    pytest.fail("nobody took the event in")


async def _tried_again(client: Client, workflow_id: str) -> bool:
    description = await client.get_workflow_handle(workflow_id).describe()
    return any(each.attempt > 1 for each in description.raw_description.pending_activities)
