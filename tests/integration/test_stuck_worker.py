"""A worker that is alive and does nothing is found: what asks `GET /health/live` gets 503, and 200 once it gets on."""

import asyncio
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import pytest
from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from tests.integration.temporal_namespace import fresh_namespace
from tests.unit.test_observability_health import state
from worker.housekeeping import Housekeeping, heartbeat, queue_backlog
from worker.observability.health import Health, HealthServer, Pulse
from worker.observability.metrics import Metrics
from worker.observability.progress import Progress
from worker.services.stuck import StuckSteps
from worker.temporal.client import default_identity
from worker.temporal.interceptors import ActivityInterceptor

QUEUE, THREADS = "slots", 2
PATIENCE = 60
LONG = 0.5
"""Seconds after which these tests take somebody for stuck."""


class Holding:
    """Activities that hold their threads until they are let go."""

    def __init__(self) -> None:
        self.begun = threading.Semaphore(0)
        self.go = threading.Event()

    @activity.defn(name="hold")
    def hold(self, beats: bool) -> None:
        self.begun.release()
        while not self.go.wait(0.02):
            if beats:
                activity.heartbeat()


@workflow.defn(name="Held")
class Held:
    @workflow.run
    async def run(self, beats: bool) -> None:
        # One more than there are threads: it waits for a place.
        held = [
            workflow.execute_activity("hold", beats, start_to_close_timeout=timedelta(minutes=5))
            for _ in range(THREADS)
        ]
        await asyncio.gather(*held)


@pytest.fixture
async def client(temporal_server: str) -> AsyncIterator[Client]:
    async with fresh_namespace(temporal_server) as client:
        yield client


@asynccontextmanager
async def working(client: Client, holding: Holding, progress: Progress) -> AsyncIterator[None]:
    executor = ThreadPoolExecutor(THREADS)
    stuck = StuckSteps(None, None, timedelta(hours=1))  # type: ignore[arg-type]
    worker = Worker(
        client,
        task_queue=QUEUE,
        identity=f"{default_identity()}/{QUEUE}",
        workflows=[Held],
        activities=[holding.hold],
        activity_executor=executor,
        max_concurrent_activities=THREADS,
        workflow_runner=UnsandboxedWorkflowRunner(),
        interceptors=[ActivityInterceptor(Metrics(), stuck, progress)],
    )
    async with worker:
        yield
    executor.shutdown()


def served(progress: Progress, pulse: Pulse | None = None, *, pulse_seconds: float = 60) -> HealthServer:
    vitals = {"activities": progress.activities, "polling": progress.polling}
    health = Health(pulse or Pulse(), {}, vitals, pulse_seconds=pulse_seconds)
    return HealthServer(health, [], host="127.0.0.1", port=0)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not await asyncio.to_thread(condition):
            await asyncio.sleep(0.05)


async def test_slots_that_are_held_for_ever_are_found(client: Client) -> None:
    holding, progress = Holding(), Progress(THREADS, activities_seconds=PATIENCE)
    with served(progress) as server:
        async with working(client, holding, progress):
            handle = await client.start_workflow("Held", False, id="held", task_queue=QUEUE)
            await until(lambda: all(holding.begun.acquire(timeout=PATIENCE) for _ in range(THREADS)))
            assert state(server, "/health/live")[0] == 200, "busy is not stuck"
            progress._activities_seconds = LONG
            await until(lambda: state(server, "/health/live")[0] == 503)
            assert state(server, "/health/live")[1]["checks"] == {
                "event_loop": "ok",
                "activities": "stuck",
                "polling": "ok",
            }
            holding.go.set()
            await handle.result()
            assert state(server, "/health/live")[0] == 200


async def test_long_work_that_tells_of_itself_is_not_stuck(client: Client) -> None:
    holding, progress = Holding(), Progress(THREADS, activities_seconds=LONG)
    with served(progress) as server:
        async with working(client, holding, progress):
            handle = await client.start_workflow("Held", True, id="held", task_queue=QUEUE)
            await until(lambda: all(holding.begun.acquire(timeout=PATIENCE) for _ in range(THREADS)))
            await asyncio.sleep(2 * LONG)
            # On a busy machine a beat may come late, but it comes: who tells nothing would stay stuck.
            await until(lambda: state(server, "/health/live")[0] == 200)
            holding.go.set()
            await handle.result()


async def test_a_worker_that_no_longer_asks_for_work_is_found(client: Client) -> None:
    progress = Progress(THREADS, poll_seconds=PATIENCE)
    job = queue_backlog(client, [QUEUE], Metrics(), progress)
    async with working(client, Holding(), progress):

        async def seen() -> None:
            async with asyncio.timeout(PATIENCE):
                while True:
                    await job.run()
                    if QUEUE in progress._polled_at:
                        return
                    await asyncio.sleep(0.05)

        await seen()
        assert progress.polling() == "ok"
    progress._poll_seconds = LONG
    # The process lives on without its workers; the server still answers, and has not been asked.
    with served(progress) as server:
        async with asyncio.timeout(PATIENCE):
            while state(server, "/health/live")[0] == 200:
                await job.run()
                await asyncio.sleep(0.1)
        assert state(server, "/health/live")[1]["checks"]["polling"] == "stuck"


def test_a_server_that_is_away_is_no_reason_to_restart(monkeypatch: pytest.MonkeyPatch) -> None:
    progress = Progress(THREADS)
    assert progress.polling() == "ok", "nobody has told yet"
    progress.polled({QUEUE: None})
    assert progress.polling() == "ok", "a server that never tells"
    progress.polled({QUEUE: 1000.0})
    assert progress.polling() == "stuck"
    later = time.monotonic() + 61
    monkeypatch.setattr("worker.observability.progress.time.monotonic", lambda: later)
    assert progress.polling() == "ok", "what the server said a minute ago does not count"


async def test_an_event_loop_that_is_blocked_is_found_by_the_container_s_own_check() -> None:
    """The check is the one that the image and ECS run: a program of its own that asks and ends with 0 or not."""
    pulse = Pulse()
    # More often than in production, so that a busy machine is not found stuck.
    keeping = Housekeeping([replace(heartbeat(pulse), every_seconds=0.1)], Metrics())
    keeping.start()
    with served(Progress(THREADS), pulse, pulse_seconds=2.5) as server:
        await asyncio.sleep(0)
        check = f"import urllib.request as r; r.urlopen('http://127.0.0.1:{server.port}/health/live', timeout=60)"
        run = [sys.executable, "-c", check]
        assert (await asyncio.to_thread(subprocess.run, run, capture_output=True, check=False)).returncode == 0
        _stand_still(server.port)
        assert subprocess.run(run, capture_output=True, check=False).returncode != 0  # noqa: ASYNC221 - that is the point
        await until(lambda: _status(server.port) == 200)
    await keeping.stop()


def _stand_still(port: int) -> None:
    """Block the loop that this is called in, until the process is found stuck."""
    deadline = time.monotonic() + PATIENCE
    while _status(port) == 200:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def _status(port: int) -> int:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health/live", timeout=PATIENCE) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        return refused.code
