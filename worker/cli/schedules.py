"""`orders schedules`: schedules as code. plan shows, apply converges; what an operator paused stays paused."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TypeVar

import click
from temporalio.client import Client

from worker.cli.output import as_json, print_json, print_table, when
from worker.config import WorkerConfig, load
from worker.temporal import schedule_control, schedules
from worker.temporal.client import connect
from worker.temporal.codec import converter_of

T = TypeVar("T")


@click.group()
def command() -> None:
    """Schedules as code."""


@command.command()
@as_json
def plan(*, as_json: bool) -> None:
    """Show what `apply` would do. Exits 1 when something would change."""
    config = load()
    changes = _with_client(config, lambda client: _plan(client, config))
    if as_json:
        print_json([{"id": c.id, "action": c.action, "paused": c.paused, "fields": c.fields} for c in changes])
    else:
        for change in changes:
            click.echo(f"{change.action:<10} {change.id}{'  (paused, stays so)' if change.paused else ''}")
            for field in change.fields:
                click.echo(f"             {field.name}: {field.old} -> {field.new}")
    if any(change.action in {schedules.ChangeAction.CREATE, schedules.ChangeAction.UPDATE} for change in changes):
        raise click.exceptions.Exit(1)


@command.command()
@click.option("--prune", is_flag=True, help="Also delete schedules of ours that are no longer declared.")
def apply(*, prune: bool) -> None:
    """Make the server's schedules what settings.toml declares. Never triggers a run."""
    config = load()

    async def work(client: Client) -> schedules.Applied:
        return await schedules.apply(client, await _plan(client, config), prune=prune)

    done = _with_client(config, work)
    click.echo(
        f"created {done.created}, updated {done.updated}, unchanged {done.unchanged}, "
        f"pruned {done.pruned}, orphans left {done.orphans}"
    )


@command.command("list")
@as_json
def list_schedules(*, as_json: bool) -> None:
    """List schedules with their next times and what was missed."""
    config = load()
    ids = [declared.id for declared in config.schedules.values()]
    views = _with_client(config, lambda client: schedule_control.describe_all(client, ids))
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
                f"{view.interval_seconds} s" if view.interval_seconds else "month",
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
    )


@command.command()
@click.argument("schedule_id")
@click.option("--note", required=True, help="Why; the next person will read it.")
def pause(schedule_id: str, note: str) -> None:
    """Stop starting runs, until `resume`; deploys keep the pause."""
    _with_client(load(), lambda client: schedule_control.pause(client, schedule_id, note))
    click.echo(f"{schedule_id} is paused")


@command.command()
@click.argument("schedule_id")
@click.option("--note", required=True, help="Why it may run again.")
def resume(schedule_id: str, note: str) -> None:
    """Start runs again; the first one covers what was missed, back to the watermark."""
    _with_client(load(), lambda client: schedule_control.resume(client, schedule_id, note))
    click.echo(f"{schedule_id} runs again")


@command.command()
@click.argument("schedule_id")
def trigger(schedule_id: str) -> None:
    """Start one run now, up to this second."""
    _with_client(load(), lambda client: schedule_control.trigger(client, schedule_id))
    click.echo(f"{schedule_id} was triggered; `orders reconcile list` shows its run")


@command.command()
@click.argument("schedule_id")
@click.option("--from", "start", required=True, help="ISO 8601 with zone (inclusive).")
@click.option("--to", "end", required=True, help="ISO 8601 with zone (exclusive).")
def backfill(schedule_id: str, start: str, end: str) -> None:
    """Run every slot of a past period, one after the other."""
    first, last = _time(start), _time(end)
    _with_client(load(), lambda client: schedule_control.backfill(client, schedule_id, first, last))
    click.echo(f"{schedule_id} runs every slot from {first.isoformat()} to {last.isoformat()}")


async def _plan(client: Client, config: WorkerConfig) -> list[schedules.Change]:
    return await schedules.plan(client, config.schedules.values(), config.reconciliation)


def _with_client(config: WorkerConfig, work: Callable[[Client], Awaitable[T]]) -> T:
    async def go() -> T:
        return await work(await connect(config.temporal, converter_of(config.encryption)))

    return asyncio.run(go())


def _time(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(f"{text!r} is not an ISO 8601 time, for example 2026-11-22T00:00:00Z") from None
