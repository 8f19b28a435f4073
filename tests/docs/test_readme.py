"""README and guides tell the truth: commands, targets, files and settings it names exist, and what exists is named."""

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from worker.cli.main import COMMANDS, cli

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text("utf-8")
GUIDES = [
    file.read_text("utf-8") for file in sorted((ROOT / "infra" / "docs").rglob("*.md")) if "reference" not in file.parts
]
WRITTEN = "\n".join([README, *GUIDES])
"""By hand: what is rendered from the code has its own tests."""
MAKEFILE = (ROOT / "Makefile").read_text("utf-8")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CODE = "\n".join(
    [
        *(text for language, text in FENCE.findall(WRITTEN) if language != "mermaid"),
        *re.findall(r"`([^`\n]+)`", FENCE.sub("", WRITTEN)),
    ]
)
TARGETS = set(re.findall(r"^([a-z][a-z-]*):", MAKEFILE, re.MULTILINE))


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name), command


ALL = dict(commands(cli))


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_every_command_is_named_and_explains_itself(path: tuple[str, ...]) -> None:
    """Either in full, or beside a command of its group (`orders order list  # orders: list, show, cancel`)."""
    *group, verb = path
    in_full = re.search(rf"\borders {' '.join(path)}\b", README)
    line = re.compile(rf"^.*\borders {' '.join(group)} .*[#;,].*\b{re.escape(verb)}\b", re.MULTILINE)
    assert in_full or line.search(README), f"the README names `orders {' '.join(path)}` nowhere"
    assert ALL[path].help, "a command without help"


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_of_commands_names_what_each_group_can(name: str) -> None:
    verbs = {path[1] for path in ALL if path[0] == name and len(path) > 1}
    said = set(re.findall(r"[a-z-]+", COMMANDS[name].partition(":")[2]))
    assert said == verbs


def test_every_command_that_is_named_exists() -> None:
    groups = {path[0] for path in ALL}
    named = re.findall(r"(?:\.venv/bin/)?\borders ([a-z]+) ([a-z]+(?:-[a-z]+)*)\b", CODE)
    assert named
    known = {path[:2] for path in ALL}
    assert {f"{group} {verb}" for group, verb in named if (group, verb) not in known and group in groups} == set()


def test_every_make_target_that_is_named_exists_and_every_one_explains_itself() -> None:
    named = set(re.findall(r"\bmake ([a-z][a-z-]*)", CODE))
    assert named >= {"demo", "test"}
    assert named - TARGETS == set()
    explained = set(re.findall(r"^([a-z][a-z-]*):.*## \S", MAKEFILE, re.MULTILINE))
    assert TARGETS - explained == set()


def test_every_file_that_is_named_exists() -> None:
    patterns = re.compile(
        r"(?<![\w/.])((?:functions|worker|infra|tests)(?:/[\w.-]+)*/?|[\w-]+\.(?:toml|py|md|lock))(?![\w(])"
    )
    named = {match.rstrip("/") for match in patterns.findall(CODE)} | set(re.findall(r"\]\((?!http)([^)#]+)\)", README))
    assert len(named) > 15
    anywhere = ("", "worker/", "functions/", "infra/", "tests/")
    assert {name for name in named if not any((ROOT / place / name).exists() for place in anywhere)} - PLANNED == set()


PLANNED = {"infra/aws"}
"""Named under "What is not here yet"."""


def test_python_that_is_named_can_be_run() -> None:
    for module in re.findall(r"python -m ([\w.]+)", CODE):
        path = ROOT / module.replace(".", "/")
        assert path.with_suffix(".py").exists() or (path / "__main__.py").exists(), module
    for module, name in re.findall(r"\b((?:functions|worker|infra)(?:\.\w+)+)[:.](\w+)\b(?!\.)", CODE):
        source = ROOT / (module.replace(".", "/") + ".py")
        if source.exists():
            assert re.search(rf"\b{name}\b", source.read_text("utf-8")), f"{module} has no {name}"


def test_exit_codes_are_told_as_they_are() -> None:
    source = (ROOT / "worker" / "cli" / "main.py").read_text("utf-8")
    told = dict(
        re.findall(
            r"\b(\d) ([a-z ]+?)(?:,|\.)", README[README.index("Exit codes") :].partition("\n\n")[0].replace("\n", " ")
        )
    )
    assert told == {
        "0": "fine",
        "1": "open breaks",
        "2": "usage",
        "3": "settings",
        "4": "a dependency does not answer",
        "5": "refused",
    }
    assert all(f"{code} {meaning}" in source.replace("\n", " ") for code, meaning in told.items())
