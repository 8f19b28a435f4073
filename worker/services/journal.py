"""The journal of orders: their timelines read whole, notes of people, and what was asked for.

The book is the truth of what happened: the command line reads it here, and the workflow keeps no second timeline.
"""

import uuid

from worker.domain.errors import InvalidInput, NotFound
from worker.domain.order import Order
from worker.domain.timeline import Happening, TimelineEntry, completed, note_of, of_request
from worker.services.ports import Clock, Database, Transaction

LONGEST_NOTE = 2000


class Journal:
    """Timelines over the books."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def timeline(self, shop: str, order_id: str) -> list[TimelineEntry]:
        """Return everything that happened to an order.

        What a release without timelines did is derived from trail, books and parcels, and marked. Raises NotFound.
        """

        def work(tx: Transaction) -> list[TimelineEntry]:
            return completed(
                tx.timeline.of_order(shop, order_id),
                _known(tx, shop, order_id),
                tx.orders.trail(shop, order_id),
                tx.payments.entries_of_order(shop, order_id),
                tx.shipments.of_order(shop, order_id),
            )

        return self._database.transact(work)

    def note(self, shop: str, order_id: str, text: str, *, actor: str) -> TimelineEntry:
        """Write a note into an order's timeline, also after the order is over; return its entry.

        Raises InvalidInput for one that is empty or too long, NotFound.
        """
        words = text.strip()
        if not words or len(words) > LONGEST_NOTE:
            raise InvalidInput(f"a note has 1 to {LONGEST_NOTE} characters")
        note_id = uuid.uuid4().hex

        def work(tx: Transaction) -> TimelineEntry:
            order = _known(tx, shop, order_id)
            entry = note_of(order, words, note_id=note_id, actor=actor, at=self._clock.now())
            tx.timeline.add(entry)
            return entry

        return self._database.transact(work)

    def cancellation(self, shop: str, order_id: str, request_id: str, *, by: str, applied: bool) -> None:
        """Tell that an order was asked to stop, and whether it will."""
        kind = Happening.CANCELLATION_REQUESTED if applied else Happening.CANCELLATION_IGNORED
        entry = of_request(kind, shop, order_id, request_id, actor=by, at=self._clock.now())
        self._database.transact(lambda tx: tx.timeline.add(entry))


def _known(tx: Transaction, shop: str, order_id: str) -> Order:
    order = tx.orders.get(shop, order_id)
    if order is None:
        raise NotFound(f"order {shop}/{order_id} is not in our books; `orders order list` shows what is")
    return order
