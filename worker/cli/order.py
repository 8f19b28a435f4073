"""`orders order`: what our books say of orders and their timelines; what people do to them is order_deeds'."""

import dataclasses
from datetime import datetime
from typing import TYPE_CHECKING

import click

from worker.cli.dialogue import workflow_link
from worker.cli.options import Noun, examples, moment
from worker.cli.order_deeds import DEEDS, shop_option
from worker.cli.output import as_json, print_commands, print_json, print_table, remark, when
from worker.cli.settings import load
from worker.connections import reading
from worker.contract.ids import order_workflow_id
from worker.domain.errors import NotFound
from worker.domain.line_cancelling import may_lose_lines
from worker.domain.money import Money
from worker.domain.order import METHOD_WELCOME, TERMINAL, Order, OrderState

if TYPE_CHECKING:
    from worker.domain.timeline import TimelineEntry
    from worker.services.ports.orders import KnownAddress

ALL_THE_REST = "all that was owed"


@click.group(cls=Noun)
def command() -> None:
    """Orders."""


for one in DEEDS:
    command.add_command(one)


@command.command(
    "list",
    epilog=examples(
        "orders order list --needs-attention",
        "orders order list --state awaiting_payment --since 2026-11-28T09:00Z",
        "orders order list --limit 1000 --json",
    ),
)
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
        least=("refunded", "financial", "captured", "updated (UTC)", "reason"),
    )


STUCK_AT_MOST = 1000
"""Steps among which those of one order are looked for: there are few, or much more is wrong than one order."""


@command.command(epilog=examples("orders order show 1001", "orders order show 1001 --json"))
@click.argument("order_id")
@shop_option
@as_json
def show(order_id: str, shop: str | None, *, as_json: bool) -> None:
    """Show one order: where it stands and how it came there, its money, its parcels, its breaks, what can be done."""
    from worker.cli.breaks_screen import SEVERAL, several_breaks
    from worker.domain.dispute import lost_of
    from worker.domain.parcels import contents_told, fulfilment, shipped_goods

    config = load()
    shop = shop or config.shop.name
    with reading(config) as database:
        order = database.transact(lambda tx: tx.orders.get(shop, order_id))
        if order is None:
            raise NotFound(f"order {shop}/{order_id} is not in our books; `orders order list` shows what is")
        trail = database.transact(lambda tx: tx.orders.trail(shop, order_id))
        entries = database.transact(lambda tx: tx.payments.entries_of_order(shop, order_id))
        payments = database.transact(lambda tx: tx.payments.of_order(shop, order_id))
        disputes = database.transact(lambda tx: tx.disputes.of_order(shop, order_id))
        parcels = database.transact(lambda tx: tx.shipments.of_order(shop, order_id))
        stock = database.transact(lambda tx: tx.stock.of_order(shop, order_id))
        address = database.transact(lambda tx: tx.shipping_addresses.of_order(shop, order_id))
        breaks = database.transact(lambda tx: tx.breaks.listed(shop, status="open", limit=SEVERAL, order_id=order_id))
        stuck = [
            step
            for step in database.transact(lambda tx: tx.stuck.listed(STUCK_AT_MOST))
            if step.workflow_id == order_workflow_id(shop, order_id)
        ]
    link = workflow_link(config, order_workflow_id(shop, order_id))
    if as_json:
        document = {"order": order, "trail": trail, "entries": entries, "payments": payments, "parcels": parcels}
        document |= {"disputes": disputes, "stock": stock, "breaks": breaks, "stuck": stuck, "workflow_url": link}
        print_json(document | {"fulfilment": fulfilment(order, parcels), "ship_to": _whereto(address)})
        return
    click.echo(f"order {order.order_id}: {order.state}{f' ({order.state_reason})' if order.state_reason else ''}")
    click.echo(
        f"total {Money(order.total_minor, order.currency)}, captured {Money(order.captured_minor, order.currency)}, "
        f"refunded {Money(order.refunded_minor, order.currency)}: {order.financial_status}"
    )
    goods = shipped_goods(order.lines, parcels)
    beyond = f"; beyond the order: {contents_told(goods.surplus, order.lines)}" if goods.surplus else ""
    click.echo(f"{goods.pieces_left} of {goods.pieces} pieces sent: {fulfilment(order, parcels)}{beyond}")
    click.echo(f"workflow order/{shop}/{order.order_id}{f'  {link}' if link else ''}")
    if address is not None:
        click.echo(f"ships to {_whereto(address)['country'] or 'an address that was erased'}")
    if stuck:
        print_table(
            "steps that keep failing, and are tried on",
            ["step", "attempts", "since (UTC)", "code", "message"],
            [(step.activity, str(step.attempts), when(step.since), step.code, step.message) for step in stuck],
        )
    print_table(
        f"states (all that happened: orders order timeline {order.order_id})",
        ["at (UTC)", "from", "to", "by", "why"],
        [(when(step.at), step.from_state or "-", step.to_state, step.actor, step.reason) for step in trail],
        least=("from",),
    )
    print_table(
        "money in our books",
        ["at (UTC)", "kind", "amount", "reference"],
        [(when(e.occurred_at), e.kind, str(Money(e.amount_minor, e.currency)), e.reference) for e in entries],
    )
    if disputes:
        print_table(
            f"disputes ({Money(lost_of(disputes), order.currency)} lost)",
            ["opened (UTC)", "dispute", "state", "amount", "why"],
            [
                (when(d.opened_at), d.reference, d.state, str(Money(d.amount_minor, d.currency)), d.reason)
                for d in disputes
            ],
        )
    print_table(
        "payments at the provider, as last heard",
        ["payment", "state", "captured", "refunded"],
        [
            (p.reference, p.state, str(Money(p.captured_minor, p.currency)), str(Money(p.refunded_minor, p.currency)))
            for p in payments
        ],
    )
    print_table(
        "parcels",
        ["parcel", "state", "holds", "requested (UTC)", "shipped (UTC)", "delivered (UTC)"],
        [
            (
                p.shipment_id,
                p.state,
                contents_told(p.contents, order.lines) or (ALL_THE_REST if p.shipped_at else "-"),
                when(p.requested_at),
                when(p.shipped_at),
                when(p.delivered_at),
            )
            for p in parcels
        ],
    )
    if stock:
        print_table(
            "stock",
            ["SKU", "promised", "reserved", "shipped"],
            [(held.sku, str(held.promised), str(held.reserved), str(held.shipped)) for held in stock],
        )
    if breaks:
        several_breaks("open breaks", breaks)
    click.echo("what may be done")
    print_commands(_next(order, [one.break_id for one in breaks]))


def _whereto(address: "KnownAddress | None") -> dict[str, str]:
    """Return what is shown of an address: not who, and no more of where than its country."""
    return {"country": address.ship_to.country if address and address.ship_to else ""}


def _next(order: Order, breaks: list[str]) -> list[tuple[str, str]]:
    """Return the commands that may be wanted next."""
    name = order.order_id
    shown = [(f"orders breaks show {one}", "both records, side by side") for one in breaks]
    if order.state not in TERMINAL:
        shown.append((f"orders order cancel {name} --reason WHY", "what was paid goes back"))
        shown.append((f"orders order retry {name} --reason WHY", "a step that keeps failing: now, not later"))
    if order.state in METHOD_WELCOME and order.payment_method:
        shown.append((f"orders order retry-payment {name} --method TOKEN --reason WHY", "pay with another method"))
    if order.state in METHOD_WELCOME:
        shown.append((f"orders order change-address {name} FILE --reason WHY", "before its parcel is asked for"))
    if may_lose_lines(order):
        shown.append((f"orders order cancel-lines {name} LINE[:PIECES] --reason WHY", "of what has not left"))
    if order.state is OrderState.NEEDS_ATTENTION:
        shown.append((f"orders order resolve {name} --reason WHY", "a person has settled it"))
    if order.kept_minor > 0:
        shown.append((f"orders order refund {name} --reason WHY", "all that is left, or --amount"))
    return [*shown, (f"orders order timeline {name}", "all that happened")]


@command.command(epilog=examples("orders order timeline 1001", "orders order timeline 1001 --json"))
@click.argument("order_id")
@shop_option
@as_json
def timeline(order_id: str, shop: str | None, *, as_json: bool) -> None:
    """Show everything that happened to an order: who, what, when (UTC) and how much, in the order it was learned."""
    from worker.domain.timeline import kind_of
    from worker.gateways.clock import SystemClock
    from worker.services.journal import Journal

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
        least=("kind", "who"),
    )
    if any(entry.derived for entry in entries):
        remark(
            "* written by a release that kept no timeline: made from the order's states, money and parcels;"
            " requests, events, repairs and stopped parcels of that time are not known"
        )


def _said(entry: "TimelineEntry", reason: str) -> str:
    more = entry.note or reason
    return f"{entry.sentence}: {more}" if more else entry.sentence


def _amount(entry: "TimelineEntry") -> str:
    return str(Money(entry.amount_minor, entry.currency)) if entry.amount_minor is not None else ""
