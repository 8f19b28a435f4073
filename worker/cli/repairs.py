"""`orders repairs`: what was done about breaks without a person, and what waits for one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from worker.cli.options import Noun, actor_option, dry_run_option, examples, reason_option
from worker.cli.output import as_json, print_json, print_table, when
from worker.cli.settings import load
from worker.connections import reading
from worker.domain.finding import Break, Repair, RepairState
from worker.domain.repair_policy import Attempt

if TYPE_CHECKING:
    from worker.services.ports import Transaction


@click.group(cls=Noun)
def command() -> None:
    """Automatic repairs of breaks."""


@command.command("list", epilog=examples("orders repairs list", "orders repairs list --state failed --json"))
@click.option("--status", default="open", show_default=True, help="Of breaks: open, resolved or all.")
@click.option("--state", type=click.Choice([str(state) for state in RepairState]), help="Of the repair, e.g. failed.")
@click.option("--limit", default=1000, show_default=True, help="How many breaks are looked at.")
@as_json
def list_repairs(status: str, state: str | None, limit: int, *, as_json: bool) -> None:
    """List breaks that have a repair, with the last attempt. Exits 1 when one failed or was refused: it needs a person."""
    config = load()

    def work(tx: Transaction) -> list[tuple[Break, list[Attempt]]]:
        listed = tx.breaks.listed(config.shop.name, status=None if status == "all" else status, limit=limit)
        wanted = [
            item
            for item in listed
            if (item.finding.repair is not Repair.NONE or item.repair_attempts) and state in {None, item.repair_state}
        ]
        made = tx.repairs.of_breaks([item.break_id for item in wanted])
        return [(item, made.get(item.break_id, [])) for item in wanted]

    with reading(config) as database:
        found = database.transact(work)
    if as_json:
        print_json([{"break": item, "attempts": attempts} for item, attempts in found])
    else:
        print_table(
            f"repairs of {config.shop.name} (breaks: {status})",
            [
                "break",
                "kind",
                "leg",
                "repair",
                "state",
                "attempts",
                "last attempt (UTC)",
                "what came of it",
                "next (UTC)",
            ],
            [_row(item, attempts) for item, attempts in found],
            least=("next (UTC)", "last attempt (UTC)", "attempts", "leg"),
        )
    if any(item.resolved_at is None and item.repair_state in _FOR_A_PERSON for item, _ in found):
        raise click.exceptions.Exit(1)


@command.command(epilog=examples('orders repairs retry 4be1f0a2c39d5e67 --reason "the shop\'s token was renewed"'))
@click.argument("break_id")
@click.option("--by", "by", hidden=True, help="An older spelling of --actor.")
@actor_option
@reason_option(why="What was mended meanwhile.")
@dry_run_option
def retry(break_id: str, by: str | None, actor: str, reason: str, *, dry_run: bool) -> None:
    """Let a failed repair be tried again from its first step; the next run makes the attempt."""
    from worker.gateways.clock import SystemClock
    from worker.services.repair_rounds import begin_anew

    with reading(load()) as database:
        item = begin_anew(database, SystemClock(), break_id, actor=by or actor, reason=reason, dry_run=dry_run)
    tries = "would try" if dry_run else "tries"
    click.echo(f"break {item.break_id}: the next run {tries} {item.finding.repair} again (round {item.repair_round})")


_FOR_A_PERSON = {RepairState.FAILED, RepairState.REFUSED}


def _row(item: Break, attempts: list[Attempt]) -> tuple[str, ...]:
    last = attempts[-1] if attempts else None
    return (
        item.break_id,
        str(item.finding.kind),
        str(item.finding.leg),
        str(item.finding.repair),
        str(item.repair_state),
        str(len(attempts)),
        when(last.claimed_at if last else None),
        f"{last.outcome}: {last.detail}" if last and last.detail else str(last.outcome) if last else "-",
        when(item.repair_next_at),
    )
