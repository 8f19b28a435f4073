"""Real servers that tests share, each started when the first test asks for it; which process runs what."""

import contextlib
import gc
import importlib
import os
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.internal.constants_ast import constants_from_module
from temporalio.worker import _worker
from xdist.scheduler import LoadFileScheduling

from infra.local import freeports
from infra.local.blocking import BlockingStack
from infra.local.layout import PROJECT
from infra.local.stack import Stack
from infra.local.temporal import SETTINGS
from tests import scratch

scratch.settle()
# Without compiled modules each process that a test starts would lose seconds, and each of pytest's twenty.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
# readline, which pytest loads, tells its children of a terminal; there is none, and tables are as wide as they want.
os.environ.pop("COLUMNS", None)
os.environ.pop("LINES", None)

# The Temporal servers that the SDK starts for tests, as infra/local/temporal.py has its own: an eighth less CPU.
os.environ.setdefault("GOGC", SETTINGS["GOGC"])

# Unsaid, the SDK reads the code of all modules once in each process, to name the worker of a test.
_worker._default_build_id = "tests"

# What takes long on a busy machine is no counterexample, neither to run nor to draw.
settings.register_profile("orders", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("orders")

T = TypeVar("T")
TESTS = Path(__file__).parent
FOLDERS = ("e2e", "integration", "infra", "workflows", "replay", "docs", "unit")
"""From the longest files to the shortest, so that all processes end at the same time."""

SHORT_GRACES = {f"ORDERS_RECONCILIATION__{books}_GRACE_SECONDS": "2" for books in ("PAYMENT", "ORDER")}
"""Tests wait for graces to be over, and would learn nothing more from longer ones."""


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Iterator[None]:
    """Collect without looking for garbage, of which there is none yet, and count nothing of it as such later."""
    gc.disable()
    try:
        _import_ones_share(session)
        return (yield)
    finally:
        gc.freeze()
        # Rarely: looking after every 700 new objects, as Python does, was a sixteenth of what computing tests cost.
        gc.set_threshold(20_000, 20, 20)
        gc.enable()


def _import_ones_share(session: pytest.Session) -> None:
    """Import every n-th file of tests first: what pytest makes of it, at some cost, the other processes then find made.

    Each of them has to import all, and in one order all would make the same at the same time.
    """
    workerinput = getattr(session.config, "workerinput", None)
    if workerinput is None:
        return
    number, count = int(workerinput["workerid"].removeprefix("gw")), workerinput["workercount"]
    _take_ones_share_of_ports(number, count)
    everything = all(Path(given).resolve() in {TESTS, TESTS.parent} for given in session.config.args)
    if not everything or number >= count:
        return
    for file in sorted(TESTS.rglob("test_*.py"))[number::count]:
        if str(file.parent) not in sys.path:
            sys.path.insert(0, str(file.parent))
        # What is wrong with it, pytest tells when its turn comes.
        with contextlib.suppress(Exception, pytest.skip.Exception):
            importlib.import_module(file.stem)
    _read_ones_share(number, count)


def _take_ones_share_of_ports(number: int, count: int) -> None:
    """Draw from ports of this process's own: one that is free may be another's, who does not listen yet."""
    share = (freeports.LAST - freeports.FIRST) // max(count, number + 1)
    freeports.FIRST += number * share
    freeports.LAST = freeports.FIRST + share


def _read_ones_share(number: int, count: int) -> None:
    """Read a share of our modules for the constants that hypothesis tries: it keeps them in files, for all processes."""
    for name, module in list(sys.modules.items()):
        ours = name.partition(".")[0] in {"functions", "infra", "worker"}
        if ours and zlib.crc32(name.encode()) % count == number:
            constants_from_module(module)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the long folders first."""
    items.sort(key=lambda item: FOLDERS.index(_folder(item)))


def _folder(item: pytest.Item) -> str:
    # From its name: to take a path apart costs sixty times as much, twice for each of some thousand tests.
    return item.nodeid.removeprefix("tests/").partition("/")[0]


_serving: list[ExitStack] = []
"""The servers of the folder whose tests run."""
_left: list[str] = []
"""The folder of the last test."""


@pytest.fixture(scope="session")
def with_the_folder() -> Callable[[Callable[[], None]], None]:
    """Return what takes note of how to end something once the tests of the running folder are over.

    Where no folder follows, it is not called: a fixture ends what it began, however the session ends.
    """

    def noted(end: Callable[[], None]) -> None:
        ending = ExitStack()
        ending.callback(end)
        _serving.append(ending)

    return noted


@contextmanager
def _for_this_folder(server: AbstractContextManager[T]) -> Iterator[T]:
    """Run a server to the end of the session, or of the folder whose tests have asked for it."""
    with ExitStack() as ending:
        running = ending.enter_context(server)
        _serving.append(ending)
        yield running


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """End the servers of a folder that is over: together, doing nothing costs them a fifth of a core.

    Folders are run one after the other, and none of them uses the servers of another.
    """
    if _left[:] != [_folder(item)]:
        _left[:] = [_folder(item)]
        while _serving:
            _serving.pop().close()


ONE_BUNDLE = {f"tests/integration/test_{name}.py" for name in ("bundle", "bundle_lifecycle", "functions_transports")}


class OneStack(LoadFileScheduling):  # type: ignore[misc]  # xdist's schedulers have no types
    """File by file, but everything on the shared stack in one process: a second stack would cost more than waiting.

    So would a second bundle of the functions.
    """

    def _split_scope(self, nodeid: str) -> str:
        file = str(super()._split_scope(nodeid))
        if file in ONE_BUNDLE:
            return "tests/integration bundle"
        shares = file.startswith("tests/e2e/") and not file.endswith("/test_whole_demo.py")
        return "tests/e2e" if shares else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> OneStack:
    """Distribute the tests over pytest's processes (`--numprocesses`)."""
    return OneStack(config, log)


@pytest.fixture(scope="session")
def database_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of an empty database on a private MariaDB; its user may create more, named `orders...`."""
    with _for_this_folder(BlockingStack(Stack(tmp_path_factory.mktemp("mariadb"), members=["mariadb"]))) as stack:
        yield stack.url("database")


@pytest.fixture(scope="module")
def temporal_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`host:port` of a real Temporal server with namespace `default` and our search attributes.

    Each file has its own: a start costs half a second of CPU, which a server that many files have used spends in five
    to fifteen seconds while nobody asks it for anything (4 to 12 % of a core, measured on a busy machine).
    """
    with BlockingStack(Stack(tmp_path_factory.mktemp("temporal"), members=["temporal"])) as stack:
        yield stack.url("temporal")


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BlockingStack]:
    """Everything, from the functions to the simulated outside world. Tests that break a member must heal it."""
    settings = SHORT_GRACES | _no_run_by_itself()
    with _for_this_folder(
        _unharmed(BlockingStack(Stack(tmp_path_factory.mktemp("stack"), extra_env=settings)))
    ) as stack:
        yield stack


def _no_run_by_itself() -> dict[str, str]:
    """Let the schedules' next runs be half an interval away: one that came by chance would find what a test counts."""
    intervals = {"MAIN_STRIPE": 86_400, "MAIN_STRIPE_LIGHT": 3_600}
    return {
        f"ORDERS_SCHEDULES__{name}__OFFSET_SECONDS": str(int(time.time() + seconds / 2) % seconds)
        for name, seconds in intervals.items()
    }


@contextmanager
def _unharmed(stack: BlockingStack) -> Iterator[BlockingStack]:
    with stack as running:
        yield running
        running.check()


@pytest.fixture(scope="session")
def fixtures_dir() -> Path:
    """Return the folder of recorded samples beside the checkout; tests that need it are skipped without."""
    folder = PROJECT.parent / "shared" / "fixtures"
    if not folder.is_dir():
        pytest.skip("the recorded samples are not beside this checkout")
    return folder
