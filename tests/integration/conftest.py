"""What tests of several files share: the functions' bundle, built and unpacked once, and an office with its books."""

import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import datetime
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import Engine

from infra.bundle import archive
from infra.bundle.build import Bundle, build
from infra.bundle.errors import BundleError
from infra.bundle.target import ARCHITECTURES, Target, running_python
from infra.local.layout import CACHE, PROJECT
from tests.integration.office import Office
from tests.integration.outside_process import OutsideProcess
from tests.integration.own_database import emptied, migrated_database

BUNDLE_CACHE = CACHE / "bundle"
_numbers = count(1)


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bundle]:
    """Build the bundle that runs on this machine; there is none but on Linux.

    It and those that are built after it are packed in haste; so they stay within their budget all the more.
    """
    for architecture in ARCHITECTURES:
        target = Target(architecture=architecture, python=running_python())
        if target.is_ours:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(archive, "LEVEL", 1)
                yield build(PROJECT, target, output=tmp_path_factory.mktemp("bundle"), cache=BUNDLE_CACHE)
            return
    if sys.platform == "linux":
        raise BundleError("this machine is of no architecture that Lambda has")
    pytest.skip("bundles run on Linux")


@pytest.fixture(scope="session")
def task_root(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder in which the bundle is unpacked, and nothing else is."""
    folder = tmp_path_factory.mktemp("task")
    with zipfile.ZipFile(bundle.path) as archive:
        archive.extractall(folder)
    return folder


@pytest.fixture(scope="session")
def outside_process(
    tmp_path_factory: pytest.TempPathFactory, with_the_folder: Callable[[Callable[[], None]], None]
) -> Iterator[OutsideProcess]:
    """One simulator for all files: `outside` begins it again for each. It ends with the folder."""
    with ExitStack() as ending:
        running = ending.enter_context(OutsideProcess(tmp_path_factory.mktemp("outside")))
        with_the_folder(ending.close)
        yield running


@pytest.fixture(scope="module")
def outside(outside_process: OutsideProcess) -> OutsideProcess:
    """The provider, the shop and the warehouse of one file's tests."""
    outside_process.begin_again()
    return outside_process


@pytest.fixture(scope="module")
def engine(database_url: str) -> Iterator[Engine]:
    """The database of one file's tests."""
    with migrated_database(database_url) as engine:
        yield engine


@pytest.fixture
def office(engine: Engine, outside: OutsideProcess) -> Iterator[Office]:
    """Books of one test: an empty database, and a time in which nobody else did anything."""
    emptied(engine)
    outside.control("POST", "/clock/advance", {"seconds": 20 * 86_400})
    yield Office(engine, outside)
    outside.heal()


@pytest.fixture(scope="module")
def _running(engine: Engine, outside: OutsideProcess) -> Office:
    return Office(engine, outside)


@pytest.fixture
def one_office(_running: Office) -> Iterator[Office]:
    """One office for all tests of a file, which are kept apart by their orders; its books are never emptied."""
    yield _running
    _running.outside.heal()


@pytest.fixture
def order_id() -> str:
    """Name an order that no other test has."""
    return f"order-{next(_numbers)}"


@pytest.fixture
def start(office: Office) -> datetime:
    """The time of the office's clock."""
    return office.clock.now()
