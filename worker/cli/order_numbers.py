"""`orders order fill-numbers`: the shop is asked for the numbers of orders that were taken before numbers were kept."""

import click

from worker.cli.options import actor_option, dry_run_option, examples, reason_option
from worker.cli.output import when
from worker.cli.progress import Meter, progress_option, wanted
from worker.cli.settings import load
from worker.connections import reading, shop_of


@click.command(
    "fill-numbers",
    epilog=examples(
        'orders order fill-numbers --reason "files of Shopify Payments" --dry-run',
        'orders order fill-numbers --reason "files of Shopify Payments"',
    ),
)
@reason_option(why="Why; it stands in the audit trail.")
@actor_option
@dry_run_option
@progress_option
def fill_numbers(reason: str, actor: str, *, dry_run: bool, progress: bool | None) -> None:
    """Ask the shop for the numbers (1001 of #1001) of orders that have none: files that name orders by number find them.

    Only what is missing is filled in, and nothing else of an order changes. A daily run does the same for the orders
    that it reads anyhow; this is for those before. Shopify tells of orders older than 60 days only to a token with
    read_all_orders.
    """
    from worker.contract.reconciliation import Progress
    from worker.gateways.clock import SystemClock
    from worker.services.order_numbers import OrderNumbers

    config = load()
    shop = config.shop.name
    gateway = shop_of(config)
    try:
        with reading(config) as database, Meter(shown=wanted(progress), unit="orders") as meter:
            found = OrderNumbers(database, gateway, SystemClock()).ask(
                shop,
                actor=actor,
                reason=reason,
                dry_run=dry_run,
                progress=lambda told: meter.tell(Progress(step="asking the shop", rows=told)),
            )
    finally:
        gateway.close()
    if not found.lacking.orders:
        click.echo(f"every order of {shop} has its number")
        return
    since, until = when(found.lacking.first_at), when(found.lacking.last_at)
    click.echo(f"{found.lacking.orders} orders of {shop} without a number, placed {since} to {until} UTC")
    click.echo(f"  {found.told} {'would get' if dry_run else 'got'} the number that the shop told")
    if found.left:
        click.echo(f"  {found.left} stay without: the shop told none of them (not its own, or too old for its token)")
