"""The numbers of orders that were taken before numbers were kept: the shop tells them, and nothing is ever renumbered.

Provider files that name orders by number (Shopify Payments') do not find an order that has none.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice

from worker.domain.ledger import ShopOrder
from worker.services.deeds import deed
from worker.services.ports import Clock, Database, ShopGateway, Unnumbered

_AT_ONCE = 250
_ROUND = timedelta(seconds=1)
"""The shop writes whole seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbered:
    """What the shop told of the orders without a number."""

    lacking: Unnumbered
    """As they were before."""
    told: int
    """Orders whose number the shop told."""

    @property
    def left(self) -> int:
        """How many the shop does not know, or has no name for: the shop's API did not take them."""
        return self.lacking.orders - self.told


def remember(database: Database, shop: str, numbers: Mapping[str, str]) -> int:
    """Give orders in our books that have no number theirs, by id; return how many that were."""
    # In most shops all have theirs: then nothing is looked up order by order.
    if not numbers or database.transact(lambda tx: tx.numbers.complete(shop)):
        return 0
    missing = database.transact(lambda tx: tx.numbers.without(shop, sorted(numbers)))
    if not missing:
        return 0
    told = {order_id: numbers[order_id] for order_id in sorted(missing)}
    return database.transact(lambda tx: tx.numbers.fill(shop, told))


class OrderNumbers:
    """Asks the shop for the numbers that our books lack."""

    def __init__(self, database: Database, shop: ShopGateway, clock: Clock) -> None:
        self._database = database
        self._shop = shop
        self._clock = clock

    def ask(
        self, shop: str, *, actor: str, reason: str, dry_run: bool, progress: Callable[[int], None] = lambda _: None
    ) -> Numbered:
        """Read the shop's orders since the oldest of ours without a number, and fill in what they are called.

        `progress` hears how many were told so far. What was filled before a fault stays: asked again it goes on with
        the rest. Raises SourceUnreadable, Conflict as `deed` does.
        """
        record = deed("numbers filled", f"shop/{shop}", self._clock.now(), actor=actor, reason=reason)
        lacking = self._database.transact(lambda tx: tx.numbers.lacking(shop))
        told = 0
        if lacking.first_at is None or lacking.last_at is None:
            return Numbered(lacking=lacking, told=0)
        if not dry_run:
            self._database.transact(lambda tx: tx.audit.append(shop, record))
        # Whatever was placed then was changed then or later: the shop's list begins with the last change.
        listed = self._shop.orders(lacking.first_at - _ROUND, lacking.last_at + _ROUND)
        for some in _pieces(listed):
            numbers = {order.order_id: order.number for order in some if order.number}
            if dry_run:
                told += len(self._database.transact(lambda tx, it=numbers: tx.numbers.without(shop, sorted(it))))  # type: ignore[misc]
            else:
                told += remember(self._database, shop, numbers)
            progress(told)
        return Numbered(lacking=lacking, told=told)


def _pieces(orders: Iterator[ShopOrder]) -> Iterator[list[ShopOrder]]:
    while some := list(islice(orders, _AT_ONCE)):
        yield some
