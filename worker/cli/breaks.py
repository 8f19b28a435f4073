"""`orders breaks`: differences between the books that outlived their grace, and what people do about them."""

import click

from worker.cli.breaks_deeds import DEEDS
from worker.cli.breaks_screen import Links, commands, show_break
from worker.cli.breaks_sheet import export_sheet, import_sheet
from worker.cli.breaks_words import state
from worker.cli.dialogue import workflow_link
from worker.cli.options import Noun, examples
from worker.cli.output import as_json, print_json, print_table, when
from worker.cli.settings import load
from worker.connections import reading, stored_at
from worker.contract.ids import is_valid_part, order_workflow_id
from worker.domain.errors import NotFound
from worker.domain.finding import BreakStatus, Repair
from worker.domain.intervention import BREAK_LINK
from worker.domain.money import Money

RECENT_RUNS = 50
"""Among which the newest report is looked for."""
STATUSES = ("open", *BreakStatus, "settled", "ignored", "all")


@click.group(cls=Noun)
def command() -> None:
    """Differences between the books."""


for one in (*DEEDS, export_sheet, import_sheet):
    command.add_command(one)


@command.command(
    "list",
    epilog=examples(
        "orders breaks list",
        "orders breaks list --owner '' # nobody looks after them yet",
        "orders breaks list --status settled --json",
    ),
)
@click.option(
    "--status",
    type=click.Choice(STATUSES),
    default="open",
    show_default=True,
    help="settled and ignored: by a person.",
)
@click.option("--owner", help="Only those that this person looks after; '' for those that nobody does.")
@click.option("--provider", help="Only those of this provider.")
@click.option("--order", "order_id", help="Only those of this order.")
@click.option("--limit", default=100, show_default=True)
@as_json
def list_breaks(
    status: str, owner: str | None, provider: str | None, order_id: str | None, limit: int, *, as_json: bool
) -> None:
    """List breaks, largest amount at risk first. Exits 1 when open ones are listed."""
    config = load()
    wanted = None if status == "all" else status
    with reading(config) as database:
        items = database.transact(
            lambda tx: tx.breaks.listed(
                config.shop.name, status=wanted, limit=limit, owner=owner, provider=provider, order_id=order_id
            )
        )
    if as_json:
        print_json(items)
    else:
        print_table(
            f"breaks of {config.shop.name} ({status})",
            [
                "break",
                "status",
                "owner",
                "kind",
                "leg",
                "order",
                "at risk",
                "difference",
                "first seen (UTC)",
                "repair",
                "suspected cause",
            ],
            [
                (
                    item.break_id,
                    state(item),
                    item.owner or "-",
                    item.finding.kind,
                    item.finding.leg,
                    item.finding.order_id or item.finding.key,
                    str(Money(item.finding.at_risk_minor, item.finding.currency)),
                    str(Money(item.finding.difference_minor, item.finding.currency)),
                    when(item.first_seen_at),
                    item.repair_state,
                    f"settled: {item.settlement.reason}" if item.settlement else item.finding.cause,
                )
                for item in items
            ],
            least=("difference", "suspected cause", "first seen (UTC)", "repair", "owner", "status"),
        )
    if any(item.resolved_at is None for item in items):
        raise click.exceptions.Exit(1)


@command.command(epilog=examples("orders breaks show 4be1f0a2c39d5e67", "orders breaks show 4be1f0a2c39d5e67 --json"))
@click.argument("break_id")
@as_json
def show(break_id: str, *, as_json: bool) -> None:
    """Show one break: both sides, the difference, the suspected cause, who has it, links, history, what may be done.

    Open breaks that differ by the opposite amount are suggested as an explanation; only `link` makes them one.
    """
    from worker.domain.repair_policy import RepairMode
    from worker.gateways.clock import SystemClock
    from worker.policies import repair_policies_of
    from worker.services.break_desk import BreakDesk

    config = load()
    break_id = break_id.removeprefix(BREAK_LINK)
    with reading(config) as database:
        item = database.transact(lambda tx: tx.breaks.get(break_id))
        if item is None:
            raise NotFound(f"no break {break_id}; `orders breaks list --status all` shows them")
        history = database.transact(lambda tx: tx.breaks.history(break_id))
        runs = database.transact(lambda tx: tx.runs.recent(item.shop, RECENT_RUNS))
        suggested = BreakDesk(database, SystemClock(), item.shop).suggestions(item)
    order_id = item.finding.order_id
    known = order_id and is_valid_part(item.shop) and is_valid_part(order_id)
    reports = [run.report for run in runs if run.report and run.provider == item.provider]
    links = Links(
        workflow=workflow_link(config, order_workflow_id(item.shop, order_id)) if known else "",
        report=f"{stored_at(config, reports[0])}#b-{break_id}" if reports else "",
    )
    repair = item.finding.repair
    off = repair is not Repair.NONE and repair_policies_of(config)[repair].mode is RepairMode.OFF
    if as_json:
        document = {"break": item, "history": history, "suggested": [one.break_id for one in suggested]}
        print_json(document | {"links": links, "commands": [typed for typed, _ in commands(item, off=off)]})
    else:
        show_break(item, history, suggested, links, off=off)
