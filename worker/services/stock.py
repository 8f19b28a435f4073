"""Stock as people keep it: what is counted, what comes in, what is wrong with it. Orders reserve and ship by themselves."""

import uuid
from dataclasses import dataclass

from worker.domain.errors import InvalidInput, NotFound
from worker.domain.stock import LONGEST_SKU, MOST, Fate, Level, Movement, MovementKind, fate
from worker.services.deeds import deed
from worker.services.ports import Clock, Database, Transaction

HOLDERS_NAMED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Booked:
    """A level before and after what a person did; the same twice when there was nothing to do."""

    before: Level
    after: Level


class StockService:
    """Levels of stock over the books."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def count(self, shop: str, sku: str, on_hand: int, *, actor: str, reason: str, dry_run: bool = False) -> Booked:
        """Say how many pieces lie on the shelf, those included that are reserved for orders.

        Raises InvalidInput when fewer are there than are reserved: somebody has to say which order gets none.
        """
        _checked(sku, on_hand)

        def work(tx: Transaction) -> Booked:
            before = self._level(tx, shop, sku, dry_run=dry_run)
            if on_hand < before.reserved:
                holders = ", ".join(tx.stock.holders(shop, sku, HOLDERS_NAMED))
                raise InvalidInput(
                    f"SKU {sku}: {on_hand} on hand, but {before.reserved} are reserved, for orders like {holders};"
                    " cancel those that cannot be served first"
                )
            change = on_hand - before.on_hand
            return self._book(tx, before, MovementKind.COUNTED, change, actor=actor, reason=reason, dry_run=dry_run)

        return self._database.transact(work)

    def adjust(
        self, shop: str, sku: str, by: int, *, actor: str, reason: str, reference: str = "", dry_run: bool = False
    ) -> Booked:
        """Add pieces, or take some off. Of one `reference` (a delivery note, say) an SKU is booked once.

        Raises InvalidInput when more would be taken off than is available.
        """
        _checked(sku, abs(by))

        def work(tx: Transaction) -> Booked:
            before = self._level(tx, shop, sku, dry_run=dry_run)
            return self._book(
                tx, before, MovementKind.ADJUSTED, by, actor=actor, reason=reason, reference=reference, dry_run=dry_run
            )

        return self._database.transact(work)

    def settle(self, shop: str, order_id: str, *, actor: str, reason: str, dry_run: bool = False) -> Fate:
        """End the reservation of an order that is over, as its end would have done had stock been kept then.

        Why, stands in the audit trail. A dry run judges, and changes nothing. Raises NotFound, InvalidInput when the order is not over.
        """

        def work(tx: Transaction) -> Fate:
            order = tx.orders.lock(shop, order_id)
            to = fate(order.state)
            if to is Fate.STAYS:
                raise InvalidInput(f"order {shop}/{order_id} is {order.state}: what is reserved for it stays")
            if not dry_run:
                now = self._clock.now()
                tx.stock.settle(shop, order_id, to, now, actor)
                tx.audit.append(shop, deed("stock_settled", f"order/{order_id}", now, actor=actor, reason=reason))
            return to

        return self._database.transact(work)

    def level(self, shop: str, sku: str) -> Level:
        """Return the level of an SKU. Raises NotFound."""
        level = self._database.transact(lambda tx: tx.stock.level(shop, sku))
        if level is None:
            raise NotFound(f"shop {shop} has no stock of {sku!r}; `orders stock list` shows what it has")
        return level

    def _level(self, tx: Transaction, shop: str, sku: str, *, dry_run: bool) -> Level:
        if dry_run:  # a lock would make the level
            return tx.stock.level(shop, sku) or Level(shop=shop, sku=sku)
        return tx.stock.lock(shop, sku)

    def _book(
        self,
        tx: Transaction,
        before: Level,
        kind: MovementKind,
        change: int,
        *,
        actor: str,
        reason: str,
        dry_run: bool,
        reference: str = "",
    ) -> Booked:
        movement = Movement(
            shop=before.shop,
            sku=before.sku,
            key=f"{kind}:{reference or uuid.uuid4().hex}",
            kind=kind,
            at=self._clock.now(),
            actor=actor,
            available_change=change,
            reason=reason,
        )
        after = before.moved(movement) if dry_run else tx.stock.book(movement)
        return Booked(before=before, after=after)


def _checked(sku: str, quantity: int) -> None:
    if not 0 < len(sku) <= LONGEST_SKU or not sku.isprintable() or sku != sku.strip():
        raise InvalidInput(f"an SKU has 1 to {LONGEST_SKU} printable characters and no space around them")
    if not 0 <= quantity <= MOST:
        raise InvalidInput(f"a quantity is from 0 to {MOST}")
