"""`orders reconcile`: run a reconciliation, and read what runs answered."""

import asyncio
from collections.abc import Callable
from datetime import datetime

import click
from rich.console import Console

from worker.cli.output import as_json, print_json, print_table, when
from worker.cli.reconcile_again import diff, replay, watch
from worker.cli.reconcile_backfill import backfill
from worker.cli.reconcile_dry import dry_run
from worker.cli.reconcile_report import report
from worker.cli.verdicts import leave, progress_option, tell, wanted
from worker.config import WorkerConfig, load
from worker.connections import reading, stored_at
from worker.contract.ids import reconciliation_workflow_id
from worker.contract.reconciliation import Mode, Progress, Reconcile, ReconciliationResult, Window
from worker.domain.errors import NotFound
from worker.domain.window import Span
from worker.reports.model import build
from worker.reports.terminal import show as show_report
from worker.services.ports import StatementFile
from worker.services.reporting import run_record
from worker.temporal.client import connect
from worker.temporal.codec import converter_of
from worker.temporal.operations import run_reconciliation


@click.group()
def command() -> None:
    """Reconciliation."""


for one in (replay, diff, watch, backfill, report):
    command.add_command(one)


@command.command()
@click.option("--shop", help="Default: the shop of the settings.")
@click.option("--provider", help="Default: the statement file's, or the provider of the settings.")
@click.option("--from", "start", help="Start of the window, ISO 8601 with zone (inclusive).")
@click.option("--to", "end", help="End of the window, ISO 8601 with zone (exclusive).")
@click.option("--statement", help="SHA-256 of an imported statement file to compare with, instead of the API.")
@click.option("--repair/--no-repair", default=False, show_default=True, help="Deliver lost messages again.")
@click.option(
    "--mode",
    type=click.Choice([one.value for one in Mode]),
    default=Mode.FULL.value,
    show_default=True,
    help="What to compare: all legs; payments alone (light); a month, of which nothing may be pending (close).",
)
@click.option("--dry-run", "dry", is_flag=True, help="Compare and print; store and repair nothing, start no workflow.")
@progress_option
@as_json
def run(
    shop: str | None,
    provider: str | None,
    start: str | None,
    end: str | None,
    statement: str | None,
    mode: str,
    *,
    repair: bool,
    dry: bool,
    progress: bool | None,
    as_json: bool,
) -> None:
    """Reconcile a window now and wait for the answer. Exits 1 when breaks are open, 4 when incomplete."""
    if statement is None and (start is None or end is None) and mode != Mode.CLOSE:
        raise click.UsageError("name a window with --from and --to, or a file with --statement")
    if dry and repair:
        raise click.UsageError("a dry run repairs nothing; leave --repair out")
    if (start is None) != (end is None):
        raise click.UsageError("a window needs both --from and --to")
    config = load()
    span = Span(_time(start), _time(end)) if start is not None and end is not None else None
    file = _imported(config, statement) if statement is not None else None
    if file is None and shop not in {None, config.shop.name}:
        raise click.UsageError(f"the shop and the warehouse at hand are {config.shop.name}'s, not {shop}'s")
    request = Reconcile(
        shop=shop or (file.shop if file else config.shop.name),
        provider=provider or (file.provider if file else config.provider.name),
        window=Window(start=span.start.isoformat(), end=span.end.isoformat()) if span else None,
        statement_sha256=statement,
        repair=repair,
        requested_by="cli",
        mode=mode,
    )
    if dry:
        dry_run(config, request, progress=wanted(progress), as_json=as_json)
        return
    # The asking is part of the id: an operator who runs a window again wants it to run again.
    window = str(span) if span else f"file-{statement}"[:17] if statement else mode
    asked = f"{window}-{datetime.now().astimezone():%Y%m%dT%H%M%S}"
    shown = tell if wanted(progress) else None
    answer(config, asyncio.run(reconcile(config, request, asked, shown)), as_json=as_json)


@command.command("list")
@click.option("--limit", default=20, show_default=True)
@as_json
def list_runs(limit: int, *, as_json: bool) -> None:
    """List the newest runs."""
    config = load()
    with reading(config) as database:
        runs = database.transact(lambda tx: tx.runs.recent(config.shop.name, limit))
    if as_json:
        print_json(runs)
        return
    print_table(
        f"reconciliations of {config.shop.name}",
        ["run", "provider", "from (UTC)", "to (UTC)", "verdict", "matched", "pending", "open breaks", "source"],
        [
            (
                item.run_id,
                item.provider,
                when(item.window_start),
                when(item.window_end),
                item.verdict or "running",
                *(str((item.counts or {}).get(key, "-")) for key in ("matched", "pending", "breaks_open")),
                item.source,
            )
            for item in runs
        ],
    )


@command.command()
@click.argument("run_id")
@as_json
def show(run_id: str, *, as_json: bool) -> None:
    """Show what a run answered: statements per currency and open breaks. Exits as `run` does."""
    config = load()
    show_run(config, run_id, as_json=as_json)


async def reconcile(
    config: WorkerConfig, request: Reconcile, window: str, shown: Callable[[Progress], None] | None = None
) -> ReconciliationResult:
    """Start a reconciliation through Temporal and wait for its result."""
    client = await connect(config.temporal, converter_of(config.encryption))
    workflow_id = reconciliation_workflow_id(request.shop, request.provider, window)
    return await run_reconciliation(client, request, workflow_id, tell=shown)


def answer(config: WorkerConfig, result: ReconciliationResult, *, as_json: bool) -> None:
    """Print the result of a run and exit by its verdict."""
    if as_json:
        print_json(result)
        leave(result.verdict)
    else:
        show_run(config, result.run_id, as_json=False)


def show_run(config: WorkerConfig, run_id: str, *, as_json: bool) -> None:
    """Print a stored run and exit by its verdict."""
    leave(print_run(config, run_id, as_json=as_json))


def print_run(config: WorkerConfig, run_id: str, *, as_json: bool = False) -> str:
    """Print a stored run and return its verdict."""
    with reading(config) as database:
        record = run_record(database, run_id)
    if as_json:
        print_json({"run": record.run, "statements": record.statements, "breaks": record.breaks})
    else:
        shown = build(
            record.run,
            statements=record.statements,
            findings=record.findings,
            breaks=record.breaks,
            resolved=record.resolved,
            earlier=record.earlier,
            history=record.history,
        )
        show_report(shown, Console())
        if record.run.report:
            click.echo(f"report: {stored_at(config, record.run.report)}")
    return record.run.verdict


def _imported(config: WorkerConfig, sha256: str) -> StatementFile:
    with reading(config) as database:
        file = database.transact(lambda tx: tx.statements.get(sha256))
    if file is None:
        raise NotFound(
            f"no imported statement file has the SHA-256 {sha256[:12]}...; `orders statements import` adds one"
        )
    return file


def _time(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(f"{text!r} is not an ISO 8601 time, for example 2026-11-22T00:00:00Z") from None
    if at.tzinfo is None:
        raise click.BadParameter(f"{text!r} has no zone; add Z for UTC")
    return at
