import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.client import Client

from tests.integration.temporal_namespace import fresh_namespace

ROOT = Path(__file__).resolve().parents[2]


class Process:
    def __init__(self, child: asyncio.subprocess.Process) -> None:
        self.child = child

    async def says(self, *expected: str) -> None:
        """Wait for so many lines, in any order."""
        assert self.child.stdout is not None
        lines = [await asyncio.wait_for(self.child.stdout.readline(), 60) for _ in expected]
        assert sorted(line.decode().strip() for line in lines) == sorted(expected)

    def send(self, number: signal.Signals) -> None:
        self.child.send_signal(number)

    async def complaints(self) -> str:
        """Return what it wrote of errors, once it has ended: the SDK's own threads write there."""
        assert self.child.stderr is not None
        return (await self.child.stderr.read()).decode()

    async def ends(self) -> int:
        return await asyncio.wait_for(self.child.wait(), 60)


@pytest.fixture
async def client(temporal_server: str) -> AsyncIterator[Client]:
    async with fresh_namespace(temporal_server) as client:
        yield client


@asynccontextmanager
async def running_worker(client: Client, grace: int, *, finds: Sequence[str] = ()) -> AsyncIterator[Process]:
    """Run a worker; `finds` is what it says of work that waits for it, as soon as it asks for some."""
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.integration.shutdown_worker",
        client.service_client.config.target_host,
        client.namespace,
        str(grace),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    process = Process(child)
    try:
        await process.says("ready", *finds)
        yield process
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()


async def start(client: Client, activity: str) -> None:
    await client.start_workflow("Tiny", args=[activity, 0], id=f"tiny-{activity}", task_queue="users")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_running_activity_ends_in_its_first_attempt_and_the_worker_leaves_with_0(
    client: Client, number: signal.Signals
) -> None:
    async with running_worker(client, grace=10) as worker:
        await start(client, "polite")
        await worker.says("running 1")
        worker.send(number)
        await worker.says("stopping")
        assert await worker.ends() == 0
    async with running_worker(client, grace=10):
        assert await client.get_workflow_handle("tiny-polite").result() == 1


async def test_what_a_workflow_task_waits_for_ends_in_its_first_attempt_and_the_task_is_answered(
    client: Client,
) -> None:
    """As the charge of an order: neither it nor its answer is left to another worker."""
    async with running_worker(client, grace=10) as worker:
        local = await client.start_workflow("TinyLocal", "polite", id="tiny-local", task_queue="users")
        await worker.says("running 1")
        worker.send(signal.SIGTERM)
        await worker.says("stopping")
        assert await worker.ends() == 0
        assert "panicked" not in await worker.complaints()
    assert await asyncio.wait_for(local.result(), 60) == 1, "nobody but the worker that has ended could answer"


async def test_one_that_outlives_the_grace_is_done_again_by_another_worker(client: Client) -> None:
    async with running_worker(client, grace=1) as worker:
        await client.start_workflow(
            "TinyLocal", "stubborn", id="tiny-late", task_queue="users", task_timeout=timedelta(seconds=2)
        )
        await worker.says("running 1")
        worker.send(signal.SIGTERM)
        await worker.says("stopping")
        assert await worker.ends() == 1
        assert "panicked" not in await worker.complaints()
    async with running_worker(client, grace=1, finds=["running 1"]):
        pass


async def test_an_idle_worker_leaves_at_once(client: Client) -> None:
    async with running_worker(client, grace=30) as worker:
        worker.send(signal.SIGTERM)
        assert await worker.ends() == 0


async def test_an_activity_that_ignores_its_cancellation_does_not_hold_the_process(client: Client) -> None:
    async with running_worker(client, grace=1) as worker:
        await start(client, "stubborn")
        await worker.says("running 1")
        worker.send(signal.SIGTERM)
        await worker.says("stopping")
        assert await worker.ends() == 1


async def test_the_second_signal_ends_the_process_at_once(client: Client) -> None:
    async with running_worker(client, grace=30) as worker:
        await start(client, "stubborn")
        await worker.says("running 1")
        worker.send(signal.SIGTERM)
        await worker.says("stopping")
        worker.send(signal.SIGINT)
        assert await worker.ends() == 128 + signal.SIGINT
