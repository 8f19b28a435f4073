"""`orders order`: what our books say of orders and their timelines, notes, and the cancellation of one."""

import asyncio
import dataclasses
import getpass
import uuid
from datetime import datetime

import click

from worker.cli.options import actor_option, moment
from worker.cli.output import as_json, print_json, print_table, when
from worker.config import load
from worker.connections import reading
from worker.contract.orders import CancelOrder
from worker.domain.errors import NotFound
from worker.domain.money import Money
from worker.domain.order import OrderState
from worker.domain.timeline import TimelineEntry, kind_of
from worker.gateways.clock import SystemClock
from worker.services.journal import Journal
from worker.temporal.client import connect
from worker.temporal.codec import converter_of
from worker.temporal.operations import cancel_order


@click.group()
def command() -> None:
    """Orders."""


shop_option = click.option("--shop", help="Of this shop; default: the shop of the settings.")


@command.command("list")
@click.option("--state", type=click.Choice([str(state) for state in OrderState]), help="Only orders in this state.")
@click.option("--needs-attention", is_flag=True, help="Only orders that wait for a person.")
@click.option("--since", callback=moment, help="Only orders placed from then on, like 2026-11-23T09:00:00Z.")
@shop_option
@click.option("--limit", default=50, show_default=True)
@as_json
def list_orders(
    state: str | None, since: datetime | None, shop: str | None, limit: int, *, needs_attention: bool, as_json: bool
) -> None:
    """List the newest orders."""
    if needs_attention and state not in {None, OrderState.NEEDS_ATTENTION}:
        raise click.UsageError("--needs-attention is a state: give it or --state")
    wanted = str(OrderState.NEEDS_ATTENTION) if needs_attention else state
    config = load()
    shop = shop or config.shop.name
    with reading(config) as database:
        orders = database.transact(lambda tx: tx.orders.recent(shop, state=wanted, limit=limit, since=since))
    if as_json:
        print_json(orders)
        return
    print_table(
        f"orders of {shop}",
        ["order", "state", "total", "captured", "refunded", "financial", "updated (UTC)", "reason"],
        [
            (
                order.order_id,
                order.state,
                str(Money(order.total_minor, order.currency)),
                str(Money(order.captured_minor, order.currency)),
                str(Money(order.refunded_minor, order.currency)),
                order.financial_status,
                when(order.updated_at),
                order.state_reason,
            )
            for order in orders
        ],
    )


@command.command()
@click.argument("order_id")
@shop_option
@as_json
def show(order_id: str, shop: str | None, *, as_json: bool) -> None:
    """Show one order: where it stands and how it came there, its money, its parcels."""
    config = load()
    shop = shop or config.shop.name
    with reading(config) as database:
        order = database.transact(lambda tx: tx.orders.get(shop, order_id))
        if order is None:
            raise NotFound(f"order {shop}/{order_id} is not in our books; `orders order list` shows what is")
        trail = database.transact(lambda tx: tx.orders.trail(shop, order_id))
        entries = database.transact(lambda tx: tx.payments.entries_of_order(shop, order_id))
        parcels = database.transact(lambda tx: tx.shipments.of_order(shop, order_id))
    if as_json:
        print_json({"order": order, "trail": trail, "entries": entries, "parcels": parcels})
        return
    click.echo(
        f"order {order.order_id}: {order.state}, {order.financial_status}, {Money(order.total_minor, order.currency)}"
    )
    click.echo(f"workflow order/{shop}/{order.order_id}")
    print_table(
        f"states (all that happened: orders order timeline {order.order_id})",
        ["at (UTC)", "from", "to", "by", "why"],
        [(when(step.at), step.from_state or "-", step.to_state, step.actor, step.reason) for step in trail],
    )
    print_table(
        "money",
        ["at (UTC)", "kind", "amount", "reference"],
        [(when(e.occurred_at), e.kind, str(Money(e.amount_minor, e.currency)), e.reference) for e in entries],
    )
    print_table(
        "parcels",
        ["parcel", "state", "requested (UTC)", "shipped (UTC)"],
        [(p.shipment_id, p.state, when(p.requested_at), when(p.shipped_at)) for p in parcels],
    )


@command.command()
@click.argument("order_id")
@shop_option
@as_json
def timeline(order_id: str, shop: str | None, *, as_json: bool) -> None:
    """Show everything that happened to an order: who, what, when (UTC) and how much, in the order it was learned."""
    config = load()
    shop = shop or config.shop.name
    with reading(config) as database:
        entries = Journal(database, SystemClock()).timeline(shop, order_id)
        trail = database.transact(lambda tx: tx.orders.trail(shop, order_id))
    # Why a state changed may be said in somebody's own words: it stands in the trail, and no entry repeats it.
    reasons = {kind_of(OrderState(step.to_state)): step.reason for step in trail}
    if as_json:
        print_json([{**dataclasses.asdict(entry), "reason": reasons.get(entry.kind, "")} for entry in entries])
        return
    print_table(
        f"timeline of order {shop}/{order_id}",
        ["when (UTC)", "who", "what", "amount", "kind"],
        [
            (
                when(entry.at) + ("*" if entry.derived else ""),
                entry.actor,
                _said(entry, reasons.get(entry.kind, "")),
                _amount(entry),
                entry.kind,
            )
            for entry in entries
        ],
    )
    if any(entry.derived for entry in entries):
        click.echo(
            "* written by a release that kept no timeline: made from the order's states, money and parcels;"
            " requests, events, repairs and stopped parcels of that time are not known",
            err=True,
        )


@command.command()
@click.argument("order_id")
@click.argument("text")
@shop_option
@actor_option
def note(order_id: str, text: str, shop: str | None, actor: str) -> None:
    """Write a note into an order's timeline, also after the order is over.

    It stays for good: no place for customers' data.
    """
    config = load()
    shop = shop or config.shop.name
    with reading(config) as database:
        written = Journal(database, SystemClock()).note(shop, order_id, text, actor=actor)
    click.echo(f"order {order_id}: note by {written.actor} at {when(written.at)} UTC")


@command.command()
@click.argument("order_id")
@click.option("--reason", required=True, help="Why; it stands in the order's trail.")
def cancel(order_id: str, reason: str) -> None:
    """Cancel an order: before capture the payment is voided, afterwards it is refunded."""
    config = load()
    request = CancelOrder(request_id=f"cli-{uuid.uuid4().hex}", requested_by=getpass.getuser(), reason=reason)

    async def go() -> str:
        client = await connect(config.temporal, converter_of(config.encryption))
        answer = await cancel_order(client, config.shop.name, order_id, request)
        return f"{answer.outcome}: order {order_id} is {answer.state}"

    click.echo(asyncio.run(go()))


def _said(entry: TimelineEntry, reason: str) -> str:
    more = entry.note or reason
    return f"{entry.sentence}: {more}" if more else entry.sentence


def _amount(entry: TimelineEntry) -> str:
    return str(Money(entry.amount_minor, entry.currency)) if entry.amount_minor is not None else ""
