"""The bare shapes' process: workers for all of them, and their client, which an eager start wants in the same process.

Reads `NAME COUNT` from its input, runs so many workflows of that name, and answers each line with the seconds it took.
Seals payloads as the worker does. Ends with its input.
"""

import asyncio
import sys
import uuid
from concurrent.futures import ThreadPoolExecutor

from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker, WorkflowRunner

from tests.bench.orders.bare_workflows import (
    DEPARTED,
    LOCAL,
    NORMAL,
    WAITING,
    BareLocal,
    BareNormal,
    BareWaiting,
    nothing,
)
from tests.bench.orders.driving import drive
from tests.bench.orders.orders import order
from tests.workflows.sandbox import sandbox
from worker.config import load
from worker.temporal.client import connect
from worker.temporal.codec import converter_of


async def main() -> None:
    """Serve until the input ends."""
    config = load()
    client = await connect(config.temporal, converter_of(config.encryption))
    async with (
        _worker(client, NORMAL, BareNormal, sandbox()),
        _worker(client, LOCAL, BareLocal, UnsandboxedWorkflowRunner()),
        _worker(client, WAITING, BareWaiting, UnsandboxedWorkflowRunner()),
    ):
        with ThreadPoolExecutor(1) as reading:
            loop = asyncio.get_running_loop()
            while line := await loop.run_in_executor(reading, sys.stdin.readline):
                name, _, count = line.strip().partition(" ")
                sys.stdout.write(f"{await _run(client, name, int(count))}\n")
                sys.stdout.flush()


def _worker(client: Client, name: str, workflow: type, runner: WorkflowRunner) -> Worker:
    """Return a worker with the SDK's own settings: what is bare is not tuned."""
    return Worker(client, task_queue=name, workflows=[workflow], activities=[nothing], workflow_runner=runner)


async def _run(client: Client, name: str, count: int) -> float:
    run = uuid.uuid4().hex[:12]

    async def one(number: int) -> None:
        place = order(f"{run}-{number}")
        # An eager start hands the first workflow task to the worker of this process, without a queue. What it was handed
        # is under way when this returns, so an update is of another task.
        handle = await client.start_workflow(
            name, place, id=f"bare/{place.order_id}", task_queue=name, request_eager_start=name != NORMAL
        )
        if name == WAITING:
            await handle.execute_update(DEPARTED, place)
        await handle.result()

    return await drive(one, count)


if __name__ == "__main__":
    asyncio.run(main())
