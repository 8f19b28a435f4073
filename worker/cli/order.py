"""`orders order`: what our books say of orders, and the cancellation of one."""

import asyncio
import getpass
import uuid

import click

from worker.cli.output import as_json, print_json, print_table, when
from worker.config import load
from worker.connections import reading
from worker.contract.orders import CancelOrder
from worker.domain.errors import NotFound
from worker.domain.money import Money
from worker.temporal.client import connect
from worker.temporal.codec import converter_of
from worker.temporal.operations import cancel_order


@click.group()
def command() -> None:
    """Orders."""


@command.command("list")
@click.option("--state", help="Only orders in this state.")
@click.option("--limit", default=50, show_default=True)
@as_json
def list_orders(state: str | None, limit: int, *, as_json: bool) -> None:
    """List the newest orders."""
    config = load()
    with reading(config) as database:
        orders = database.transact(lambda tx: tx.orders.recent(config.shop.name, state=state, limit=limit))
    if as_json:
        print_json(orders)
        return
    print_table(
        f"orders of {config.shop.name}",
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
@as_json
def show(order_id: str, *, as_json: bool) -> None:
    """Show one order: state, money, parcels and everything that happened to it."""
    config = load()
    shop = config.shop.name
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
        "what happened",
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
