"""`orders order note|cancel|refund|retry|retry-payment|resolve`: what people do to an order, each with an actor and a reason.

`change-address` is order_address's, `cancel-lines` order_lines's, `fill-numbers` order_numbers'.
"""

import uuid
from typing import TYPE_CHECKING

import click

from worker.cli.dialogue import ask, record
from worker.cli.options import actor_option, consent, dry_run_option, examples, reason_option, yes_option
from worker.cli.order_address import change_address
from worker.cli.order_lines import cancel_lines
from worker.cli.order_numbers import fill_numbers
from worker.cli.output import when
from worker.cli.settings import load
from worker.connections import reading
from worker.contract.ids import order_workflow_id
from worker.domain.errors import Conflict, InvalidInput, NotFound
from worker.domain.money import Money, parse_major
from worker.domain.order import METHOD_WELCOME, TERMINAL, Order, OrderState

if TYPE_CHECKING:
    from worker.config import WorkerConfig


shop_option = click.option("--shop", help="Of this shop; default: the shop of the settings.")


@click.command(epilog=examples('orders order note 1001 "the customer called: deliver after 18:00"'))
@click.argument("order_id")
@click.argument("text")
@shop_option
@actor_option
@dry_run_option
def note(order_id: str, text: str, shop: str | None, actor: str, *, dry_run: bool) -> None:
    """Write a note into an order's timeline, also after the order is over.

    It stays for good: no place for customers' data.
    """
    from worker.gateways.clock import SystemClock
    from worker.services.journal import Journal

    config = load()
    shop = shop or config.shop.name
    if dry_run:
        _order(config, shop, order_id)
        click.echo(f"order {order_id}: would get a note by {actor}")
        return
    with reading(config) as database:
        written = Journal(database, SystemClock()).note(shop, order_id, text, actor=actor)
    click.echo(f"order {order_id}: note by {written.actor} at {when(written.at)} UTC")


@click.command(
    epilog=examples(
        'orders order cancel 1001 --reason "ordered twice" --dry-run',
        'orders order cancel 1001 --reason "ordered twice" --yes',
    )
)
@click.argument("order_id")
@shop_option
@reason_option(why="Why; it stands in the order's trail.")
@actor_option
@dry_run_option
@yes_option
def cancel(order_id: str, shop: str | None, reason: str, actor: str, *, dry_run: bool, yes: bool) -> None:
    """Cancel an order: before capture the payment is voided, afterwards it is refunded. Cannot be undone."""
    from worker.contract.orders import CancelOrder
    from worker.temporal.operations import cancel_order

    config = load()
    shop = shop or config.shop.name
    consent(f"Cancel order {order_id}? This cannot be undone.", yes=yes, dry_run=dry_run)
    order = _order(config, shop, order_id)
    if order.state in TERMINAL:
        raise Conflict(f"order {order_id} is {order.state}: too late to cancel")
    if dry_run:
        held = Money(order.kept_minor, order.currency)
        click.echo(f"order {order_id} is {order.state}: would be cancelled, {held} given back")
        return
    request = CancelOrder(request_id=f"cli-{uuid.uuid4().hex}", requested_by=actor, reason=reason)
    answer = ask(config, lambda client: cancel_order(client, shop, order_id, request))
    click.echo(f"{answer.outcome}: order {order_id} is {answer.state}")


@click.command(
    epilog=examples(
        'orders order refund 1001 --amount 12.50 --reason "one mug was broken" --dry-run',
        'orders order refund 1001 --reason "came back" --yes # all that is left',
    )
)
@click.argument("order_id")
@click.option("--amount", help="In the order's currency, like 12.50. Default: all that is left.")
@click.option("--request-id", help="An id of your own: the same refund under it again is made once.")
@shop_option
@reason_option()
@actor_option
@dry_run_option
@yes_option
def refund(
    order_id: str,
    amount: str | None,
    request_id: str | None,
    shop: str | None,
    reason: str,
    actor: str,
    *,
    dry_run: bool,
    yes: bool,
) -> None:
    """Give money back for an order, also after it is over. Cannot be undone.

    When all of it goes back before the parcel left, the order is stopped. The parcel is not asked back.
    """
    from worker.contract.orders import RefundOrder
    from worker.temporal.operations import refund_order

    config = load()
    shop = shop or config.shop.name
    order = _order(config, shop, order_id)
    left = Money(order.kept_minor, order.currency)
    wanted = left if amount is None else Money(parse_major(amount, order.currency), order.currency)
    if not 0 < wanted.minor <= left.minor:
        raise InvalidInput(f"{wanted} cannot be given back: of order {order_id} our books hold {left}")
    consent(f"Give back {wanted} of {left} for order {order_id}? This cannot be undone.", yes=yes, dry_run=dry_run)
    if dry_run:
        click.echo(f"order {order_id}: {wanted} of {left} would be given back")
        return
    request = RefundOrder(
        request_id=request_id or f"cli-{uuid.uuid4().hex}",
        requested_by=actor,
        amount_minor=None if amount is None else wanted.minor,
        reason=reason,
    )
    record(
        config,
        "refund_requested",
        f"order/{order_id}",
        actor=actor,
        reason=reason,
        request_id=request.request_id,
        amount=str(wanted),
    )
    answer = ask(config, lambda client: refund_order(client, shop, order_id, request))
    given, all_given = Money(answer.amount_minor, answer.currency), Money(answer.refunded_minor, answer.currency)
    click.echo(f"{answer.outcome}: {given} given back, {all_given} in all; order {order_id} is {answer.state}")


@click.command(
    epilog=examples(
        'orders order retry 1001 --reason "the warehouse is back" --dry-run',
        'orders order retry 1001 --reason "the warehouse is back"',
    )
)
@click.argument("order_id")
@shop_option
@reason_option(why="What was mended meanwhile.")
@actor_option
@dry_run_option
def retry(order_id: str, shop: str | None, reason: str, actor: str, *, dry_run: bool) -> None:
    """Try the steps of an order that keep failing now, not at their next time. No step is done twice by it."""
    from worker.temporal.operations import retry_steps

    config = load()
    shop = shop or config.shop.name
    workflow_id = order_workflow_id(shop, order_id)
    if not dry_run:
        record(config, "retried", f"order/{order_id}", actor=actor, reason=reason)
    steps = ask(config, lambda client: retry_steps(client, workflow_id, dry_run=dry_run))
    for step in steps:
        click.echo(f"{step}; {'would be' if dry_run else 'is'} tried again now")
    if not steps:
        click.echo(
            f"no step of order {order_id} is failing now; `orders order show {order_id}` tells what it waits for"
        )


@click.command(
    "retry-payment",
    epilog=examples('orders order retry-payment 1001 --method pm_1Nxyz --reason "the customer named another card"'),
)
@click.argument("order_id")
@click.option("--method", required=True, help="Token of the payment provider, like pm_...; never a card number.")
@click.option("--request-id", help="An id of your own: the same method under it again is tried once.")
@shop_option
@reason_option()
@actor_option
@dry_run_option
def retry_payment(
    order_id: str, method: str, request_id: str | None, shop: str | None, reason: str, actor: str, *, dry_run: bool
) -> None:
    """Pay an order with another method while it waits for its money. Exits 1 when the method is refused, too.

    After a refusal, or when what was held for it is gone, an order waits for orders.payment_retry_window_seconds. What is
    still owed is charged.
    """
    from worker.contract.orders import RetryPayment
    from worker.temporal.operations import retry_payment as ask_to_retry

    config = load()
    shop = shop or config.shop.name
    if dry_run:
        order = _order(config, shop, order_id)
        if order.state not in METHOD_WELCOME:
            raise Conflict(f"order {order_id} is {order.state}: it waits for no payment method")
        click.echo(f"order {order_id} is {order.state}: {Money(order.owed_minor, order.currency)} would be tried")
        return
    request = RetryPayment(
        request_id=request_id or f"cli-{uuid.uuid4().hex}", requested_by=actor, payment_method=method
    )
    subject = f"order/{order_id}"
    record(config, "payment_retried", subject, actor=actor, reason=reason, request_id=request.request_id)
    answer = ask(config, lambda client: ask_to_retry(client, shop, order_id, request))
    why = f" ({answer.reason})" if answer.reason else ""
    click.echo(f"{answer.outcome}{why}: order {order_id} is {answer.state}")
    if answer.reason:
        raise click.exceptions.Exit(1)


@click.command(
    epilog=examples(
        'orders order resolve 1001 --reason "given back at the provider" --dry-run',
        'orders order resolve 1001 --reason "paid in cash" --settled-elsewhere --yes',
    )
)
@click.argument("order_id")
@click.option("--settled-elsewhere", is_flag=True, help="Goods and money match outside of the books, as --reason says.")
@shop_option
@reason_option(why="What was done; it stands in the order's trail for good.")
@actor_option
@dry_run_option
@yes_option
def resolve(
    order_id: str, shop: str | None, reason: str, actor: str, *, settled_elsewhere: bool, dry_run: bool, yes: bool
) -> None:
    """End an order in needs_attention that a person has settled: the provider is asked, then its state says how.

    Completed when its goods left and are paid for, refunded or cancelled when neither left nor money is held; anything
    else is refused with what is missing. Cannot be undone.
    """
    from worker.contract.orders import ResolveOrder
    from worker.temporal.operations import resolve_order

    config = load()
    shop = shop or config.shop.name
    consent(f"End order {order_id}? This cannot be undone.", yes=yes, dry_run=dry_run)
    if dry_run:
        order = _order(config, shop, order_id)
        if order.state is not OrderState.NEEDS_ATTENTION:
            raise Conflict(f"order {order_id} is {order.state}: it does not wait for a person")
        held = Money(order.kept_minor, order.currency)
        click.echo(f"order {order_id}: the provider would be asked; our books hold {held} ({order.state_reason})")
        return
    request = ResolveOrder(
        shop=shop, order_id=order_id, requested_by=actor, reason=reason, settled_elsewhere=settled_elsewhere
    )
    answer = ask(config, lambda client: resolve_order(client, request))
    click.echo(f"{answer.outcome}: order {order_id} is {answer.state}")


DEEDS = (note, cancel, cancel_lines, refund, retry, retry_payment, change_address, fill_numbers, resolve)


def _order(config: "WorkerConfig", shop: str, order_id: str) -> Order:
    with reading(config) as database:
        found = database.transact(lambda tx: tx.orders.get(shop, order_id))
    if found is None:
        raise NotFound(f"order {shop}/{order_id} is not in our books; `orders order list` shows what is")
    return found
