"""`orders order cancel-lines`: single lines of an order, or some pieces of them."""

import re
import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from worker.cli.dialogue import ask
from worker.cli.options import actor_option, consent, dry_run_option, examples, reason_option, yes_option
from worker.cli.settings import load
from worker.connections import reading
from worker.domain.errors import InvalidInput, NotFound
from worker.domain.line_cancelling import check_pieces, check_state, cut_of, pieces_told, to_give_back, without
from worker.domain.money import Money

if TYPE_CHECKING:
    from worker.domain.order import Order
    from worker.services.ports import Transaction

_LINE = re.compile(r"([0-9]{1,4})(?::([0-9]{1,7}))?", re.ASCII)


@click.command(
    "cancel-lines",
    epilog=examples(
        'orders order cancel-lines 1001 2 --reason "sold out" --dry-run # all that has not left of line 2',
        'orders order cancel-lines 1001 1:2 3:1 --reason "sold out" --yes # two pieces of line 1, one of line 3',
    ),
)
@click.argument("order_id")
@click.argument("lines", nargs=-1, required=True, metavar="LINE[:PIECES]...")
@click.option("--request-id", help="An id of your own: the same lines under it again are cancelled once.")
@click.option("--shop", help="Of this shop; default: the shop of the settings.")
@reason_option(why="Why; it stands in the audit trail.")
@actor_option
@dry_run_option
@yes_option
def cancel_lines(
    order_id: str,
    lines: tuple[str, ...],
    request_id: str | None,
    shop: str | None,
    reason: str,
    actor: str,
    *,
    dry_run: bool,
    yes: bool,
) -> None:
    """Cancel pieces of an order that have not left. Cannot be undone.

    The parcel that holds them is stopped, and the rest is asked for anew. What was paid for them is given back, what was
    only held is not captured; shipping stays. Lines count from 1. All that has not left cancels the order.
    """
    from worker.contract.orders import CancelLines, LineCut
    from worker.services.parcels import goods_of, known_order
    from worker.temporal.operations import cancel_lines as ask_to_cancel

    config = load()
    shop = shop or config.shop.name

    def read(tx: "Transaction") -> "tuple[Order, dict[int, int]]":
        order = known_order(tx, shop, order_id)
        return order, goods_of(tx, order).owed

    with reading(config) as database:
        if database.transact(lambda tx: tx.orders.get(shop, order_id)) is None:
            raise NotFound(f"order {shop}/{order_id} is not in our books; `orders order list` shows what is")
        order, owed = database.transact(read)
    check_state(order)
    wanted = _wanted(lines, owed)
    check_pieces(order.lines, owed, wanted)
    said = _said(order, owed, wanted)
    consent(f"Cancel {said}? This cannot be undone.", yes=yes, dry_run=dry_run)
    if dry_run:
        click.echo(f"order {order_id} is {order.state}: would cancel {said}")
        return
    request = CancelLines(
        request_id=request_id or f"cli-{uuid.uuid4().hex}",
        requested_by=actor,
        lines=tuple(LineCut(line=number, quantity=pieces) for number, pieces in sorted(wanted.items())),
        reason=reason,
    )
    answer = ask(config, lambda client: ask_to_cancel(client, shop, order_id, request))
    less, back, total = (
        Money(minor, answer.currency) for minor in (answer.amount_minor, answer.refunded_minor, answer.total_minor)
    )
    if answer.reason == "order_cancelled":
        click.echo(f"{answer.outcome}: that was all that had not left; order {order_id} is cancelled")
        return
    click.echo(
        f"{answer.outcome}: {less} less, {back} given back; order {order_id} of {total} is {answer.state}"
        + (f" (the refund was refused: {answer.reason})" if answer.reason else "")
    )


def _wanted(lines: tuple[str, ...], owed: Mapping[int, int]) -> dict[int, int]:
    """Read `2` (all that has not left of line 2) and `1:2` (two pieces of line 1). Raises InvalidInput."""
    wanted: dict[int, int] = {}
    for text in lines:
        found = _LINE.fullmatch(text)
        if found is None:
            raise InvalidInput(f"{text!r} is no line: say 2, or 2:1 for one piece of it")
        number = int(found[1])
        wanted[number] = wanted.get(number, 0) + (int(found[2]) if found[2] else max(owed.get(number, 0), 1))
    return wanted


def _said(order: "Order", owed: Mapping[int, int], wanted: Mapping[int, int]) -> str:
    if owed == wanted:
        return f"all that has not left of order {order.order_id}, and the order with it"
    cut = cut_of(order, wanted)
    back = Money(to_give_back(without(order, cut), cut), order.currency)
    less = Money(cut.amount_minor, order.currency)
    return f"{pieces_told(order, cut)} of order {order.order_id}: {less} less, {back} of it given back"
