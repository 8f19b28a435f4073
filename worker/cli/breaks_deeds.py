"""`orders breaks assign|comment|resolve|ignore|reopen|link`: people act on breaks."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from worker.cli.breaks_words import state
from worker.cli.options import actor_option, consent, dry_run_option, examples, moment, reason_option, yes_option
from worker.cli.output import as_json, print_json, print_table
from worker.cli.settings import load
from worker.connections import reading
from worker.domain.errors import Conflict
from worker.domain.intervention import BREAK_LINK, PAST, Deed, Intervention
from worker.domain.money import Money

if TYPE_CHECKING:
    from worker.services.break_desk import Answer

PRIVACY = "What is written here stays in the audit trail for good: no names, addresses or other data of customers."


def _deed(*options: Callable[..., Any], reason: str = "Why; it stands in the history.") -> Callable[..., Any]:
    """Return what gives a command the breaks to act on, the options of every deed, and its own."""

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        shared: tuple[Callable[..., Any], ...] = (
            click.argument("break_ids", metavar="BREAK...", nargs=-1, required=True),
            *options,
            reason_option(why=f"{reason} {PRIVACY}"),
            actor_option,
            dry_run_option,
            yes_option,
            as_json,
        )
        for option in reversed(shared):
            function = option(function)
        return function

    return decorate


@click.command(epilog=examples('orders breaks assign 4be1f0a2c39d5e67 --to bob --reason "knows the bank" --yes'))
@_deed(click.option("--to", "owner", required=True, help="Who looks after it from now on; '' for nobody."))
def assign(break_ids: tuple[str, ...], owner: str, **said: Any) -> None:
    """Name who looks after breaks; `orders breaks list --owner NAME` shows theirs."""
    _act(Deed.ASSIGN, break_ids, said, new_owner=owner.strip())


@click.command(epilog=examples('orders breaks comment 4be1f0a2c39d5e67 --reason "asked the bank, case 123" --yes'))
@_deed(reason="The remark.")
def comment(break_ids: tuple[str, ...], **said: Any) -> None:
    """Add a remark to breaks, whatever their status."""
    _act(Deed.COMMENT, break_ids, said)


@click.command(
    epilog=examples(
        'orders breaks resolve 4be1f0a2c39d5e67 --reason "written off" --dry-run',
        'orders breaks resolve 4be1f0a2c39d5e67 --reason "written off" --yes',
    )
)
@_deed()
def resolve(break_ids: tuple[str, ...], **said: Any) -> None:
    """Settle breaks: they stay resolved until their class or an amount changes.

    While the difference is there, runs show it as a warning with who settled it, when and why, and the statement has
    it in a line of its own: it is never hidden.
    """
    _act(Deed.RESOLVE, break_ids, said)


@click.command(
    epilog=examples('orders breaks ignore 4be1f0a2c39d5e67 --until 2026-12-15 --reason "the bank is on it" --yes')
)
@_deed(click.option("--until", callback=moment, help="Counts again from this time on (UTC unless it says otherwise)."))
def ignore(break_ids: tuple[str, ...], until: datetime | None, **said: Any) -> None:
    """Put up with breaks: as `resolve`, and with --until they count again afterwards."""
    _act(Deed.IGNORE, break_ids, said, until=until)


@click.command(epilog=examples('orders breaks reopen 4be1f0a2c39d5e67 --reason "it was paid after all" --yes'))
@_deed()
def reopen(break_ids: tuple[str, ...], **said: Any) -> None:
    """Take back that breaks were settled; the next run judges them anew."""
    _act(Deed.REOPEN, break_ids, said)


@click.command(
    epilog=examples(
        'orders breaks link 4be1f0a2c39d5e67 --to 90c7d1e2f3a4b5c6 --reason "two halves of one refund" --yes',
        'orders breaks link 4be1f0a2c39d5e67 --to order/1001 --reason "charged for it" --yes',
    )
)
@_deed(click.option("--to", "target", required=True, help="Another break's id, order/ID or payment/REFERENCE."))
def link(break_ids: tuple[str, ...], target: str, **said: Any) -> None:
    """Note what explains breaks: another break (which gets the link as well), an order or a payment.

    Nothing is netted: +10 here and -10 there stay two breaks until each is settled.
    """
    _act(Deed.LINK, break_ids, said, link_to=target if "/" in target else BREAK_LINK + target)


DEEDS = (assign, comment, resolve, ignore, reopen, link)


def _act(
    deed: Deed,
    break_ids: tuple[str, ...],
    said: dict[str, Any],
    *,
    new_owner: str = "",
    until: datetime | None = None,
    link_to: str = "",
) -> None:
    from worker.gateways.clock import SystemClock
    from worker.services.break_desk import BreakDesk, Instruction

    actor, reason, dry_run = said["actor"], said["reason"], said["dry_run"]
    act = Intervention(deed=deed, actor=actor, reason=reason, new_owner=new_owner, until=until, link_to=link_to)
    names = list(dict.fromkeys(name.removeprefix(BREAK_LINK) for name in break_ids))
    consent(f"{deed} {len(names)} break{'s' * (len(names) > 1)} as {actor}?", yes=said["yes"], dry_run=dry_run)
    config = load()
    with reading(config) as database:
        desk = BreakDesk(database, SystemClock(), config.shop.name)
        answer = desk.carry_out([Instruction(break_id=name, act=act) for name in names], dry_run=dry_run)
    if answer.problems:
        raise Conflict("nothing was done: " + "; ".join(map(str, answer.problems)))
    if said["as_json"]:
        print_json(documents(answer))
    else:
        told(answer, f"would be {PAST[deed]}" if dry_run else PAST[deed])


def documents(answer: Answer) -> list[dict[str, Any]]:
    """Return what was done, or would be, for a program."""
    return [
        {
            "break": one.after,
            "deed": one.instruction.act.deed,
            "actor": one.instruction.act.actor,
            "repeated": one.repeated,
        }
        for one in answer.done
    ]


def told(answer: Answer, title: str) -> None:
    """Print what was done, or would be."""
    print_table(
        title,
        ["break", "deed", "by", "before", "now", "owner", "order", "leg", "at risk"],
        [
            (
                one.after.break_id,
                "done before" if one.repeated else one.instruction.act.deed,
                one.instruction.act.actor,
                state(one.before),
                state(one.after),
                one.after.owner or "-",
                one.after.finding.order_id or one.after.finding.key,
                one.after.finding.leg,
                str(Money(one.after.finding.at_risk_minor, one.after.finding.currency)),
            )
            for one in answer.done
        ],
        least=("before", "by", "at risk", "leg", "owner"),
    )
