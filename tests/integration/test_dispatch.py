import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from temporalio import activity
from temporalio.client import Client, WorkflowExecutionDescription, WorkflowFailureError, WorkflowHandle
from temporalio.converter import DataConverter
from temporalio.exceptions import ActivityError, ApplicationError
from temporalio.worker import Plugin, ReplayerConfig, Worker, WorkerConfig

from tests.integration.nothing_stuck import NOTHING_IS_STUCK
from tests.integration.temporal_namespace import fresh_namespace
from tests.integration.tiny_workflows import TinyActivity, TinyEvent, TinyOrder
from worker.config import ProcessConfig
from worker.contract.events import ProviderEvent
from worker.contract.names import FINGERPRINT_MEMO, Queue
from worker.contract.orders import OrderAnswer, OrderEvent, OrderEventKind, OrderLine, PaymentMode, PlaceOrder
from worker.contract.temporal_tls import TemporalConfig
from worker.domain.errors import Conflict, InvalidInput, NotFound, PaymentDeclined, ProviderUnavailable
from worker.observability.metrics import Metrics
from worker.temporal import runtime as sdk_runtime
from worker.temporal.client import connect
from worker.temporal.dispatch import TemporalProcesses
from worker.temporal.interceptors import ActivityInterceptor
from worker.temporal.lifetime import run_until_signal
from worker.temporal.runtime import telemetry_runtime
from worker.temporal.worker import activity_executor, build_workers

CONFIG = ProcessConfig(
    queues=("orders", "events", "users"),
    activity_threads=4,
    max_cached_workflows=30,
    grace_seconds=1,
    sticky_timeout_seconds=1,
    health_host="127.0.0.1",
    health_port=0,
    stuck_after_seconds=300,
)
ORDER = PlaceOrder(
    shop="main",
    order_id="1001",
    currency="EUR",
    total_minor=12345,
    lines=(OrderLine(sku="mug", quantity=1, unit_price_minor=12345),),
    customer_id="c-7",
    payment_mode=PaymentMode.CHARGE,
    placed_at="2026-11-22T10:00:00+00:00",
    payment_method="pm_card_visa",
)
PATIENCE = 60
"""Seconds: a drain that is overdue ends the whole process, and the machine may be busy."""
PRIVATE = "row of jane@shop.example, card 4242 4242 4242 4242 "


@activity.defn
def declined() -> int:
    raise PaymentDeclined("do_not_honor")


@activity.defn
def flaky() -> int:
    if activity.info().attempt < 3:
        raise NotFound("not yet")
    return activity.info().attempt


@activity.defn
def leaking() -> int:
    # Not written out in the raise: a traceback shows code, and code is not data.
    try:
        raise KeyError(PRIVATE)
    except KeyError as error:
        raise ValueError(PRIVATE + "x" * 20_000) from error


@pytest.fixture
async def client(temporal_server: str) -> AsyncIterator[Client]:
    async with fresh_namespace(temporal_server) as client:
        yield client


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
async def workers(client: Client, metrics: Metrics) -> AsyncIterator[list[Worker]]:
    executor = activity_executor(CONFIG)
    plan: dict[Queue, Any] = {
        Queue.ORDERS: ([TinyOrder], []),
        Queue.EVENTS: ([TinyEvent], []),
        Queue.USERS: ([TinyActivity], [declined, flaky, leaking]),
    }
    built = build_workers(client, CONFIG, plan, executor, interceptors=[ActivityInterceptor(metrics, NOTHING_IS_STUCK)])
    running = [asyncio.create_task(worker.run()) for worker in built]
    yield built
    await asyncio.gather(*(worker.shutdown() for worker in built))
    await asyncio.gather(*running)
    executor.shutdown()


def event(event_id: str, kind: OrderEventKind = OrderEventKind.PAYMENT_CAPTURED, detail: str = "") -> OrderEvent:
    return OrderEvent(event_id=event_id, kind=kind, occurred_at="2026-11-22T10:01:00+00:00", detail=detail)


async def test_an_order_starts_once_and_carries_what_people_search_for(client: Client) -> None:
    processes = TemporalProcesses(client)
    started = await asyncio.gather(*(processes.start_order(ORDER) for _ in range(8)))
    assert sorted(started) == [False] * 7 + [True]

    description = await client.get_workflow_handle("order/main/1001").describe()
    assert description.task_queue == "orders"
    assert {pair.key.name: pair.value for pair in description.typed_search_attributes} == {
        "OrderState": "received",
        "ShopId": "main",
        "CustomerId": "c-7",
        "AmountMinor": 12345,
        "CurrencyCode": "EUR",
    }
    assert len((await description.memo())[FINGERPRINT_MEMO]) == 64
    assert "1001" in (await description.static_summary() or "")


async def test_an_order_that_ended_is_not_started_again(client: Client, workers: list[Worker]) -> None:
    processes = TemporalProcesses(client)
    assert await processes.start_order(ORDER)
    await processes.deliver("main", "1001", event("e1", OrderEventKind.SHIPPED))
    assert await client.get_workflow_handle("order/main/1001").result() == ["shipped"]
    assert not await processes.start_order(ORDER)


async def test_an_event_is_delivered_once_and_answered_the_same_again(client: Client, workers: list[Worker]) -> None:
    processes = TemporalProcesses(client)
    await processes.start_order(ORDER)
    answers = await asyncio.gather(*(processes.deliver("main", "1001", event("e1")) for _ in range(5)))
    assert answers == [OrderAnswer(outcome="applied", state="paying")] * 5
    last = await processes.deliver("main", "1001", event("e2", OrderEventKind.SHIPPED))
    assert last == OrderAnswer(outcome="applied", state="shipped")
    assert await client.get_workflow_handle("order/main/1001").result() == ["payment_captured", "shipped"]

    # After the end: what was delivered is answered as it was, what is new is a conflict.
    assert await processes.deliver("main", "1001", event("e2", OrderEventKind.SHIPPED)) == last
    with pytest.raises(Conflict, match="has ended"):
        await processes.deliver("main", "1001", event("e3"))


async def test_an_event_for_an_unknown_order_is_not_found(client: Client) -> None:
    with pytest.raises(NotFound):
        await TemporalProcesses(client).deliver("main", "404", event("e1"))


async def test_an_order_that_starts_meanwhile_is_not_taken_for_ended(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    processes = TemporalProcesses(client)
    look = WorkflowHandle.describe

    async def look_too_late(handle: WorkflowHandle[Any, Any], **options: Any) -> WorkflowExecutionDescription:
        await processes.start_order(ORDER)
        return await look(handle, **options)

    monkeypatch.setattr(WorkflowHandle, "describe", look_too_late)
    with pytest.raises(ProviderUnavailable, match="just now"):
        await processes.deliver("main", "1001", event("e1"))


async def test_a_refused_event_is_a_conflict(client: Client, workers: list[Worker]) -> None:
    processes = TemporalProcesses(client)
    await processes.start_order(ORDER)
    with pytest.raises(Conflict, match="not in this state"):
        await processes.deliver("main", "1001", event("e1", detail="refuse"))


async def test_an_event_that_is_not_answered_in_time_may_be_delivered_again(
    client: Client, workers: list[Worker]
) -> None:
    processes = TemporalProcesses(client, rpc_timeout=timedelta(seconds=1))
    await processes.start_order(ORDER)
    stuck = event("e1", detail="never answer")
    with pytest.raises(ProviderUnavailable):
        await processes.deliver("main", "1001", stuck)
    await TemporalProcesses(client).deliver("main", "1001", event("e2", OrderEventKind.SHIPPED))
    answer = await TemporalProcesses(client).deliver("main", "1001", stuck)
    assert answer.outcome == "applied"


async def test_an_event_workflow_starts_once(client: Client, workers: list[Worker]) -> None:
    arrived = ProviderEvent(
        source="shopify",
        dialect="shopify",
        shop="main",
        event_id="w-1",
        topic="orders/paid",
        body="{}",
        received_at="2026-11-22T10:00:00+00:00",
    )
    processes = TemporalProcesses(client)
    assert await processes.start_event(arrived)
    assert not await processes.start_event(arrived)
    result = await client.get_workflow_handle("event/shopify/w-1").result()
    assert result == {"outcome": "ignored", "workflow_id": None, "detail": "orders/paid"}


async def test_a_domain_error_in_a_workflow_fails_it_instead_of_wedging_it(
    client: Client, workers: list[Worker]
) -> None:
    empty = PlaceOrder(
        shop="main",
        order_id="1002",
        currency="EUR",
        total_minor=0,
        lines=(),
        customer_id="c-7",
        payment_mode=PaymentMode.CHARGE,
        placed_at="2026-11-22T10:00:00+00:00",
    )
    await TemporalProcesses(client).start_order(empty)
    with pytest.raises(WorkflowFailureError):
        await client.get_workflow_handle("order/main/1002").result()


async def failure(client: Client, name: str, attempts: int) -> ApplicationError:
    with pytest.raises(WorkflowFailureError) as caught:
        await client.execute_workflow("Tiny", args=[name, attempts], id=f"tiny-{name}", task_queue="users")
    assert isinstance(caught.value.cause, ActivityError)
    cause = caught.value.cause.cause
    assert isinstance(cause, ApplicationError)
    return cause


async def test_errors_leave_activities_with_code_reason_and_retryability(
    client: Client, workers: list[Worker], metrics: Metrics
) -> None:
    refused = await failure(client, "declined", attempts=0)
    assert (refused.type, refused.non_retryable, list(refused.details)) == ("payment_declined", True, ["do_not_honor"])

    attempts = await client.execute_workflow("Tiny", args=["flaky", 0], id="tiny-flaky", task_queue="users")
    assert attempts == 3

    def count(activity_name: str, outcome: str) -> float | None:
        labels = {"queue": "users", "activity": activity_name, "outcome": outcome}
        return metrics.registry.get_sample_value("orders_activities_total", labels)

    assert count("declined", "payment_declined") == 1
    assert count("flaky", "not_found") == 2
    assert count("flaky", "completed") == 1
    assert count("flaky", "payment_declined") is None


async def test_what_a_library_says_is_bounded_redacted_and_without_its_cause(
    client: Client, workers: list[Worker]
) -> None:
    leaked = await failure(client, "leaking", attempts=1)
    assert (leaked.type, leaked.non_retryable) == ("ValueError", False)
    assert len(leaked.message) < 8100
    assert leaked.cause is None
    history = await client.get_workflow_handle("tiny-leaking").fetch_history()
    text = history.to_json()
    assert "jane@" not in text
    assert "4242 4242" not in text


async def test_queues_are_checked(client: Client) -> None:
    executor = activity_executor(CONFIG)
    with pytest.raises(InvalidInput, match=r"'users' has neither .*|'events'"):
        build_workers(client, CONFIG, {Queue.ORDERS: ([TinyOrder], [])}, executor)
    executor.shutdown()


async def test_a_server_that_is_away_is_told_within_the_bound() -> None:
    with pytest.raises(ProviderUnavailable, match="did not answer"):
        await connect(
            TemporalConfig(address="127.0.0.1:9", namespace="default", tls=False),
            DataConverter.default,
            patience_seconds=0.5,
        )


@pytest.mark.parametrize("stolen", [0, 2], ids=["a free port", "ports that others took meanwhile"])
async def test_the_sdks_own_metrics_can_be_read(
    temporal_server: str, monkeypatch: pytest.MonkeyPatch, stolen: int
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        drawn = iter([other.getsockname()[1]] * stolen)
        really = sdk_runtime._free_port
        monkeypatch.setattr(sdk_runtime, "_free_port", lambda: next(drawn, None) or really())
        runtime, read = telemetry_runtime()
    config = TemporalConfig(address=temporal_server, namespace="default", tls=False)
    client = await connect(config, DataConverter.default, runtime=runtime)
    await client.count_workflows()
    assert b'temporal_request_total{namespace="default",operation="CountWorkflowExecutions"' in read()


def test_where_every_port_is_taken_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        monkeypatch.setattr(sdk_runtime, "_free_port", lambda: other.getsockname()[1])
        with pytest.raises(ValueError, match="Address already in use"):
            telemetry_runtime()


async def test_a_worker_that_cannot_run_brings_the_process_down_with_its_error(client: Client) -> None:
    elsewhere = Client(client.service_client, namespace="there-is-no-such-namespace")
    executor = activity_executor(CONFIG)
    plan: dict[Queue, Any] = {queue: ([TinyOrder], []) for queue in Queue}
    workers = build_workers(client, CONFIG, plan, executor)
    broken = build_workers(elsewhere, replace(CONFIG, queues=("users",)), plan, executor)
    with pytest.raises(RuntimeError, match="there-is-no-such-namespace"):
        await asyncio.wait_for(run_until_signal([*workers, *broken], grace_seconds=PATIENCE), PATIENCE)
    assert all(worker.is_shutdown for worker in workers)
    executor.shutdown()


class StartsLate(Plugin):
    """Holds a worker's start back until another one has failed and that is known."""

    def __init__(self, failed: Worker) -> None:
        self._failed = failed

    def configure_worker(self, config: WorkerConfig) -> WorkerConfig:
        return config

    async def run_worker(self, worker: Worker, next: Callable[[Worker], Awaitable[None]]) -> None:  # noqa: A002 (the SDK's)
        while not self._failed.is_shutdown:
            await asyncio.sleep(0.05)
        await next(worker)

    def configure_replayer(self, config: ReplayerConfig) -> ReplayerConfig:
        return config

    def run_replayer(self, *_: Any) -> Any:
        raise NotImplementedError


async def test_a_worker_that_still_starts_when_another_fails_is_stopped_too(client: Client) -> None:
    elsewhere = Client(client.service_client, namespace="there-is-no-such-namespace")
    broken = Worker(elsewhere, task_queue="users", workflows=[TinyOrder])
    late = Worker(client, task_queue="users", workflows=[TinyOrder], plugins=[StartsLate(broken)])
    with pytest.raises(RuntimeError, match="there-is-no-such-namespace"):
        await asyncio.wait_for(run_until_signal([broken, late], grace_seconds=PATIENCE), PATIENCE)
    assert late.is_shutdown


async def test_a_failing_start_hook_stops_the_workers(client: Client) -> None:
    executor = activity_executor(CONFIG)
    workers = build_workers(client, CONFIG, {queue: ([TinyOrder], []) for queue in Queue}, executor)

    async def on_ready() -> None:
        raise LookupError("no port for health")

    with pytest.raises(LookupError):
        await asyncio.wait_for(run_until_signal(workers, grace_seconds=PATIENCE, on_ready=on_ready), PATIENCE)
    assert all(worker.is_shutdown for worker in workers)
    executor.shutdown()
