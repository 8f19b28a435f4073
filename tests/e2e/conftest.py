"""Stories on one shared stack: every test brings its own orders and leaves the stack whole."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from infra.local.blocking import BlockingStack
from infra.local.story.world import World
from tests.e2e.scene import Scene
from worker.config import WorkerConfig, load
from worker.connections import reading
from worker.temporal.client import connect


@pytest.fixture(scope="session")
def config(stack: BlockingStack) -> WorkerConfig:
    """The stack's settings, as the command line reads them."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in stack.env.items():
            patch.setenv(name, value)
        return load()


@pytest.fixture(scope="session")
def harmed() -> set[str]:
    """Orders that tests of this session have harmed for good."""
    return set()


@pytest.fixture
async def scene(stack: BlockingStack, config: WorkerConfig, harmed: set[str]) -> AsyncIterator[Scene]:
    """Everything a story needs; what it spoils outside is mended afterwards."""
    client = await connect(config.temporal)
    async with World(stack.stack) as world, aiohttp.ClientSession() as http:
        with reading(config) as database:
            yield Scene(
                stack=stack, config=config, world=world, http=http, database=database, client=client, harmed=harmed
            )
        await world.control("DELETE", "/faults")
        await world.control("DELETE", "/webhooks/faults")
        await world.control("POST", "/webhooks/release", {})
        await world.control("PUT", "/warehouse", {"ship_after_seconds": 0})
