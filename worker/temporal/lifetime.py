"""The life of a worker process: run until a signal, then finish what is under way and leave with 0.

The SDK installs no signal handlers: without these, SIGTERM is as hard as a kill. The first signal stops polling
and gives running activities their grace; the second ends the process at once, as does an activity that ignores
its cancellation: both are safe, since Temporal repeats what was not reported.
"""

import asyncio
import logging
import os
import signal
from collections.abc import Awaitable, Callable, Sequence

from temporalio.worker import Worker

SIGNALS = (signal.SIGTERM, signal.SIGINT)
OVERDUE_SECONDS = 5.0
"""What a drain may take beyond the activities' grace, before the process leaves without it."""
HOOK_SECONDS = 2.0
"""What `on_stopping` may take."""

_log = logging.getLogger(__name__)

Hook = Callable[[], Awaitable[None]]


async def run_until_signal(
    workers: Sequence[Worker], *, grace_seconds: float, on_ready: Hook | None = None, on_stopping: Hook | None = None
) -> int:
    """Run all workers until SIGTERM or SIGINT; return the process's exit code, 0.

    `on_ready` is awaited once every worker polls; `on_stopping` before the drain begins (report unready there).
    A worker that fails brings the others down in order, and its error is raised. Must be called in the main
    thread. A second signal, or a drain that is overdue, ends the process without returning (exit code 1 for the
    overdue drain, 128 + signal number for the signal).
    """
    loop = asyncio.get_running_loop()
    asked = asyncio.Event()

    def on_signal(number: signal.Signals) -> None:
        if asked.is_set():
            _leave(128 + number, "second signal")
        _log.info("stopping", extra={"signal": number.name})
        asked.set()

    for number in SIGNALS:
        loop.add_signal_handler(number, on_signal, number)
    try:
        return await _run(workers, asked, grace_seconds, on_ready, on_stopping)
    finally:
        for number in SIGNALS:
            loop.remove_signal_handler(number)


async def _run(
    workers: Sequence[Worker], asked: asyncio.Event, grace: float, on_ready: Hook | None, on_stopping: Hook | None
) -> int:
    running = [asyncio.create_task(worker.run(), name=f"worker {worker.task_queue}") for worker in workers]
    stop = asyncio.create_task(asked.wait(), name="signal")
    ready = asyncio.create_task(_ready(workers, on_ready), name="ready")
    try:
        await asyncio.wait({stop, *running, ready}, return_when=asyncio.FIRST_COMPLETED)
        if ready.done():
            ready.result()
            await asyncio.wait({stop, *running}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        ready.cancel()
        stop.cancel()
        await _drain(workers, running, grace, on_stopping)
    for task in running:
        task.result()
    return 0


async def _ready(workers: Sequence[Worker], on_ready: Hook | None) -> None:
    # The SDK tells that a worker polls by a property only; there is nothing to wait on.
    while not all(worker.is_running for worker in workers):  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    _log.info("polling", extra={"queues": [worker.task_queue for worker in workers]})
    if on_ready is not None:
        await on_ready()


async def _drain(
    workers: Sequence[Worker], running: Sequence[asyncio.Task[None]], grace: float, on_stopping: Hook | None
) -> None:
    if on_stopping is not None:
        try:
            async with asyncio.timeout(HOOK_SECONDS):
                await on_stopping()
        except Exception:
            _log.exception("could not say that we are stopping")
    # All are asked before any is awaited: the graces run side by side.
    # One that is still starting is asked, too: it would come up once nobody is left to ask it.
    starting_or_running = [worker for worker, task in zip(workers, running, strict=True) if not task.done()]
    asked = [asyncio.create_task(worker.shutdown()) for worker in starting_or_running]
    _, late = await asyncio.wait([*running, *asked], timeout=grace + OVERDUE_SECONDS)
    if late:
        _leave(1, "an activity did not end within its grace")


def _leave(code: int, reason: str) -> None:
    _log.error("leaving at once", extra={"reason": reason})
    logging.shutdown()
    os._exit(code)
