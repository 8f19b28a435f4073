"""One format and one vocabulary of log lines, whichever deployable writes them; and nothing personal by its name."""

import ast
import io
import json
import logging
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from functions.logs import JsonLines, PlainLines
from worker.observability.logging import _TEMPORAL_FIELDS, configure

ROOT = Path(__file__).resolve().parents[2]
VOCABULARY = tomllib.loads((ROOT / "infra/observability/log_fields.toml").read_text("utf-8"))
FIELDS = {name: meaning for table in VOCABULARY.values() for name, meaning in table.items()}
VALUES: dict[str, object] = {
    "order_id": "E-1",
    "attempt": 2,
    "reason": "two words",
    "files": None,
    "ok": True,
    "text": "",
}


def keys_of(node: ast.AST, named: dict[str, ast.AST]) -> Iterator[str]:
    """Return the literal keys of a dictionary; under `fields` those of the dictionary there, or of the one so named."""
    if isinstance(node, ast.Dict):
        for key, value in zip(node.keys, node.values, strict=True):
            if isinstance(key, ast.Constant) and key.value == "fields":
                yield from keys_of(named.get(value.id, value) if isinstance(value, ast.Name) else value, named)
            elif isinstance(key, ast.Constant):
                yield str(key.value)


def written(path: Path) -> Iterator[str]:
    """Return the fields that a module logs: `extra={...}`, and in the functions `note(...)` too."""
    text = path.read_text("utf-8")
    if "extra=" not in text and "note" not in text:
        return  # without its being parsed, which costs more than all the rest here
    tree = ast.parse(text)
    edge = path.is_relative_to(ROOT / "functions")
    named: dict[str, ast.AST] = {
        target.id: node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            if edge and ast.unparse(node.func).rpartition(".")[2] in {"note", "note_in"}:
                yield from (keyword.arg for keyword in node.keywords if keyword.arg)
            for keyword in node.keywords:
                if keyword.arg == "extra":
                    yield from keys_of(keyword.value, named)


def modules() -> list[Path]:
    return sorted([*(ROOT / "functions").rglob("*.py"), *(ROOT / "worker").rglob("*.py")])


def test_every_field_that_is_written_is_in_the_vocabulary_and_the_other_way_round() -> None:
    used = {name for path in modules() for name in written(path)}
    assert used - set(FIELDS) == set()
    assert {"trace_id", "route", "error", "job", "activity"} <= used
    by_libraries = {"exception", "exc_info", *VOCABULARY["every_line"], *filter(None, _TEMPORAL_FIELDS.values())}
    of_the_access_log = {"method", "status", "ms"}
    assert set(FIELDS) - used - by_libraries - of_the_access_log == set()
    assert not [name for name in FIELDS if re.search(r"mail|phone|customer|body|payload|password|token", name)]
    assert all(meaning for meaning in FIELDS.values())


@pytest.fixture
def lines() -> Iterator[dict[str, tuple[str, str]]]:
    """The same record as both deployables write it, as JSON and in columns."""
    root, made = logging.getLogger(), logging.getLogger("somewhere.deep")
    handlers, level = list(root.handlers), root.level
    found: dict[str, tuple[str, str]] = {}
    for name, formatter in (("json", JsonLines()), ("columns", PlainLines())):
        record = made.makeRecord(made.name, logging.WARNING, "", 0, "it happened", (), None, extra={"fields": VALUES})
        stream = io.StringIO()
        configure(type("Settings", (), {"level": "INFO", "json": name == "json"})(), stream)
        made.handle(made.makeRecord(made.name, logging.WARNING, "", 0, "it happened", (), None, extra=dict(VALUES)))
        found[name] = (formatter.format(record), stream.getvalue().rstrip("\n"))
    yield found
    root.handlers[:] = handlers
    root.setLevel(level)


def test_both_deployables_write_the_same_json(lines: dict[str, tuple[str, str]]) -> None:
    ours, theirs = (json.loads(line) for line in lines["json"])
    assert set(ours) == set(theirs) == {*VOCABULARY["every_line"], *VALUES}
    moments = [each.pop("at") for each in (ours, theirs)]
    assert ours == theirs
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", moment) for moment in moments)


def test_both_deployables_write_the_same_columns(lines: dict[str, tuple[str, str]]) -> None:
    ours, theirs = (line.partition(" ")[2] for line in lines["columns"])
    assert ours == theirs


def test_a_field_cannot_pose_as_what_every_line_has() -> None:
    record = logging.getLogger("x").makeRecord(
        "x", logging.INFO, "", 0, "said", (), None, extra={"fields": {"event": "y"}}
    )
    assert json.loads(JsonLines().format(record))["event"] == "said"
