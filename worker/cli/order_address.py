"""`orders order change-address`: the address comes from a file or a pipe, never from the command line, which others see."""

import json
import uuid
from typing import IO, Any

import click

from worker.cli.dialogue import ask
from worker.cli.options import actor_option, consent, dry_run_option, examples, reason_option, yes_option
from worker.cli.settings import load
from worker.connections import reading
from worker.contract.shipping import ShipTo, problems_of
from worker.domain.errors import InvalidInput, NotFound
from worker.domain.readdressing import check

_NEEDED = {"recipient", "lines", "city", "country"}
_KNOWN = _NEEDED | {"postal_code", "region"}


@click.command(
    "change-address",
    epilog=examples(
        'orders order change-address 1001 address.json --reason "the customer moved" --dry-run',
        'orders order change-address 1001 - --reason "a typing error" --yes < address.json',
    ),
)
@click.argument("order_id")
@click.argument("address", type=click.File("rb"))
@click.option("--request-id", help="An id of your own: the same address under it again changes nothing.")
@click.option("--shop", help="Of this shop; default: the shop of the settings.")
@reason_option(why="Why, without saying who or where: it stands in the audit trail for good.")
@actor_option
@dry_run_option
@yes_option
def change_address(
    order_id: str,
    address: IO[bytes],
    request_id: str | None,
    shop: str | None,
    reason: str,
    actor: str,
    *,
    dry_run: bool,
    yes: bool,
) -> None:
    """Send an order's parcel elsewhere. Refused once the warehouse was asked for it.

    ADDRESS is a file of JSON with recipient, lines, postal_code, city, region and country, as `ship_to` of the API;
    - reads it from standard input.
    """
    from worker.contract.orders import ReaddressOrder
    from worker.services.readdressing import under_way
    from worker.temporal.operations import readdress_order

    config = load()
    shop = shop or config.shop.name
    ship_to = ship_to_of(address.read())
    with reading(config) as database:
        order = database.transact(lambda tx: tx.orders.get(shop, order_id))
        if order is None:
            raise NotFound(f"order {shop}/{order_id} is not in our books; `orders order list` shows what is")
        check(order.state, asked_for=database.transact(lambda tx: under_way(tx, shop, order_id)))
    consent(f"Send the parcel of order {order_id} elsewhere?", yes=yes, dry_run=dry_run)
    if dry_run:
        click.echo(f"order {order_id} is {order.state}: its address would be changed, to one in {ship_to.country}")
        return
    request = ReaddressOrder(
        request_id=request_id or f"cli-{uuid.uuid4().hex}", requested_by=actor, ship_to=ship_to, reason=reason
    )
    answer = ask(config, lambda client: readdress_order(client, shop, order_id, request))
    click.echo(f"{answer.outcome}: order {order_id} is {answer.state}; its parcel goes to {ship_to.country}")


def ship_to_of(text: bytes) -> ShipTo:
    """Read an address strictly. Raises InvalidInput with every problem, repeating no value."""
    try:
        found: Any = json.loads(text)
    except (ValueError, RecursionError):
        raise InvalidInput("the address is not JSON in UTF-8") from None
    if not isinstance(found, dict) or not _NEEDED <= found.keys() <= _KNOWN:
        raise InvalidInput(f"the address is an object of {', '.join(sorted(_NEEDED))}, and postal_code and region")
    lines = found.pop("lines")
    if not isinstance(lines, list) or not all(isinstance(each, str) for each in [*lines, *found.values()]):
        raise InvalidInput("lines is a list of texts, everything else of an address is a text")
    ship_to = ShipTo(lines=tuple(lines), **found)
    if problems := problems_of(ship_to):
        raise InvalidInput("; ".join(f"{name} {problem}" for name, problem in problems))
    return ship_to
