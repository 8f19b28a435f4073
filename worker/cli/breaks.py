"""`orders breaks`: differences between the books that outlived their grace."""

import click

from worker.cli.output import as_json, print_json, print_table, when
from worker.config import load
from worker.connections import reading
from worker.domain.errors import NotFound
from worker.domain.finding import Fact
from worker.domain.money import Money, format_minor


@click.group()
def command() -> None:
    """Differences between the books."""


@command.command("list")
@click.option("--status", default="open", show_default=True, help="open, new, persisting, reopened, resolved or all.")
@click.option("--limit", default=100, show_default=True)
@as_json
def list_breaks(status: str, limit: int, *, as_json: bool) -> None:
    """List breaks, largest amount at risk first. Exits 1 when open ones are listed."""
    config = load()
    wanted = None if status == "all" else status
    with reading(config) as database:
        items = database.transact(lambda tx: tx.breaks.listed(config.shop.name, status=wanted, limit=limit))
    if as_json:
        print_json(items)
    else:
        print_table(
            f"breaks of {config.shop.name} ({status})",
            [
                "break",
                "status",
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
                    item.status,
                    item.finding.kind,
                    item.finding.order_id or item.finding.key,
                    str(Money(item.finding.at_risk_minor, item.finding.currency)),
                    str(Money(item.finding.difference_minor, item.finding.currency)),
                    when(item.first_seen_at),
                    item.repair_state,
                    item.finding.cause,
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
    """Show one break: both sides, the difference, the suspected cause and its history."""
    with reading(load()) as database:
        item = database.transact(lambda tx: tx.breaks.get(break_id))
        if item is None:
            raise NotFound(f"no break {break_id}; `orders breaks list --status all` shows them")
        history = database.transact(lambda tx: tx.breaks.history(break_id))
    if as_json:
        print_json({"break": item, "history": history})
        return
    finding = item.finding
    click.echo(f"break {item.break_id}: {finding.kind} ({item.status}), {finding.leg} leg, {finding.key}")
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
    for side, facts in (("our record", finding.ours), ("their record", finding.theirs)):
        print_table(side, ["at (UTC)", "what", "reference", "amount", "status"], [_fact(fact) for fact in facts])
    print_table(
        "history",
        ["at (UTC)", "by", "what", "run", "detail"],
        [(when(a.at), a.actor, a.action, a.run_id, a.detail) for a in history],
    )


def _fact(fact: Fact) -> tuple[str, str, str, str, str]:
    amount = "-" if fact.amount_minor is None else f"{fact.currency} {format_minor(fact.amount_minor, fact.currency)}"
    return when(fact.at), fact.record, fact.reference, amount, fact.status
