"""One time-skipping server for all workflow tests."""

from collections.abc import AsyncIterator

import pytest_asyncio
from temporalio.testing import WorkflowEnvironment

from tests.workflows.timeskipping import time_skipping_server


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def env() -> AsyncIterator[WorkflowEnvironment]:
    """The server; tests of it run in the session's event loop, since clients belong to the loop that made them."""
    async with await time_skipping_server() as environment:
        yield environment
