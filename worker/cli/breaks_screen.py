"""One break on one screen: what differs, both records, the suspected cause, where to look, and the commands that fix it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from worker.cli.breaks_words import state
from worker.cli.output import print_commands, print_table, when
from worker.domain.finding import Break, Fact, Finding, Repair, RepairState
from worker.domain.money import Money, format_minor

if TYPE_CHECKING:
    from worker.services.ports import BreakAction

SEVERAL = 50
"""Breaks of one order that are listed beside it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """Where else a break is shown; empty where nowhere."""

    workflow: str
    """The order's process in the Temporal UI."""
    report: str
    """The newest report, at the break's anchor."""


def show_break(
    item: Break, history: Sequence[BreakAction], suggested: Sequence[Break], links: Links, *, off: bool = False
) -> None:
    """Print it all; `off`: the settings forbid its repair."""
    from worker.reports import words

    finding = item.finding
    click.echo(f"break {item.break_id}: {words.KIND[finding.kind].lower()} ({finding.kind}), {state(item)}")
    click.echo(f"{words.LEG[finding.leg]} ({finding.leg} leg), {subject(finding)}, {_seen(item)}")
    click.echo(f"suspected cause: {finding.cause or 'unknown'}")
    click.echo(
        f"ours {_money(finding, finding.ours_minor)}, theirs {_money(finding, finding.theirs_minor)}, "
        f"difference {_money(finding, finding.difference_minor)}, at risk {_money(finding, finding.at_risk_minor)}"
    )
    click.echo(f"repair: {words.REPAIR[finding.repair]} ({_repair(item, off=off)})")
    click.echo(f"owner: {item.owner or 'nobody'}")
    if item.settlement is not None:
        click.echo(f"{state(item)}, decided {when(item.settlement.at)} UTC: {item.settlement.reason}")
    for target in item.links:
        click.echo(f"linked to {target}")
    for side, facts in ((words.OUR_SIDE, finding.ours), (words.THEIR_SIDE, finding.theirs)):
        if facts:
            columns = ["at (UTC)", "what", "reference", "amount", "status"]
            print_table(side[finding.leg].lower(), columns, [_fact(fact) for fact in facts])
        else:
            click.echo(f"{side[finding.leg].lower()}: no record")
    print_table(
        "history",
        ["at (UTC)", "by", "what", "run", "detail"],
        [(when(a.at), a.actor, a.action, a.run_id, a.words) for a in history],
        least=("run", "by"),
    )
    if suggested:
        title = f"may explain it (a suggestion: if it does, `orders breaks link {item.break_id} --to BREAK`)"
        several_breaks(title, suggested)
    for name, link in (("workflow", links.workflow), ("report", links.report)):
        if link:
            click.echo(f"{name}: {link}")
    click.echo("what may be done")
    print_commands(commands(item, off=off))


def several_breaks(title: str, items: Sequence[Break]) -> None:
    """Print breaks as a table of those that belong together."""
    print_table(
        title,
        ["break", "kind", "leg", "order", "difference", "first seen (UTC)", "suspected cause"],
        [
            (
                one.break_id,
                one.finding.kind,
                one.finding.leg,
                one.finding.order_id or one.finding.key,
                _money(one.finding, one.finding.difference_minor),
                when(one.first_seen_at),
                one.finding.cause,
            )
            for one in items
        ],
        least=("suspected cause", "first seen (UTC)", "order"),
    )


def commands(item: Break, *, off: bool = False) -> list[tuple[str, str]]:
    """Return the commands that may be wanted next and what each is for, the likeliest first; `off`: its repair is."""
    name, finding = item.break_id, item.finding
    told: list[tuple[str, str]] = []
    if item.resolved_at is not None:
        if item.settlement is not None:
            told.append((f"orders breaks reopen {name} --reason WHY", "it counts again"))
        return told + _of_order(finding)
    if item.repair_state is RepairState.FAILED:
        told.append((f"orders repairs retry {name} --reason WHY", "once its cause is mended"))
    elif not off and finding.repair is not Repair.NONE and item.repair_state is not RepairState.REFUSED:
        told.append(("orders schedules trigger SCHEDULE", "the next run repairs what the policy allows"))
    told += _of_order(finding)
    if not item.owner:
        told.append((f"orders breaks assign {name} --to WHO --reason WHY", "somebody looks after it"))
    told.append((f"orders breaks resolve {name} --reason WHY", "settled; ignore --until puts it off"))
    return told


def subject(finding: Finding) -> str:
    """Return what a finding is about."""
    return f"order {finding.order_id}" if finding.order_id else finding.key


def _of_order(finding: Finding) -> list[tuple[str, str]]:
    return [(f"orders order show {finding.order_id}", "its money, parcels, states")] if finding.order_id else []


def _seen(item: Break) -> str:
    from worker.reports import words

    ended = item.resolved_at or item.last_seen_at
    age = words.duration(ended - item.first_seen_at)
    return f"first seen {when(item.first_seen_at)} UTC, {words.count(item.runs_seen, 'run')} over {age}"


def _repair(item: Break, *, off: bool) -> str:
    if off and item.resolved_at is None:
        return f"nobody does it: reconciliation.repairs.{item.finding.repair} is off"
    if not item.repair_attempts:
        return str(item.repair_state)
    return f"{item.repair_state}, {item.repair_attempts} attempts, next not before {when(item.repair_next_at)}"


def _money(finding: Finding, minor: int) -> str:
    return str(Money(minor, finding.currency))


def _fact(fact: Fact) -> tuple[str, str, str, str, str]:
    amount = "-" if fact.amount_minor is None else f"{fact.currency} {format_minor(fact.amount_minor, fact.currency)}"
    return when(fact.at), fact.record, fact.reference, amount, fact.status
