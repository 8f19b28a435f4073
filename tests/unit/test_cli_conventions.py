"""Every command of `orders` keeps the conventions of all: a new one that does not is named here, with what it lacks."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from tests.docs.test_reference import descendants
from worker.cli import complaints, main
from worker.cli.main import COMMANDS, cli
from worker.cli.statement_words import DATE_ORDERS, FORMAT_NAMES
from worker.contract.sealing import SealError
from worker.contract.settings import ConfigurationError
from worker.domain.errors import OrdersError
from worker.statements.detection import FORMATS
from worker.statements.told import DateOrder

ROOT = Path(__file__).resolve().parents[2]
READING = {
    "list", "show", "timeline", "verify", "check", "status", "env", "plan", "report", "diff", "watch", "preview",
    "rejects", "versions", "trace",
}  # fmt: skip
"""Verbs that change nothing. Whatever has another verb changes something, unless it is named below."""

NEITHER = {
    "breaks export": "writes CSV, which is its data",
    "completion bash": "prints a script",
    "completion zsh": "prints a script",
    "completion fish": "prints a script",
    "deploy run": "a release's one-off task, safe to repeat; what it converges to stands in the settings",
    "reconcile replay": "a verification that writes nothing",
    "worker run": "a process",
    "doctor": "a read of its own",
    "demo": "a story",
}
WITHOUT_ACTOR = {
    "alerts test": "nothing is changed: it says of itself that it is a test",
    "webhooks send": "acts as a sender, whom nobody asks why",
    "order note": "the note is its own reason; it has an --actor",
    "breaks import": "each row has its reason, and may have its actor",
}
WITHOUT_NEED = {
    **dict.fromkeys(("reconcile run", "reconcile backfill", "statements import"), "what it finds is its reason"),
    **dict.fromkeys(("schedules trigger", "schedules backfill"), "as above, and nothing that would not run anyway"),
    "webhooks replay": "an event counts once, however often it runs",
    "db migrate": "the release needs it",
    "schedules apply": "the settings say so",
    "keys add": "of the first key; another one needs a reason",
    "secrets put": "of a first value; another one needs a reason",
}
"""Deeds whose reason may be left out, and why that is."""
HELP_SECONDS, CLICK_SECONDS = 0.2, 0.06
"""What help may take, and what click alone takes on a machine that does nothing else (of the years around 2025)."""
FOR_GOOD = {"order cancel", "order refund", "users erase", "keys drop"}
HEAVY = (
    "temporalio", "sqlalchemy", "alembic", "pymysql", "pyarrow", "duckdb", "boto3", "stripe", "httpx2", "jinja2",
    "dynaconf", "cryptography", "rich", "asyncio", "worker.services", "worker.config",
)  # fmt: skip


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        else:
            yield " ".join((*path, name)), command


ALL = dict(commands(cli))
READS = [name for name in ALL if name.rpartition(" ")[2] in READING and name not in NEITHER]
DEEDS = [name for name in ALL if name not in READS and name not in NEITHER]


def options(name: str) -> set[str]:
    return {spelling for parameter in ALL[name].params for spelling in (*parameter.opts, *parameter.secondary_opts)}


@pytest.mark.parametrize("name", READS)
def test_a_read_takes_json(name: str) -> None:
    assert "--json" in options(name)


@pytest.mark.parametrize("name", DEEDS)
def test_a_deed_can_be_looked_at_first_and_has_who_and_why(name: str) -> None:
    """Whatever changes something says who and why, and where that is kept. What is exempt says why, above."""
    assert "--dry-run" in options(name)
    if name not in WITHOUT_ACTOR:
        assert {"--actor", "--reason"} <= options(name)


@pytest.mark.parametrize("name", [name for name in DEEDS if name not in WITHOUT_ACTOR])
def test_what_a_reason_is_for_is_said(name: str) -> None:
    (reason,) = [each for each in ALL[name].params if each.name == "reason"]
    assert isinstance(reason, click.Option)
    assert reason.help
    assert reason.required or name in WITHOUT_NEED


def test_what_cannot_be_undone_asks() -> None:
    assert {name for name in FOR_GOOD if "--yes" not in options(name)} == set()
    for name in FOR_GOOD:
        arguments = [*name.split(), *(["orders/dev/encryption"] if name.startswith("keys") else []), "x"]
        asked = CliRunner().invoke(cli, [*arguments, "--reason", "y"])
        assert asked.exit_code != 0, "without a terminal nothing is asked, and nothing done"


def test_what_is_exempt_exists() -> None:
    gone = {name for name in {*NEITHER, *WITHOUT_ACTOR, *FOR_GOOD} if name not in ALL} - {"demo"}
    assert gone == set()


@pytest.mark.parametrize("name", ALL)
def test_help_has_examples_that_can_be_typed(name: str) -> None:
    command = ALL[name]
    assert command.epilog, f"give `orders {name}` examples: epilog=examples(...)"
    lines = [line.strip() for line in command.epilog.splitlines() if "orders " in line]
    assert lines
    for line in lines:
        typed = line.partition(" # ")[0]
        assert re.search(rf"\borders {name}\b", typed), f"an example of something else: {typed}"
        unknown = set(re.findall(r"(?<=\s)--[a-z][a-z-]*", typed)) - options(name) - {"--help"}
        # What stands before a pipe is another program's.
        assert unknown == set(), typed
    assert "Examples:" in CliRunner().invoke(cli, [*name.split(), "--help"]).output


def test_options_explain_themselves() -> None:
    silent = {
        f"{name} {parameter.opts[0]}"
        for name, command in ALL.items()
        for parameter in command.params
        if isinstance(parameter, click.Option) and not parameter.help and not parameter.hidden
    }
    assert {one for one in silent if not one.endswith((" --limit", " --state"))} == set()


def test_no_help_loads_what_it_does_not_need() -> None:
    """Asked of the modules, not of the clock: what is not loaded takes no time on any machine."""
    code = (
        "import json, sys\n"
        "from click.testing import CliRunner\n"
        "from worker.cli.main import cli\n"
        "names = json.loads(sys.argv[1])\n"
        "told = [CliRunner().invoke(cli, [*name.split(), '--help']).exit_code for name in ['', *names]]\n"
        "print(json.dumps([told, sorted(sys.modules)]))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code, json.dumps(list(ALL))],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    told, loaded = json.loads(answer.stdout)
    assert set(told) == {0}
    assert [name for name in HEAVY if name in loaded] == []


def _seconds(code: str) -> float:
    """Return what a new interpreter that runs `code` takes of the processor."""
    timed = f"import sys, time; {code}; print(time.process_time(), file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", timed], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    return float(done.stderr.split()[-1])


def test_help_of_every_noun_costs_less_than_a_fifth_of_a_second() -> None:
    """In time of the processor, the best of a few, beside what click alone takes then: caches and a processor that are
    shared with others make every process slower, and no noun slower than click.
    """
    best = dict.fromkeys(["", *COMMANDS], 60.0)
    click_alone = 60.0
    left = set(best)
    for _ in range(5):
        click_alone = min(click_alone, _seconds("import click"))
        for noun in sorted(left):
            help_of = f"from worker.cli.main import cli; cli.main({[*noun.split(), '--help']}, standalone_mode=False)"
            best[noun] = min(best[noun], _seconds(help_of))
        left = {noun for noun in left if best[noun] >= HELP_SECONDS * max(1.0, click_alone / CLICK_SECONDS)}
        if not left:
            break
    assert {noun: (best[noun], click_alone) for noun in left} == {}


def test_what_goes_wrong_has_a_code_what_happened_and_what_to_do(capfd: pytest.CaptureFixture[str]) -> None:
    for kind in descendants(OrdersError):
        problem = kind.__new__(kind)
        Exception.__init__(problem, "it is so")
        status = complaints.told(problem)
        assert status == (4 if kind.code in complaints.DEPENDENCIES else 5)
        said = capfd.readouterr()
        assert said.out == ""
        assert re.match(rf"orders: {kind.code}: .*\n  -> \S", said.err)


def test_every_kind_of_ending_has_its_exit_code(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main.exit_code(["nonsense"]) == 2
    assert main.exit_code(["order", "show"]) == 2
    assert main.exit_code(["order", "show", "--help"]) == 0
    assert "orders: usage: " in capfd.readouterr().err
    monkeypatch.setenv("ORDERS_ENV", "elsewhere")
    assert main.exit_code(["order", "list"]) == 3
    assert "orders: settings: " in capfd.readouterr().err
    assert complaints.told(ConfigurationError(["x"])) == 3
    assert complaints.told(SealError("x")) == 5
    assert complaints.told(ZeroDivisionError("x")) == 70
    assert "orders: bug: ZeroDivisionError: x" in capfd.readouterr().err


def test_a_bug_is_told_in_one_line_on_a_terminal_and_in_full_with_debug(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    for debug, expected in ((False, 0), (True, 1)):
        complaints.show_tracebacks(debug)
        assert complaints.told(_raised()) == 70
        assert capfd.readouterr().err.count("Traceback") == expected
    complaints.show_tracebacks(False)


def _raised() -> Exception:
    try:
        return OrdersError(str(1 // 0))
    except ZeroDivisionError as problem:
        return problem


def test_commands_and_options_are_completed(monkeypatch: pytest.MonkeyPatch) -> None:
    def completed(typed: str, at: int) -> set[str]:
        monkeypatch.setenv("COMP_WORDS", typed)
        monkeypatch.setenv("COMP_CWORD", str(at))
        done = CliRunner().invoke(cli, env={"_ORDERS_COMPLETE": "bash_complete"}, prog_name="orders")
        return {line.partition(",")[2] for line in done.output.splitlines()}

    assert {"order", "outbound"} == completed("orders o", 1)
    assert {"show", "list"} <= completed("orders order ", 2)
    assert "--reason" in completed("orders order cancel --r", 3)
    for shell in ("bash", "zsh", "fish"):
        assert "_ORDERS_COMPLETE" in CliRunner().invoke(cli, ["completion", shell]).output


def test_what_help_says_of_formats_is_what_there_is() -> None:
    assert set(FORMAT_NAMES) == set(FORMATS)
    assert set(DATE_ORDERS) == {order.value for order in DateOrder}
