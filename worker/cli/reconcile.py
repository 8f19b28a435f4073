"""`orders reconcile`: run a reconciliation, and read what runs answered."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import click

from worker.cli.dialogue import record
from worker.cli.options import Noun, actor_option, examples, moment, reason_option
from worker.cli.output import as_json, print_json, print_table, when
from worker.cli.progress import progress_option, wanted
from worker.cli.reconcile_again import diff, replay, watch
from worker.cli.reconcile_answer import answer, reconcile, show_run
from worker.cli.reconcile_backfill import backfill
from worker.cli.reconcile_dry import dry_run
from worker.cli.reconcile_months import open_months_of
from worker.cli.reconcile_report import report
from worker.cli.settings import load
from worker.connections import reading
from worker.contract.reconciliation import Mode, Reconcile, Window
from worker.domain.errors import NotFound
from worker.domain.window import Span

if TYPE_CHECKING:
    from worker.config import WorkerConfig
    from worker.services.ports import StatementFile


@click.group(cls=Noun)
def command() -> None:
    """Reconciliation."""


for one in (replay, diff, watch, backfill, report):
    command.add_command(one)


@command.command(
    epilog=examples(
        "orders reconcile run --from 2026-11-01T00:00:00Z --to 2026-11-02T00:00:00Z --dry-run",
        "orders reconcile run --statement 3b9c1f...",
        'orders reconcile run --mode close --repair --reason "the month is over"',
    )
)
@click.option("--shop", help="Default: the shop of the settings.")
@click.option("--provider", help="Default: the statement file's, or the provider of the settings.")
@click.option("--from", "start", callback=moment, help="Start of the window, ISO 8601 (inclusive).")
@click.option("--to", "end", callback=moment, help="End of the window, ISO 8601 (exclusive).")
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
@reason_option(why="Why; needed with --repair, and then in the audit trail.", required=False)
@actor_option
@progress_option
@as_json
def run(
    shop: str | None,
    provider: str | None,
    start: datetime | None,
    end: datetime | None,
    statement: str | None,
    mode: str,
    reason: str,
    actor: str,
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
    if repair and not reason:
        raise click.UsageError("--repair changes orders: say why with --reason")
    if (start is None) != (end is None):
        raise click.UsageError("a window needs both --from and --to")
    config = load()
    span = Span(start, end) if start is not None and end is not None else None
    file = _imported(config, shop or config.shop.name, statement) if statement is not None else None
    if file is None and shop not in {None, config.shop.name}:
        raise click.UsageError(f"the shop and the warehouse at hand are {config.shop.name}'s, not {shop}'s")
    request = Reconcile(
        shop=shop or (file.shop if file else config.shop.name),
        provider=provider or (file.provider if file else config.provider.name),
        window=Window(start=span.start.isoformat(), end=span.end.isoformat()) if span else None,
        statement_sha256=statement,
        repair=repair,
        requested_by=actor,
        mode=mode,
    )
    if dry:
        dry_run(config, request, progress=wanted(progress), as_json=as_json)
        return
    # The asking is part of the id: an operator who runs a window again wants it to run again.
    window = str(span) if span else f"file-{statement}"[:17] if statement else mode
    asked = f"{window}-{datetime.now().astimezone():%Y%m%dT%H%M%S}"
    if repair:
        record(config, "repair_run_asked_for", f"reconcile/{asked}", actor=actor, reason=reason)
    answer(config, reconcile(config, request, asked, progress=wanted(progress)), as_json=as_json)


@command.command("list", epilog=examples("orders reconcile list", "orders reconcile list --limit 100 --json"))
@click.option("--limit", default=20, show_default=True)
@as_json
def list_runs(limit: int, *, as_json: bool) -> None:
    """List the newest runs."""
    config = load()
    with reading(config) as database:
        runs = database.transact(lambda tx: tx.runs.recent(config.shop.name, limit))
        left_open = open_months_of(config, database)
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
        least=("source", "provider", "pending", "matched", "from (UTC)"),
    )
    for provider, month in left_open:
        click.secho(f"{provider}: {month.text}", fg="yellow")


@command.command(epilog=examples("orders reconcile show 41f0c9d2", "orders reconcile show 41f0c9d2 --json"))
@click.argument("run_id")
@as_json
def show(run_id: str, *, as_json: bool) -> None:
    """Show what a run answered: statements per currency and open breaks. Exits as `run` does."""
    config = load()
    show_run(config, run_id, as_json=as_json)


def _imported(config: WorkerConfig, shop: str, sha256: str) -> StatementFile:
    with reading(config) as database:
        file = database.transact(lambda tx: tx.statements.get(shop, sha256))
    if file is None:
        raise NotFound(
            f"no statement file imported for {shop} has the SHA-256 {sha256[:12]}...; `orders statements import` adds one"
        )
    return file
