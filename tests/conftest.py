"""Real servers shared by the whole session, each started when the first test asks for it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.local.blocking import BlockingStack
from infra.local.layout import PROJECT
from infra.local.stack import Stack


@pytest.fixture(scope="session")
def database_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of an empty database on a private MariaDB; its user may create more, named `orders...`."""
    with BlockingStack(Stack(tmp_path_factory.mktemp("mariadb"), members=["mariadb"])) as stack:
        yield stack.url("database")


@pytest.fixture(scope="session")
def temporal_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`host:port` of a real Temporal server with namespace `default` and our search attributes."""
    with BlockingStack(Stack(tmp_path_factory.mktemp("temporal"), members=["temporal"])) as stack:
        yield stack.url("temporal")


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BlockingStack]:
    """Everything, from the functions to the simulated outside world. Tests that break a member must heal it."""
    with BlockingStack(Stack(tmp_path_factory.mktemp("stack"))) as running:
        yield running
        running.check()


@pytest.fixture(scope="session")
def fixtures_dir() -> Path:
    """Return the folder of recorded samples beside the checkout; tests that need it are skipped without."""
    folder = PROJECT.parent / "shared" / "fixtures"
    if not folder.is_dir():
        pytest.skip("the recorded samples are not beside this checkout")
    return folder
