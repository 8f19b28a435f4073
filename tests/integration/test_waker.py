"""The waker with a real Temporal server: work wakes the worker, long steps keep it awake, nothing lets it sleep.

The server forgets a queue that nobody uses after two seconds here, instead of five minutes, and counts anew at each
question, instead of every five seconds.
"""

import asyncio
import subprocess
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import Any

import pytest
from temporalio import activity, workflow
from temporalio.client import Client, WorkflowHandle
from temporalio.common import VersioningBehavior, WorkerDeploymentVersion
from temporalio.service import RPCError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker, WorkerDeploymentConfig

from infra.local import freeports, temporal
from infra.waker import lambda_handler, work
from infra.waker.decision import Waiting
from infra.waker.lambda_handler import WorkIsOverdue, look
from infra.waker.settings import ServiceConfig, WakerConfig
from tests.unit.ecs_service import KEYS, EcsService, ecs_service
from worker.contract.temporal_tls import TemporalConfig
from worker.temporal import versions

LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
PATIENCE = 60


@workflow.defn(name="Steps")
class Steps:
    """Waits for a time, then takes one step."""

    @workflow.run
    async def run(self, wait_seconds: float) -> str:
        if wait_seconds:
            await workflow.sleep(wait_seconds)
        done: str = await workflow.execute_activity("step", start_to_close_timeout=timedelta(minutes=2))
        return done


class Hands:
    """Takes steps; each ends when it is let go."""

    def __init__(self) -> None:
        self.begun, self.let_go = Event(), Event()

    @activity.defn(name="step")
    def step(self) -> str:
        self.begun.set()
        self.let_go.wait(2 * PATIENCE)
        return "done"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    port = freeports.free_port()
    ui = freeports.free_port(frozenset({port}))
    impatient = [
        *("--dynamic-config-value", 'matching.maxTaskQueueIdleTime="2s"'),
        *("--dynamic-config-value", 'matching.taskQueueInfoByBuildIdTTL="0s"'),
    ]
    command = [*temporal.command(tmp_path_factory.mktemp("temporal") / "t.db", port, ui), *impatient]
    with (tmp_path_factory.mktemp("log") / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(PATIENCE)


@pytest.fixture
async def client(address: str) -> Client:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return await Client.connect(address)
        except RuntimeError:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.1)


@pytest.fixture
def ecs(monkeypatch: pytest.MonkeyPatch) -> Iterator[EcsService]:
    with ecs_service() as running:
        for name, value in {**KEYS, "AWS_ENDPOINT_URL": running.url}.items():
            monkeypatch.setenv(name, value)
        yield running


def config_of(address: str, **queues: str) -> WakerConfig:
    return WakerConfig(
        cluster="c",
        after_minutes=15,
        services={name: ServiceConfig(queues=(queue,), tasks=1) for name, queue in queues.items()},
        temporal=TemporalConfig(address=address, namespace="default", tls=False),
    )


async def until(found: Callable[[], Awaitable[Any]], seconds: float = PATIENCE) -> Any:
    """Await until `found` finds something."""
    deadline = time.monotonic() + seconds
    while not (what := await found()):
        assert time.monotonic() < deadline, "it never came"
        await asyncio.sleep(0.2)
    return what


async def started(client: Client, queue: str, wait: float = 0) -> WorkflowHandle[Any, str]:
    return await client.start_workflow("Steps", wait, id=f"{queue}-{wait}", task_queue=queue, result_type=str)


def worker(client: Client, queue: str, hands: Hands, release: str = "") -> Worker:
    announced = WorkerDeploymentConfig(
        version=WorkerDeploymentVersion(deployment_name=versions.DEPLOYMENT, build_id=release),
        use_worker_versioning=True,
        default_versioning_behavior=VersioningBehavior.AUTO_UPGRADE,
    )
    return Worker(
        client,
        task_queue=queue,
        workflows=[Steps],
        activities=[hands.step],
        activity_executor=ThreadPoolExecutor(2),
        workflow_runner=UnsandboxedWorkflowRunner(),
        graceful_shutdown_timeout=timedelta(seconds=5),
        deployment_config=announced if release else None,
    )


async def test_a_life(address: str, client: Client, ecs: EcsService) -> None:
    config = config_of(address, mine="life", other="other")
    later = timedelta(hours=1)  # how far what is recent is behind, without waiting for it
    for name in ("mine", "other"):
        ecs.has(name, desired=0, running=0, deployed_at=LONG_AGO)
    told = await look(config, datetime.now(UTC) + later)
    assert {each["because"] for each in told.values()} == {"asleep"}

    handle = await started(client, "life")

    async def woken() -> bool:
        await look(config, datetime.now(UTC) + later)
        return bool(ecs.changes)

    await until(woken)
    assert ecs.changes == [("mine", 1)], "who polls that queue, and nobody else"
    await look(config, datetime.now(UTC) + later)
    assert ecs.changes == [("mine", 1)], "once"

    ecs.has("mine", desired=1, running=1, deployed_at=LONG_AGO)
    hands = Hands()
    async with worker(client, "life", hands):
        assert await asyncio.to_thread(hands.begun.wait, PATIENCE)
        # Which workflows are open is in the server's index, a little later than it is so.
        await until(lambda: _steps_under_way(client, config, 1))
        told = await look(config, datetime.now(UTC) + later)
        assert told["mine"]["tasks"] is None
        hands.let_go.set()
        assert await handle.result() == "done"
    await until(lambda: _steps_under_way(client, config, 0))

    told = await look(config, datetime.now(UTC))
    assert told["mine"]["tasks"] is None, "a workflow ended a moment ago"
    assert told["other"]["because"] == "asleep"
    ecs.changes.clear()

    async def asleep() -> bool:
        await asyncio.sleep(2.5)
        await look(config, datetime.now(UTC) + later)
        return bool(ecs.changes)

    await until(asleep)
    assert ecs.changes == [("mine", 0)]


async def _steps_under_way(client: Client, config: WakerConfig, number: int) -> bool:
    return await work.under_way(client, config.queues) == number


async def test_a_long_step_keeps_it_awake_whatever_else_is_silent(
    address: str, client: Client, ecs: EcsService, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = config_of(address, mine="long")
    ecs.has("mine", desired=1, running=1, deployed_at=LONG_AGO)

    async def silent(*_: object) -> Waiting:
        return Waiting()

    monkeypatch.setattr(work, "waiting", silent)
    hands = Hands()
    handle = await started(client, "long")
    async with worker(client, "long", hands):
        assert await asyncio.to_thread(hands.begun.wait, PATIENCE)
        await until(lambda: _steps_under_way(client, config, 1))
        told = await look(config, datetime.now(UTC) + timedelta(hours=1))
        assert told == {"mine": {"tasks": None, "because": "steps are under way"}}
        # More open workflows than may be asked one by one: it is not known.
        monkeypatch.setattr(work, "MOST", 0)
        told = await look(config, datetime.now(UTC) + timedelta(hours=1))
        assert told == {"mine": {"tasks": None, "because": "what is under way is not known"}}
        hands.let_go.set()
        await handle.result()
    monkeypatch.setattr(work, "MOST", 500)
    await until(lambda: _steps_under_way(client, config, 0))
    await look(config, datetime.now(UTC) + timedelta(hours=1))
    assert ecs.changes == [("mine", 0)]


async def test_a_timer_wakes_it_also_after_the_queue_was_forgotten(
    address: str, client: Client, ecs: EcsService
) -> None:
    """The worker of an open order is gone; what falls due then is counted, and still counted by a queue made anew."""
    config = config_of(address, mine="timer")
    ecs.has("mine", desired=0, running=0, deployed_at=LONG_AGO)
    hands = Hands()
    hands.let_go.set()
    handle = await started(client, "timer", 1)
    async with worker(client, "timer", hands):
        # Its first task is done, so that only the timer is left.
        await until(lambda: _waits_for_time(handle))
    await asyncio.sleep(5)  # the timer is over, and for four seconds nobody has asked for the queue

    async def counted() -> bool:
        told = await look(config, datetime.now(UTC) + timedelta(hours=1))
        return bool(told["mine"]["because"] == "1 tasks wait")

    await until(counted)
    assert ecs.changes == [("mine", 1)]
    async with worker(client, "timer", hands):
        assert await handle.result() == "done"


async def _waits_for_time(handle: WorkflowHandle[Any, str]) -> bool:
    return any([event.HasField("timer_started_event_attributes") async for event in handle.fetch_history_events()])


async def _due(handle: WorkflowHandle[Any, str]) -> datetime:
    (event,) = [
        event async for event in handle.fetch_history_events() if event.HasField("timer_started_event_attributes")
    ]
    wait = event.timer_started_event_attributes.start_to_fire_timeout
    return event.event_time.ToDatetime(UTC) + wait.ToTimedelta()


async def test_work_for_a_version_wakes_it_also_after_the_queue_was_forgotten(
    address: str, client: Client, ecs: EcsService
) -> None:
    config, later = config_of(address, versioned="versioned"), timedelta(hours=1)
    ecs.has("versioned", desired=0, running=0, deployed_at=LONG_AGO)
    hands = Hands()
    hands.let_go.set()

    async def promoted() -> bool:
        return await versions.promote(client, "r1", ["versioned"])

    async with worker(client, "versioned", hands, release="r1"):
        await until(promoted)
        sleeper = await started(client, "versioned", wait=6)
        await until(lambda: _waits_for_time(sleeper))
    due = await _due(sleeper)
    await asyncio.sleep(2.5)
    told = await look(config, datetime.now(UTC) + later)
    asleep_until_then = told["versioned"]["because"] == "asleep"
    assert asleep_until_then or datetime.now(UTC) > due, "nobody has work before its time has come"

    async def woken() -> bool:
        await look(config, datetime.now(UTC) + later)
        return bool(ecs.changes)

    await until(woken)
    assert ecs.changes == [("versioned", 1)], "a timer of a workflow that the version began"

    # A release that was applied meanwhile: it makes itself current, and what waited is its work.
    ecs.has("versioned", desired=1, running=1, deployed_at=LONG_AGO)
    async with worker(client, "versioned", hands, release="r2"):
        await until(lambda: versions.promote(client, "r2", ["versioned"]))
        assert await sleeper.result() == "done"
    ecs.changes.clear()

    async def asleep() -> bool:
        await asyncio.sleep(2.5)
        await look(config, datetime.now(UTC) + later)
        return bool(ecs.changes)

    await until(asleep)
    assert ecs.changes == [("versioned", 0)], "a version without work does not keep it awake"

    ecs.has("versioned", desired=0, running=0, deployed_at=LONG_AGO)
    ecs.changes.clear()
    await started(client, "versioned")
    await until(woken)
    assert ecs.changes == [("versioned", 1)], "a workflow that nobody began"


async def test_a_server_that_does_not_answer_leaves_everything_as_it_is(
    ecs: EcsService, monkeypatch: pytest.MonkeyPatch
) -> None:
    ecs.has("mine", desired=1, running=1, deployed_at=LONG_AGO)
    monkeypatch.setattr(lambda_handler, "load", lambda: config_of("127.0.0.1:1", mine="q"))
    with pytest.raises((RuntimeError, RPCError)):
        await asyncio.to_thread(lambda_handler.handler, {}, None)
    assert ecs.changes == []


async def test_work_that_waits_for_long_is_told_after_waking(
    address: str, client: Client, ecs: EcsService, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = config_of(address, mine="overdue")
    ecs.has("mine", desired=0, running=0, deployed_at=LONG_AGO)
    handle = await started(client, "overdue")

    async def counted() -> bool:
        return (await work.waiting(client, ["overdue"])).oldest > timedelta(seconds=1)

    await until(counted)
    monkeypatch.setattr(lambda_handler, "OVERDUE", timedelta(seconds=1))
    with pytest.raises(WorkIsOverdue, match=r"mine \(0 of 0 tasks run\) has had work for"):
        await look(config, datetime.now(UTC))
    assert ecs.changes == [("mine", 1)]
    await handle.terminate()
