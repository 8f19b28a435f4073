"""One time-skipping server for all workflow tests."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest_asyncio
from temporalio.testing import WorkflowEnvironment

from tests.workflows.timeskipping import time_skipping_server


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def env(with_the_folder: Callable[[Callable[[], None]], None]) -> AsyncIterator[WorkflowEnvironment]:
    """The server; tests of it run in the session's event loop, since clients belong to the loop that made them.

    It ends with the folder: what tests leave unfinished in it costs a fifteenth of a core for as long as it runs.
    """
    environment, loop, ended = await time_skipping_server(), asyncio.get_running_loop(), asyncio.Event()

    async def end() -> None:
        if not ended.is_set():
            ended.set()
            await environment.shutdown()

    # Between two tests the loop stands.
    with_the_folder(lambda: loop.run_until_complete(end()))
    yield environment
    await end()
