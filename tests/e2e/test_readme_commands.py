"""The README's list of commands, each line typed as it stands there, on the running stack."""

import asyncio
import gc
import json
import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.e2e.scene import Scene
from worker.cli.main import cli

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text("utf-8")
BLOCK = README.partition("## Working with it")[2].partition("```sh\n")[2].partition("```")[0]

ELSEWHERE = {
    "secrets check": "tests/unit/test_cli_secrets.py",
    "keys list": "tests/unit/test_cli_keys.py",
    "schedules trigger": "tests/e2e/test_bad_day.py",
    "dev trace": "tests/e2e/test_seen_live.py",
    "dev env": "tests/integration/test_cli_captures.py",
    "dev status": "tests/integration/test_cli_captures.py",
}
"""Lines that need a secret in AWS, undo what other stories stand on, or want more than a stack: who types them."""

FINE = {0, 1}
"""1 says that something is listed that waits for a person, as other stories may have left it."""


def lines() -> list[list[str]]:
    """Return the words behind `orders` of every line."""
    found = [re.search(r"\borders ([a-z][^#\n]*)", line) for line in BLOCK.splitlines()]
    return [shlex.split(match[1].strip().removesuffix(')"')) for match in found if match]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_every_line_does_what_it_says(scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In this process: to start Python twenty times would take longer than all the rest.

    A command leaves its connections to the end of its process, which here is not one of its own.
    """
    monkeypatch.setattr("webbrowser.open", lambda *_arguments, **_options: True)
    monkeypatch.setattr("click.launch", lambda *_arguments, **_options: 0)
    order_id = await scene.buy()
    await scene.completes(order_id)

    async def type_in(*words: str) -> Result:
        return await asyncio.to_thread(CliRunner().invoke, cli, words, env=scene.stack.env)

    ran = await type_in("reconcile", "run", "--from", "2026-01-01T00:00:00Z", "--to", "2026-01-02T00:00:00Z", "--json")
    assert ran.exit_code in FINE, ran
    stands_for = {
        "RUN": json.loads(ran.stdout)["run_id"],
        "F": str(tmp_path / "breaks.csv"),
        "FILE": str(ROOT / "tests" / "unit" / "statements" / "camt053.xml"),
    }
    typed = [line for line in lines() if " ".join(line[:2]) not in ELSEWHERE]
    assert len(typed) > 12
    for line in typed:
        done = await type_in(*(stands_for.get(word, word) for word in line))
        assert done.exit_code in FINE, f"orders {' '.join(line)}: {done} {done.output}"
        assert isinstance(done.exception, SystemExit | None), f"orders {' '.join(line)}: {done.exception!r}"
        assert done.stdout.strip() or "--csv" in line, f"orders {' '.join(line)} says nothing"
    gc.collect()


def test_the_other_lines_are_typed_by_other_tests() -> None:
    named = {" ".join(line[:2]) for line in lines()}
    for command, file in ELSEWHERE.items():
        assert command in named, f"the README names `orders {command}` no more"
        noun, verb = command.split()
        text = (ROOT / file).read_text("utf-8")
        assert re.search(rf"\b{noun}\b.{{0,40}}\b{verb}\b|\"{verb}\"", text, re.DOTALL), (
            f"{file} does not type {command}"
        )
