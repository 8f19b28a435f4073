"""Stories on one shared stack: every test brings its own orders and leaves the stack whole."""

from collections.abc import AsyncIterator, Iterator

import pytest

from infra.local import commandline
from infra.local.blocking import BlockingStack
from tests.e2e import forked_commands
from tests.e2e.scene import Scene, opened
from worker.config import WorkerConfig, load


@pytest.fixture(scope="session")
def config(stack: BlockingStack) -> WorkerConfig:
    """The stack's settings, as the command line reads them."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in stack.env.items():
            patch.setenv(name, value)
        return load()


@pytest.fixture(scope="module", autouse=True)
def commands() -> Iterator[None]:
    """Fork what stories type, instead of starting Python for each; elsewhere commands are started."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(commandline, "run", forked_commands.run)
        yield


@pytest.fixture(scope="session")
def harmed() -> set[str]:
    """Orders that tests of this session have harmed for good."""
    return set()


@pytest.fixture
async def scene(stack: BlockingStack, config: WorkerConfig, harmed: set[str]) -> AsyncIterator[Scene]:
    """Everything a story needs."""
    async with opened(stack, config, harmed) as scene:
        yield scene
