"""What is urgent goes first where a queue has a backlog, and every start says how urgent it is and for which shop."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from uuid import uuid4

import pytest
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from functions.temporal import Start, Temporal
from tests.integration.temporal_namespace import fresh_namespace
from tests.integration.tiny_workflows import TinyEvent
from tests.workflows.samples import CHARGED, USER, provider_event
from worker.contract.names import Queue, Urgency, WorkflowType
from worker.contract.orders import LateRefund, RefundOrder
from worker.contract.reconciliation import Reconcile
from worker.contract.temporal_tls import TemporalConfig
from worker.temporal.dispatch import TemporalProcesses


@pytest.fixture
async def client(temporal_server: str) -> AsyncIterator[Client]:
    async with fresh_namespace(temporal_server) as client:
        yield client


async def priority(client: Client, workflow_id: str) -> tuple[int, str]:
    found = (await client.get_workflow_handle(workflow_id).describe()).raw_description.workflow_execution_info.priority
    return found.priority_key, found.fairness_key


LATE = LateRefund(shop="main", order_id="1", refund=RefundOrder(request_id="r-1", requested_by="tester"))


@pytest.mark.parametrize(
    ("workflow", "argument", "expected"),
    [
        (WorkflowType.ORDER, CHARGED, (Urgency.ORDER, "main")),
        (WorkflowType.REFUND, LATE, (Urgency.ORDER, "main")),
        (WorkflowType.PROVIDER_EVENT, provider_event("1001"), (Urgency.EVENT, "main")),
        (WorkflowType.USER, USER, (Urgency.USER, "")),
        (WorkflowType.RECONCILIATION, Reconcile(shop="main", provider="stripe"), (Urgency.BACKGROUND, "main")),
        (WorkflowType.ORDER, replace(CHARGED, shop="x" * 128), (Urgency.ORDER, "x" * 64)),
    ],
)
async def test_starts_of_the_functions(
    client: Client, temporal_server: str, workflow: WorkflowType, argument: object, expected: tuple[int, str]
) -> None:
    config = TemporalConfig(address=temporal_server, namespace=client.namespace, tls=False)
    bridge = Temporal(config, deadline_ms=60_000)
    start = Start(
        workflow=workflow,
        workflow_id=uuid4().hex,
        queue=Queue.ORDERS,
        argument=argument,
        fingerprint="",
        summary="",
    )
    try:
        await asyncio.to_thread(bridge.start, start)
    finally:
        bridge.close()
    assert await priority(client, start.workflow_id) == expected


async def test_starts_of_the_worker(client: Client) -> None:
    processes = TemporalProcesses(client)
    await processes.start_order(CHARGED)
    await processes.start_order(replace(CHARGED, order_id="1002", origin="repair"))
    for event_id, origin in (("evt-1", "webhook"), ("evt-2", "repair"), ("evt-3", "replay")):
        await processes.start_event(replace(provider_event("1001", event_id), origin=origin))
    assert [
        await priority(client, workflow_id)
        for workflow_id in (
            "order/main/1001",
            "order/main/1002",
            "event/shopify/evt-1",
            "event/shopify/evt-2",
            "event/shopify/evt-3",
        )
    ] == [
        (Urgency.ORDER, "main"),
        (Urgency.BACKGROUND, "main"),
        (Urgency.EVENT, "main"),
        (Urgency.BACKGROUND, "main"),
        (Urgency.BACKGROUND, "main"),
    ]


async def test_a_live_event_overtakes_the_repairs_that_came_before_it(client: Client) -> None:
    processes = TemporalProcesses(client)
    repairs = [f"evt-repair-{number:02d}" for number in range(40)]
    for event_id in repairs:
        await processes.start_event(replace(provider_event("1001", event_id), origin="repair"))
    await processes.start_event(provider_event("1001", "evt-live"))
    async with Worker(
        client,
        task_queue=Queue.EVENTS,
        workflows=[TinyEvent],
        workflow_runner=UnsandboxedWorkflowRunner(),
        max_concurrent_workflow_tasks=1,
        max_concurrent_workflow_task_polls=1,
        max_cached_workflows=0,
    ):
        handles = [client.get_workflow_handle(f"event/shopify/{event_id}") for event_id in (*repairs, "evt-live")]
        async with asyncio.timeout(60):
            await asyncio.gather(*(handle.result() for handle in handles))
        closed = [(await handle.describe()).close_time for handle in handles]
    times = [moment for moment in closed if moment is not None]
    assert sorted(times).index(times[-1]) < 10, "a little out of order is within the server's promise, last is not"
