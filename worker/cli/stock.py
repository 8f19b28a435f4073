"""`orders stock`: what is on the shelf, what of it is promised, and every movement that made it so."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from worker.cli.options import Noun, actor_option, dry_run_option, examples, reason_option
from worker.cli.output import as_json, print_json, print_table, remark, when
from worker.cli.settings import load
from worker.connections import reading

if TYPE_CHECKING:
    from worker.domain.stock import Level, Movement
    from worker.services.ports import Database
    from worker.services.stock import Booked, StockService


@click.group(cls=Noun)
def command() -> None:
    """Stock of shops that keep it: [stock] of the settings."""


shop_option = click.option("--shop", help="Of this shop; default: the shop of the settings.")
why_option = reason_option(why="Why; it stands in the movement for good.")


@command.command("list", epilog=examples("orders stock list --at-most 5", "orders stock list --json"))
@shop_option
@click.option("--at-most", type=int, help="Only SKUs of which at most so many are available.")
@click.option("--limit", default=1000, show_default=True)
@as_json
def list_levels(shop: str | None, at_most: int | None, limit: int, *, as_json: bool) -> None:
    """List levels: what is available, promised to orders, on hand (both), and shipped so far."""
    config = load()
    shop = shop or config.shop.name
    with reading(config) as database:
        levels = database.transact(lambda tx: tx.stock.levels(shop, at_most=at_most, limit=limit))
    if as_json:
        print_json(levels)
        return
    print_table(f"stock of {shop}", _COLUMNS, [_row(level) for level in levels])
    if shop not in config.stock:
        remark(f"the settings keep no stock for {shop}: nothing is reserved, nothing refused")


@command.command(epilog=examples("orders stock show MUG-BLUE", "orders stock show MUG-BLUE --json"))
@click.argument("sku")
@shop_option
@click.option("--limit", default=50, show_default=True, help="Of movements and of orders.")
@as_json
def show(sku: str, shop: str | None, limit: int, *, as_json: bool) -> None:
    """Show one SKU: its level, the orders it is reserved for, its newest movements."""
    config = load()
    shop = shop or config.shop.name
    with reading(config) as database:
        level = _service(database).level(shop, sku)
        holders = database.transact(lambda tx: tx.stock.holders(shop, sku, limit))
        movements = database.transact(lambda tx: tx.stock.movements(shop, sku, limit))
    if as_json:
        print_json({"level": level, "reserved_for": holders, "movements": movements})
        return
    print_table(f"stock of {shop}", _COLUMNS, [_row(level)])
    print_table("reserved for", ["order", "pieces"], [(order, str(pieces)) for order, pieces in holders.items()])
    print_table(
        "movements, newest first",
        ["at (UTC)", "what", "available", "reserved", "shipped", "order", "by", "why"],
        [_movement(each) for each in movements],
        least=("by", "shipped", "order"),
    )


@command.command(
    "set",
    epilog=examples(
        'orders stock set MUG-BLUE 120 --reason "stock-take of 2026-11-28" --dry-run',
        'orders stock set MUG-BLUE 120 --reason "stock-take of 2026-11-28"',
    ),
)
@click.argument("sku")
@click.argument("quantity", type=click.IntRange(min=0))
@shop_option
@why_option
@actor_option
@dry_run_option
@as_json
def set_level(
    sku: str, quantity: int, shop: str | None, reason: str, actor: str, *, dry_run: bool, as_json: bool
) -> None:
    """Say how many pieces of an SKU lie on the shelf, those that are reserved included: a stock-take.

    Refused when fewer are there than are reserved.
    """
    config = load()
    with reading(config) as database:
        booked = _service(database).count(
            shop or config.shop.name, sku, quantity, actor=actor, reason=reason, dry_run=dry_run
        )
    _tell(booked, dry_run=dry_run, as_json=as_json)


@command.command(
    epilog=examples(
        'orders stock adjust MUG-BLUE --by 24 --reference DN-4711 --reason "delivery"',
        'orders stock adjust MUG-BLUE --by=-1 --reason "broken"',
    )
)
@click.argument("sku")
@click.option("--by", "by", type=int, required=True, help="Pieces that came in, or with a minus went out: --by=-3.")
@click.option("--reference", default="", help="Its number, like a delivery note's: the SKU is booked once under it.")
@shop_option
@why_option
@actor_option
@dry_run_option
@as_json
def adjust(
    sku: str, by: int, reference: str, shop: str | None, reason: str, actor: str, *, dry_run: bool, as_json: bool
) -> None:
    """Add pieces of an SKU (a delivery, a return), or take some off (breakage). Never below what is available."""
    config = load()
    with reading(config) as database:
        booked = _service(database).adjust(
            shop or config.shop.name, sku, by, actor=actor, reason=reason, reference=reference, dry_run=dry_run
        )
    _tell(booked, dry_run=dry_run, as_json=as_json)


@command.command(epilog=examples("orders stock check", "orders stock check --json"))
@shop_option
@as_json
def check(shop: str | None, *, as_json: bool) -> None:
    """Prove that every level is the sum of its movements and nothing is reserved for orders that are over.

    Exits 1 when something is wrong. A reservation that outlived its order is ended by `orders stock settle`.
    """
    config = load()
    shop = shop or config.shop.name
    with reading(config) as database:
        wrong = database.transact(lambda tx: tx.stock.contradictions(shop))
    if as_json:
        print_json(wrong)
    elif wrong:
        print_table(f"stock of {shop}: wrong", ["SKU", "order", "what"], [(w.sku, w.order_id, w.what) for w in wrong])
    else:
        click.echo(f"stock of {shop}: every level is the sum of its movements")
    if wrong:
        raise click.exceptions.Exit(1)


@command.command(epilog=examples('orders stock settle 1001 --reason "it ended before stock was kept" --dry-run'))
@click.argument("order_id")
@shop_option
@reason_option()
@actor_option
@dry_run_option
def settle(order_id: str, shop: str | None, reason: str, actor: str, *, dry_run: bool) -> None:
    """End the reservation of an order that is over: it ended while the settings kept no stock."""
    config = load()
    with reading(config) as database:
        done = _service(database).settle(
            shop or config.shop.name, order_id, actor=actor, reason=reason, dry_run=dry_run
        )
    click.echo(f"order {order_id}: what was reserved {'would be' if dry_run else 'is'} {done}")


def _service(database: Database) -> StockService:
    from worker.gateways.clock import SystemClock
    from worker.services.stock import StockService

    return StockService(database, SystemClock())


_COLUMNS = ["SKU", "available", "reserved", "on hand", "shipped"]


def _row(level: Level) -> tuple[str, ...]:
    return (level.sku, str(level.available), str(level.reserved), str(level.on_hand), str(level.shipped))


def _movement(each: Movement) -> tuple[str, ...]:
    changes = (each.available_change, each.reserved_change, each.shipped_change)
    return (
        when(each.at),
        each.kind,
        *(f"{change:+}" if change else "" for change in changes),
        each.order_id,
        each.actor,
        each.reason,
    )


def _tell(booked: Booked, *, dry_run: bool, as_json: bool) -> None:
    if as_json:
        print_json({"before": booked.before, "after": booked.after, "dry_run": dry_run})
        return
    before, after = booked.before, booked.after
    click.echo(
        f"{'would be: ' if dry_run else ''}SKU {after.sku}: {before.on_hand} -> {after.on_hand} on hand,"
        f" {before.available} -> {after.available} available"
    )
