"""`orders schedules`: schedules as code. plan shows, apply converges; what an operator paused stays paused."""

from datetime import datetime
from typing import TYPE_CHECKING

import click

from worker.cli.dialogue import ask, record
from worker.cli.options import (
    Noun,
    actor_option,
    actor_or_program_option,
    dry_run_option,
    examples,
    moment,
    reason_option,
)
from worker.cli.output import as_json, print_json, print_table, remark, when
from worker.cli.settings import load
from worker.domain.errors import DatabaseUnavailable, SchemaMismatch

if TYPE_CHECKING:
    from temporalio.client import Client

    from worker.config import WorkerConfig
    from worker.temporal import schedules


@click.group(cls=Noun)
def command() -> None:
    """Schedules as code."""


@command.command(epilog=examples("orders schedules plan", "orders schedules plan --json"))
@as_json
def plan(*, as_json: bool) -> None:
    """Show what `apply` would do. Exits 1 when something would change."""
    from worker.temporal import schedules

    config = load()
    changes = ask(config, lambda client: _plan(client, config))
    if as_json:
        print_json([{"id": c.id, "action": c.action, "paused": c.paused, "fields": c.fields} for c in changes])
    else:
        _tell(changes)
    if any(change.action in {schedules.ChangeAction.CREATE, schedules.ChangeAction.UPDATE} for change in changes):
        raise click.exceptions.Exit(1)


@command.command(
    epilog=examples(
        "orders schedules apply --dry-run", 'orders schedules apply --prune --reason "the shop is closed for good"'
    )
)
@click.option("--prune", is_flag=True, help="Also delete schedules of ours that are no longer declared.")
@reason_option(required=False, why="Why; it stands in the audit trail. Default: that the settings say so.")
@actor_or_program_option
@dry_run_option
def apply(reason: str, actor: str, *, prune: bool, dry_run: bool) -> None:
    """Make the server's schedules what settings.toml declares. Never triggers a run."""
    from worker.temporal import schedules

    config = load()
    if dry_run:
        _tell(ask(config, lambda client: _plan(client, config)))
        return

    async def work(client: "Client") -> schedules.Applied:
        return await schedules.apply(client, await _plan(client, config), prune=prune)

    done = ask(config, work)
    if done.created or done.updated or done.pruned:
        counts = {"created": done.created, "updated": done.updated, "pruned": done.pruned}
        _recorded(config, "applied", "all", actor, reason or "as the settings declare", **counts)
    click.echo(
        f"created {done.created}, updated {done.updated}, unchanged {done.unchanged}, "
        f"pruned {done.pruned}, orphans left {done.orphans}"
    )


@command.command("list", epilog=examples("orders schedules list", "orders schedules list --json"))
@as_json
def list_schedules(*, as_json: bool) -> None:
    """List schedules with their next times and what was missed."""
    from worker.temporal import schedule_control

    config = load()
    ids = [declared.id for declared in config.schedules.values()]
    views = ask(config, lambda client: schedule_control.describe_all(client, ids))
    if as_json:
        print_json(views)
        return
    print_table(
        "schedules",
        ["schedule", "mode", "every", "paused", "next (UTC)", "last (UTC)", "runs", "missed", "skipped", "note"],
        [
            (
                view.id,
                view.mode,
                _every(view.interval_seconds),
                "yes" if view.paused else "no",
                when(view.next_times[0]) if view.next_times else "-",
                when(view.recent[-1].started_at) if view.recent else "-",
                str(view.total),
                str(view.missed_catchup),
                str(view.overlap_skipped),
                view.note,
            )
            for view in views
        ],
        least=("every", "skipped", "runs", "last (UTC)", "mode", "note"),
    )


@command.command(epilog=examples('orders schedules pause reconcile-main-stripe --reason "month-end closing"'))
@click.argument("schedule_id")
@reason_option("--note", why="Why; the next person will read it.")
@actor_option
@dry_run_option
def pause(schedule_id: str, reason: str, actor: str, *, dry_run: bool) -> None:
    """Stop starting runs, until `resume`; deploys keep the pause.

    It works without the database, too: then its entry in the audit trail is missing, which is said.
    """
    from worker.temporal import schedule_control

    config = load()
    if dry_run:
        found = ask(config, lambda client: schedule_control.describe(client, schedule_id))
        click.echo(f"{schedule_id} {'is paused already' if found.paused else 'would be paused'}")
        return
    ask(config, lambda client: schedule_control.pause(client, schedule_id, _note(actor, reason)))
    _recorded(config, "paused", schedule_id, actor, reason)
    click.echo(f"{schedule_id} is paused")


@command.command(epilog=examples('orders schedules resume reconcile-main-stripe --reason "closed"'))
@click.argument("schedule_id")
@reason_option("--note", why="Why it may run again.")
@actor_option
@dry_run_option
def resume(schedule_id: str, reason: str, actor: str, *, dry_run: bool) -> None:
    """Start runs again; the first one covers what was missed, back to the watermark."""
    from worker.temporal import schedule_control

    config = load()
    if dry_run:
        found = ask(config, lambda client: schedule_control.describe(client, schedule_id))
        click.echo(f"{schedule_id} {'would run again' if found.paused else 'is not paused'}")
        return
    ask(config, lambda client: schedule_control.resume(client, schedule_id, _note(actor, reason)))
    _recorded(config, "resumed", schedule_id, actor, reason)
    click.echo(f"{schedule_id} runs again")


@command.command(epilog=examples("orders schedules trigger reconcile-main-stripe"))
@click.argument("schedule_id")
@reason_option(required=False)
@actor_option
@dry_run_option
def trigger(schedule_id: str, reason: str, actor: str, *, dry_run: bool) -> None:
    """Start one run now, up to this second."""
    from worker.temporal import schedule_control

    config = load()
    if dry_run:
        ask(config, lambda client: schedule_control.describe(client, schedule_id))
        click.echo(f"{schedule_id} would start one run now")
        return
    ask(config, lambda client: schedule_control.trigger(client, schedule_id))
    _recorded(config, "triggered", schedule_id, actor, reason)
    click.echo(f"{schedule_id} was triggered; `orders reconcile list` shows its run")


@command.command(
    epilog=examples("orders schedules backfill reconcile-main-stripe --from 2026-11-01T00:00Z --to 2026-11-02T00:00Z")
)
@click.argument("schedule_id")
@click.option("--from", "start", required=True, callback=moment, help="ISO 8601 (inclusive).")
@click.option("--to", "end", required=True, callback=moment, help="ISO 8601 (exclusive).")
@reason_option(required=False)
@actor_option
@dry_run_option
def backfill(schedule_id: str, start: datetime, end: datetime, reason: str, actor: str, *, dry_run: bool) -> None:
    """Run every slot of a past period, one after the other."""
    from worker.temporal import schedule_control

    config = load()
    period = f"{start.isoformat()} to {end.isoformat()}"
    if dry_run:
        ask(config, lambda client: schedule_control.describe(client, schedule_id))
        click.echo(f"{schedule_id} would run every slot from {period}")
        return
    ask(config, lambda client: schedule_control.backfill(client, schedule_id, start, end))
    _recorded(config, "backfilled", schedule_id, actor, reason, period=period)
    click.echo(f"{schedule_id} runs every slot from {period}")


def _every(seconds: int | None) -> str:
    if not seconds:
        return "month"
    size, unit = next(
        (size, unit) for size, unit in ((86400, "d"), (3600, "h"), (60, "min"), (1, "s")) if not seconds % size
    )
    return f"{seconds // size} {unit}"


def _note(actor: str, reason: str) -> str:
    return f"{reason} ({actor})"


def _recorded(
    config: "WorkerConfig", action: str, schedule_id: str, actor: str, reason: str, **more: str | int
) -> None:
    """Note it in the audit trail; schedules are stopped in emergencies, so the database may well be away."""
    try:
        record(config, action, f"schedule/{schedule_id}", actor=actor, reason=reason, **more)
    except (DatabaseUnavailable, SchemaMismatch) as problem:
        remark(f"it is done, but stands in no audit trail: {problem}")


def _tell(changes: "list[schedules.Change]") -> None:
    for change in changes:
        click.echo(f"{change.action:<10} {change.id}{'  (paused, stays so)' if change.paused else ''}")
        for field in change.fields:
            click.echo(f"             {field.name}: {field.old} -> {field.new}")


async def _plan(client: "Client", config: "WorkerConfig") -> "list[schedules.Change]":
    from worker.temporal import schedules

    return await schedules.plan(client, config.schedules.values(), config.reconciliation)
