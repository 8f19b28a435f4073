"""What each command prints, held against captures in `captures/`: on fixed books, a fixed width, fixed times.

A difference is either a mistake or meant. What is meant is taken over, and looked at in the diff, with

    CAPTURE=1 .venv/bin/python -m pytest tests/integration/test_cli_captures.py
"""

import difflib
import io
import json
import os
import re
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

from tests.integration.command_line_books import fill
from tests.integration.own_database import migrated_database
from tests.unit.reports_sample import BREAKS, LOST, RESOLVED, RUN
from tests.unit.statement_files import SAMPLES
from tests.unit.test_cli_conventions import ALL, READS
from tests.unit.test_settings import SECRETS
from worker.cli import main
from worker.repositories.database import MysqlDatabase
from worker.repositories.schema_version import head

CAPTURES = Path(__file__).with_name("captures")
NARROW = "80"

SHOWN: dict[str, list[str]] = {
    "alerts": ["alerts list", "alerts show alert_main_stripe_open_breaks_1"],
    "audit": ["audit list", "audit verify"],
    "breaks": [
        "breaks list",
        "breaks list --status all",
        "breaks list --owner alice --status settled",
        f"breaks show {BREAKS[0].break_id}",
        f"breaks show {BREAKS[3].break_id}",
        f"breaks show {RESOLVED[1].break_id}",
        "breaks show nothing",
        f"breaks resolve {BREAKS[1].break_id} --reason refunded --dry-run",
        f"breaks resolve {BREAKS[1].break_id} --reason refunded",
        "breaks export",
    ],
    "db": ["db check", "db check --json", "db migrate --dry-run"],
    "order": [
        "order list",
        "order list --state declined",
        "order show 1001",
        f"order show {LOST.order_id}",
        "order show 404",
        "order timeline 1001",
        "order cancel 1001 --reason twice --dry-run",
        "order cancel 1001 --reason twice",
        "order cancel 1003 --reason twice --dry-run",
        "order refund 1001 --amount 12.50 --reason broken --dry-run",
        "order refund 1001 --amount 100.01 --reason broken --dry-run",
        "order note 1001 remember --dry-run",
    ],
    "outbound": ["outbound list", "outbound show msg_none", "outbound enable erp --reason mended --dry-run"],
    "reconcile": [
        "reconcile list",
        f"reconcile show {RUN.run_id}",
        f"reconcile report {RUN.run_id}",
        f"reconcile diff r-20261122-13 {RUN.run_id}",
        "reconcile report nothing",
        "reconcile run",
        "reconcile backfill --from 2026-11-20 --to 2026-11-22 --dry-run",
    ],
    "repairs": ["repairs list", f"repairs retry {BREAKS[0].break_id} --reason mended --dry-run"],
    "statements": [
        "statements list",
        "statements show aaaaaa",
        "statements rejects aaaaaa",
        "statements rejects aaaaaa --csv",
        f"statements preview {SAMPLES / 'camt053.xml'}",
    ],
    "stock": ["stock list", "stock show MUG-BLUE", "stock show NONE", "stock check"],
    "users": [
        "users list",
        "users show nobody",
        "users erase nobody --reason asked --dry-run",
        "users erase nobody --reason asked",
    ],
    "webhooks": ["webhooks list", "webhooks show evt_1", "webhooks show evt_none", "webhooks replay --dry-run"],
}
"""By noun: what is typed. Twice: into a pipe, as wide as it comes, and on 80 columns."""

ELSEWHERE = {
    "attention list": "asks Temporal: tests/integration/test_stuck.py",
    "schedules list": "asks Temporal: tests/e2e/test_bad_day.py",
    "schedules plan": "as above",
    "reconcile watch": "asks Temporal: tests/e2e/test_runs_under_faults.py",
    "dev status": "of a running stack: tests/integration/test_stack.py",
    "dev env": "as above",
    "keys list": "AWS: tests/unit/test_cli_keys.py",
    "secrets list": "AWS: tests/unit/test_cli_secrets.py",
    "secrets check": "as above",
    "dev trace": "of a running stack: tests/unit/test_spans.py",
    "worker versions": "asks Temporal: tests/integration/test_worker_versions.py",
    "doctor": "of this machine: tests/integration/test_doctor.py",
}


@pytest.fixture(scope="module")
def books(database_url: str) -> Iterator[str]:
    with migrated_database(database_url) as engine:
        MysqlDatabase(engine).transact(fill)
        yield engine.url.render_as_string(hide_password=False)


@pytest.fixture
def settings(books: str, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    own = {
        "ORDERS_ENV": "test",
        "ORDERS_ACTOR": "alice",
        "ORDERS_DATABASE__URL": books,
        "ORDERS_STORE__PATH": "/srv/orders",
        "ORDERS_TEMPORAL__UI_URL": "https://temporal.shop.example",
    }
    for name, value in (SECRETS | own).items():
        monkeypatch.setenv(name, value)
    for name in ("COLUMNS", "NO_COLOR", "FORCE_COLOR", "ORDERS_DEBUG"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def typed(line: str) -> str:
    """Return what is seen when a command is typed."""
    out, err = io.BytesIO(), io.BytesIO()
    # With bytes below, as a terminal has: some data is bytes.
    with (
        redirect_stdout(io.TextIOWrapper(out, "utf-8", newline="", write_through=True)) as data,
        redirect_stderr(io.TextIOWrapper(err, "utf-8", newline="", write_through=True)) as talk,
    ):
        code = main.exit_code(line.split(), prog_name="orders")
        said, told = out.getvalue().decode(), err.getvalue().decode()
    data.detach(), talk.detach()
    if line.startswith("db "):
        said = said.replace(head(), "HEAD")  # a new migration is no other output
    shown = line.replace(f"{SAMPLES}/", "")
    parts = [f"$ orders {shown}\n", said.replace("\r\n", "\n").removeprefix("\ufeff")]
    if told:
        parts.append("--- on stderr\n" + told)
    return "".join(parts) + f"--- exit {code}\n"


def held_against(name: str, seen: str) -> None:
    file = CAPTURES / f"{name}.txt"
    if os.environ.get("CAPTURE"):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(seen, "utf-8")
        return
    kept = file.read_text("utf-8") if file.exists() else ""
    difference = "\n".join(difflib.unified_diff(kept.splitlines(), seen.splitlines(), "kept", "now", lineterm="", n=1))
    assert kept == seen, f"{file.name} is not what is printed now (is it meant? then CAPTURE=1):\n{difference}"


@pytest.mark.parametrize("noun", SHOWN)
def test_what_is_printed_into_a_pipe(noun: str, settings: pytest.MonkeyPatch) -> None:
    held_against(noun, "\n".join(typed(line) for line in SHOWN[noun]))


@pytest.mark.parametrize("noun", SHOWN)
def test_what_is_printed_on_eighty_columns(noun: str, settings: pytest.MonkeyPatch) -> None:
    settings.setenv("COLUMNS", NARROW)
    tables = [line for line in SHOWN[noun] if {"list", "show", "timeline"} & set(line.split())]
    if tables:
        held_against(f"narrow/{noun}", "\n".join(typed(line) for line in tables))


def test_what_a_terminal_of_eighty_columns_shows_of_a_run(settings: pytest.MonkeyPatch) -> None:
    for name, value in (("COLUMNS", NARROW), ("FORCE_COLOR", "1"), ("NO_COLOR", "1")):
        settings.setenv(name, value)
    held_against("narrow/reconcile-drawn", typed(f"reconcile show {RUN.run_id}"))


def test_tables_fit_eighty_columns(settings: pytest.MonkeyPatch) -> None:
    settings.setenv("COLUMNS", NARROW)
    for line in (one for lines in SHOWN.values() for one in lines if one.endswith(" list")):
        table = typed(line).partition("--- ")[0]
        title, *shown = table.splitlines()[1:]
        assert [row for row in table.splitlines()[1:] if len(row) > int(NARROW)] == [], line
        if not title.endswith(": none"):
            wide = with_room(settings, line)
            assert set(re.split(r" {2,}", shown[0])) <= set(re.split(r" {2,}", wide)), f"{line}: a heading is broken"


def with_room(settings: pytest.MonkeyPatch, line: str) -> str:
    """Return the headings of a table that has all the room it wants."""
    with settings.context() as patch:
        patch.delenv("COLUMNS")
        return typed(line).splitlines()[2]


@pytest.mark.parametrize("noun", sorted({name.partition(" ")[0] for name in ALL}))
def test_what_help_says(noun: str, settings: pytest.MonkeyPatch) -> None:
    settings.setenv("COLUMNS", NARROW)
    lines = [noun, *(name for name in ALL if name.startswith(f"{noun} "))]
    held_against(f"help/{noun}", "\n".join(typed(f"{line} --help") for line in lines))


def test_what_the_command_itself_says(settings: pytest.MonkeyPatch) -> None:
    settings.setenv("COLUMNS", NARROW)
    seen = [typed("--help"), typed("nonsense"), typed("order"), typed("order list --limit many")]
    settings.setenv("ORDERS_ENV", "elsewhere")
    held_against("help/orders", "\n".join([*seen, typed("order list")]))


def test_every_read_is_captured_or_told_elsewhere() -> None:
    captured = {" ".join(line.split()[:2]) for lines in SHOWN.values() for line in lines}
    assert {name for name in READS if name not in captured} - set(ELSEWHERE) == set()


def test_a_document_is_one_whatever_else_is_said(settings: pytest.MonkeyPatch) -> None:
    """With --json standard output is one document and nothing else."""
    for line in (one for lines in SHOWN.values() for one in lines if one.endswith(" list")):
        out = io.StringIO()
        with redirect_stdout(out), redirect_stderr(io.StringIO()):
            main.exit_code([*line.split(), "--json"])
        assert json.loads(out.getvalue()) is not None, line


def test_no_color_leaves_no_escape_sequence(settings: pytest.MonkeyPatch) -> None:
    settings.setenv("FORCE_COLOR", "1")
    assert "\x1b[" in typed("order list")
    settings.setenv("NO_COLOR", "1")
    assert "\x1b" not in typed("order list") + typed(f"reconcile show {RUN.run_id}")


def test_no_capture_is_of_a_command_that_is_gone() -> None:
    nouns = {name.partition(" ")[0] for name in ALL}
    kept = {str(file.relative_to(CAPTURES).with_suffix("")) for file in CAPTURES.rglob("*.txt")}
    assert kept <= set(SHOWN) | {f"narrow/{noun}" for noun in SHOWN} | {
        f"help/{noun}" for noun in {*nouns, "orders"}
    } | {"narrow/reconcile-drawn"}
