"""The store of stock: levels, and the movements they are the sum of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from worker.domain.order import Order
from worker.domain.stock import Fate, Hold, Level, Movement, Shortage
from worker.domain.timeline import StateChange


@dataclass(frozen=True, slots=True, kw_only=True)
class Contradiction:
    """Something about stock that cannot be, with what it is about."""

    sku: str
    order_id: str
    what: str


class StockStore(Protocol):
    """Stock of the shops whose settings keep it; of any other shop nothing is reserved and nothing refused."""

    def reserve(self, order: Order, at: datetime, actor: str) -> list[Shortage]:
        """Promise an order its goods, all or nothing; return what there is too little of. The order must be locked."""
        ...

    def changed(self, change: StateChange) -> None:
        """Settle an order's reservation when its new state ends it; part of every change of an order's state."""
        ...

    def settle(self, shop: str, order_id: str, to: Fate, at: datetime, actor: str) -> None:
        """End what is reserved for an order, which must be locked; again it is nothing."""
        ...

    def parted(self, shop: str, order_id: str, pieces: Mapping[str, int], at: datetime, actor: str) -> None:
        """Book a part of an order that left; `pieces` are all that have, by SKU. The order must be locked."""
        ...

    def released(
        self, shop: str, order_id: str, pieces: Mapping[str, int], request_id: str, at: datetime, actor: str
    ) -> None:
        """Free pieces, by SKU, of an order that goes on without them. The order must be locked."""
        ...

    def left(self, shop: str, order_id: str, pieces: Mapping[str, int], at: datetime, actor: str) -> None:
        """Book goods that left although their order ends without them; `pieces` are all that have left, by SKU.

        Again it is nothing. The order must be locked.
        """
        ...

    def book(self, movement: Movement) -> Level:
        """Append a movement of a person's and return the level after it. One with a known key changes nothing.

        Raises InvalidInput when a number would fall below zero.
        """
        ...

    def lock(self, shop: str, sku: str) -> Level:
        """Return the level of an SKU, made when it is new, locked until the transaction ends."""
        ...

    def level(self, shop: str, sku: str) -> Level | None:
        """Return the level of an SKU, or None."""
        ...

    def levels(self, shop: str, *, at_most: int | None, limit: int) -> list[Level]:
        """Return levels sorted by SKU; only those of which at most so many are available."""
        ...

    def movements(self, shop: str, sku: str, limit: int) -> list[Movement]:
        """Return the newest movements of an SKU, newest first."""
        ...

    def holders(self, shop: str, sku: str, limit: int) -> dict[str, int]:
        """Return the orders that an SKU is reserved for, with how many pieces each."""
        ...

    def of_order(self, shop: str, order_id: str) -> Sequence[Hold]:
        """Return what an order has of each SKU, sorted by SKU."""
        ...

    def contradictions(self, shop: str) -> list[Contradiction]:
        """Return levels that are not the sum of their movements, and reservations of orders that are over."""
        ...
