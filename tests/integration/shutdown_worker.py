"""A worker process for tests/integration/test_worker_shutdown.py: argv is address, namespace, grace in seconds.

Writes one line per fact to standard output: `ready`, `running {attempt}`, `stopping`.
"""

import asyncio
import contextlib
import os
import sys
import time

from temporalio import activity
from temporalio.converter import DataConverter
from temporalio.exceptions import CancelledError

from tests.integration.tiny_workflows import TinyActivity, TinyLocalActivity
from worker.config import ProcessConfig
from worker.contract.names import Queue
from worker.contract.temporal_tls import TemporalConfig
from worker.temporal import lifetime
from worker.temporal.client import connect
from worker.temporal.worker import activity_executor, build_workers


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


@activity.defn
def polite() -> int:
    """Takes a second and answers with its attempt."""
    say(f"running {activity.info().attempt}")
    time.sleep(1)
    return activity.info().attempt


@activity.defn
def stubborn() -> int:
    """Ignores its cancellation."""
    say(f"running {activity.info().attempt}")
    end = time.monotonic() + 30
    while time.monotonic() < end:
        with contextlib.suppress(CancelledError):
            time.sleep(0.05)
    return 0


async def main(address: str, namespace: str, grace: int) -> int:
    config = ProcessConfig(
        queues=("users", "events"),
        activity_threads=4,
        max_cached_workflows=10,
        grace_seconds=grace,
        sticky_timeout_seconds=1,
        health_host="127.0.0.1",
        health_port=0,
        stuck_after_seconds=300,
    )
    client = await connect(TemporalConfig(address=address, namespace=namespace, tls=False), DataConverter.default)
    lifetime.OVERDUE_SECONDS = 0.5
    executor = activity_executor(config)
    duties = ([TinyActivity, TinyLocalActivity], [polite, stubborn])
    workers = build_workers(client, config, {Queue.USERS: duties, Queue.EVENTS: duties}, executor)

    async def on_ready() -> None:
        say("ready")

    async def on_stopping() -> None:
        say("stopping")

    code = await lifetime.run_until_signal(workers, grace_seconds=grace, on_ready=on_ready, on_stopping=on_stopping)
    executor.shutdown()
    return code


if __name__ == "__main__":
    status = asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
    sys.stdout.flush()
    # As the worker's own command ends, and for its reason: threads of the Temporal client outlive the loop.
    os._exit(status)
