"""A worker that answers for the functions' tests, in a thread and event loop of its own: tests may block theirs."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from tests.integration.answering_workflows import AnsweringAddress, AnsweringOrder, AnsweringRefund, AnsweringUser
from worker.contract.names import Queue


@contextmanager
def answering(temporal: str, namespace: str) -> Iterator[None]:
    """Answer for orders, refunds, users and their changes of address until the block ends."""
    loop = asyncio.new_event_loop()
    stop, ready = asyncio.Event(), threading.Event()
    failures: list[BaseException] = []

    async def serve() -> None:
        client = await Client.connect(temporal, namespace=namespace)
        runner = UnsandboxedWorkflowRunner()
        orders = Worker(
            client, task_queue=Queue.ORDERS, workflows=[AnsweringOrder, AnsweringRefund], workflow_runner=runner
        )
        users = Worker(
            client, task_queue=Queue.USERS, workflows=[AnsweringUser, AnsweringAddress], workflow_runner=runner
        )
        async with orders, users:
            ready.set()
            await stop.wait()

    def run() -> None:
        try:
            loop.run_until_complete(serve())
        except BaseException as problem:
            failures.append(problem)
        finally:
            ready.set()
            loop.close()

    thread = threading.Thread(target=run, name="answering")
    thread.start()
    try:
        assert ready.wait(60)
        yield
    finally:
        if not loop.is_closed():
            loop.call_soon_threadsafe(stop.set)
        thread.join(30)
    assert not failures, failures
