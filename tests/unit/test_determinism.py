"""What the SDK's sandbox would refuse while a workflow runs is not in the workflows' text: workers run them without it.

Read by the sandbox's own list of what depends on the clock, on chance or on the world. That covers lines which no test
runs, and the rules of the domain, which the sandbox never sees inside of.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from temporalio.worker.workflow_sandbox import SandboxRestrictions
from temporalio.worker.workflow_sandbox._restrictions import RestrictionContext

ROOT = Path(__file__).resolve().parents[2]
DETERMINISTIC = ("worker/workflows", "worker/domain")
BUILTINS = "__builtins__"


def refused(source: str) -> list[str]:
    """Return what in a module the sandbox would not let through, and what would be shared by all workflows of a process."""
    tree = ast.parse(source)
    known: dict[str, tuple[str, ...]] = dict.fromkeys(_bound(tree), ()) | dict(_imports(tree))
    running = RestrictionContext()
    running.is_runtime = True
    found = [f"line {node.lineno}: global" for node in ast.walk(tree) if isinstance(node, ast.Global)]
    for node in ast.walk(tree):
        called = isinstance(node, ast.Call)
        path = _path(node.func if isinstance(node, ast.Call) else node, known)
        steps = (*path, "__call__") if called else path
        if path and SandboxRestrictions.invalid_module_members_default.match_access(running, *steps, include_use=True):
            found.append(f"line {getattr(node, 'lineno', 0)}: {'.'.join(path)}")
    return found


def _imports(tree: ast.AST) -> Iterator[tuple[str, tuple[str, ...]]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for each in node.names:
                yield (
                    (each.asname or each.name.partition(".")[0]),
                    tuple((each.name if each.asname else each.name.partition(".")[0]).split(".")),
                )
        elif isinstance(node, ast.ImportFrom) and node.module:
            for each in node.names:
                yield (each.asname or each.name), (*node.module.split("."), each.name)


def _bound(tree: ast.AST) -> Iterator[str]:
    """Give the names that the module has for things of its own, be they called like something built in."""
    for node in ast.walk(tree):
        if isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id


def _path(node: ast.AST, known: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Return the full name of what is spoken of, if it is something imported or built in."""
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return ()
    start = known.get(node.id, (BUILTINS, node.id))
    return (*start, *reversed(names)) if start else ()


@pytest.mark.parametrize(
    "path",
    [path for folder in DETERMINISTIC for path in sorted((ROOT / folder).rglob("*.py"))],
    ids=lambda path: path.relative_to(ROOT).as_posix(),
)
def test_workflows_and_rules_ask_nothing_that_changes(path: Path) -> None:
    assert refused(path.read_text("utf-8")) == [], (
        "ask `workflow` for time, chance and ids, and an activity for the rest"
    )


@pytest.mark.parametrize(
    "careless",
    [
        "from datetime import datetime\nnow = datetime.now()",
        "import datetime as dt\nnow = dt.datetime.utcnow",
        "from datetime import date\ndate.today()",
        "import random\nrandom.choice([1])",
        "from uuid import uuid4\nuuid4()",
        "import time\ntime.time()",
        "from time import monotonic as clock\nclock()",
        "import os\nos.environ['A']",
        "from secrets import token_hex\ntoken_hex()",
        "from pathlib import Path\nPath.home()",
        "import asyncio\nasync def run(tasks): await asyncio.wait(tasks)",
        "open('file')",
        "def remember(it):\n    global last\n    last = it",
    ],
)
def test_what_changes_is_found(careless: str) -> None:
    assert refused(careless)


def test_what_only_speaks_of_time_is_let_through() -> None:
    assert (
        refused(
            "from datetime import UTC, datetime\nfrom temporalio import workflow\nworkflow.now()\ndatetime(2026, 1, 1)"
        )
        == []
    )
