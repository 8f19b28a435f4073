"""`orders breaks`: differences between the books that outlived their grace, and what people do about them."""

import click

from worker.cli.breaks_deeds import DEEDS, state
from worker.cli.breaks_sheet import export_sheet, import_sheet
from worker.cli.output import as_json, print_json, print_table, when
from worker.config import load
from worker.connections import reading
from worker.domain.errors import NotFound
from worker.domain.finding import Break, BreakStatus, Fact
from worker.domain.intervention import BREAK_LINK
from worker.domain.money import Money, format_minor
from worker.gateways.clock import SystemClock
from worker.services.break_desk import BreakDesk

STATUSES = ("open", *BreakStatus, "settled", "ignored", "all")


@click.group()
def command() -> None:
    """Differences between the books."""


for one in (*DEEDS, export_sheet, import_sheet):
    command.add_command(one)


@command.command("list")
@click.option(
    "--status",
    type=click.Choice(STATUSES),
    default="open",
    show_default=True,
    help="settled and ignored: by a person.",
)
@click.option("--owner", help="Only those that this person looks after; '' for those that nobody does.")
@click.option("--provider", help="Only those of this provider.")
@click.option("--limit", default=100, show_default=True)
@as_json
def list_breaks(status: str, owner: str | None, provider: str | None, limit: int, *, as_json: bool) -> None:
    """List breaks, largest amount at risk first. Exits 1 when open ones are listed."""
    config = load()
    wanted = None if status == "all" else status
    with reading(config) as database:
        items = database.transact(
            lambda tx: tx.breaks.listed(config.shop.name, status=wanted, limit=limit, owner=owner, provider=provider)
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
                    item.finding.order_id or item.finding.key,
                    str(Money(item.finding.at_risk_minor, item.finding.currency)),
                    str(Money(item.finding.difference_minor, item.finding.currency)),
                    when(item.first_seen_at),
                    item.repair_state,
                    f"settled: {item.settlement.reason}" if item.settlement else item.finding.cause,
                )
                for item in items
            ],
        )
    if any(item.resolved_at is None for item in items):
        raise click.exceptions.Exit(1)


@command.command()
@click.argument("break_id")
@as_json
def show(break_id: str, *, as_json: bool) -> None:
    """Show one break: both sides, the difference, the suspected cause, who has it, its links and its history.

    Open breaks that differ by the opposite amount are suggested as an explanation; only `link` makes them one.
    """
    config = load()
    break_id = break_id.removeprefix(BREAK_LINK)
    with reading(config) as database:
        item = database.transact(lambda tx: tx.breaks.get(break_id))
        if item is None:
            raise NotFound(f"no break {break_id}; `orders breaks list --status all` shows them")
        history = database.transact(lambda tx: tx.breaks.history(break_id))
        suggested = BreakDesk(database, SystemClock(), item.shop).suggestions(item)
    if as_json:
        print_json({"break": item, "history": history, "suggested": [one.break_id for one in suggested]})
        return
    finding = item.finding
    click.echo(f"break {item.break_id}: {finding.kind} ({state(item)}), {finding.leg} leg, {finding.key}")
    click.echo(f"suspected cause: {finding.cause or 'unknown'}")
    click.echo(
        f"ours {Money(finding.ours_minor, finding.currency)}, theirs {Money(finding.theirs_minor, finding.currency)}, "
        f"difference {Money(finding.difference_minor, finding.currency)}, at risk {Money(finding.at_risk_minor, finding.currency)}"
    )
    times = (
        f", {item.repair_attempts} attempts, next not before {when(item.repair_next_at)}"
        if item.repair_attempts
        else ""
    )
    click.echo(f"repair: {finding.repair} ({item.repair_state}{times})")
    click.echo(f"owner: {item.owner or 'nobody'}")
    if item.settlement is not None:
        click.echo(f"{state(item)}, decided {when(item.settlement.at)} UTC: {item.settlement.reason}")
    for target in item.links:
        click.echo(f"linked to {target}")
    for side, facts in (("our record", finding.ours), ("their record", finding.theirs)):
        print_table(side, ["at (UTC)", "what", "reference", "amount", "status"], [_fact(fact) for fact in facts])
    print_table(
        "history",
        ["at (UTC)", "by", "what", "run", "detail"],
        [(when(a.at), a.actor, a.action, a.run_id, a.words) for a in history],
    )
    _suggest(item, suggested)


def _suggest(item: Break, suggested: list[Break]) -> None:
    if suggested:
        print_table(
            f"may explain it (a suggestion: if it does, `orders breaks link {item.break_id} --to BREAK`)",
            ["break", "kind", "order", "difference", "first seen (UTC)"],
            [
                (
                    one.break_id,
                    one.finding.kind,
                    one.finding.order_id or one.finding.key,
                    str(Money(one.finding.difference_minor, one.finding.currency)),
                    when(one.first_seen_at),
                )
                for one in suggested
            ],
        )


def _fact(fact: Fact) -> tuple[str, str, str, str, str]:
    amount = "-" if fact.amount_minor is None else f"{fact.currency} {format_minor(fact.amount_minor, fact.currency)}"
    return when(fact.at), fact.record, fact.reference, amount, fact.status
