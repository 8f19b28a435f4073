"""What the shop says of where a parcel goes, after the order came in: what of it is news, and that it was heard.

A shop tells of an order with every change of anything, and repeats the address each time. What it said last is kept (as a
fingerprint), so that its repetition does not undo what somebody changed with us since, and an older word no newer one.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from worker.contract.orders import ReaddressOrder
from worker.domain.order import TERMINAL
from worker.domain.timeline import Happening, of_request
from worker.services.ports import Clock, Database, Transaction
from worker.services.ports.orders import KnownAddress

OVERTAKES = timedelta(hours=1)
"""A change may overtake the order it belongs to by minutes; by more, and the order is none of ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressAtShop:
    """An address as the shop has it: for an order it placed and changed at these times (ISO 8601, UTC)."""

    request: ReaddressOrder
    placed_at: str
    said_at: str


class ShopAddresses:
    """Keeps what shops say of addresses."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def why_no_news(self, shop: str, order_id: str, told: AddressAtShop) -> str:
        """Return why there is nothing to do about it; empty when the parcel is to go there."""
        said_at = datetime.fromisoformat(told.said_at)

        def work(tx: Transaction) -> str:
            order = tx.orders.get(shop, order_id)
            if order is None:
                old = said_at - datetime.fromisoformat(told.placed_at) > OVERTAKES
                return "we hold no such order" if old else ""
            if order.state in TERMINAL:
                return "the order is over, and its address of no concern"
            known = tx.shipping_addresses.of_order(shop, order_id)
            if known is None:
                return ""
            if known.ship_to is None:
                return "the address was erased"
            if known.said_at is not None and said_at < known.said_at:
                return "the shop has said something newer of the address"
            fingerprint = told.request.ship_to.fingerprint
            if known.request_id and not known.said_fingerprint:
                # What the shop said before was not kept: this may be its repetition, and counts as what it said.
                tx.shipping_addresses.heard(shop, order_id, fingerprint, said_at)
                return "the address was changed with us"
            return "the address is as the shop said before" if fingerprint == _said_before(known) else ""

        return self._database.transact(work)

    def heard(self, shop: str, order_id: str, told: AddressAtShop, *, too_late: bool = False) -> None:
        """Keep what the shop said, whether it took effect or came `too_late`, which the order's timeline tells then."""

        def work(tx: Transaction) -> None:
            said_at = datetime.fromisoformat(told.said_at)
            tx.shipping_addresses.heard(shop, order_id, told.request.ship_to.fingerprint, said_at)
            if too_late:
                entry = of_request(
                    Happening.ADDRESS_TOO_LATE,
                    shop,
                    order_id,
                    told.request.request_id,
                    actor=told.request.requested_by,
                    at=self._clock.now(),
                )
                tx.timeline.add(entry)

        self._database.transact(work)


def _said_before(known: KnownAddress) -> str:
    # Of an order from before this was kept, what is in force stands for it.
    return known.said_fingerprint or (known.ship_to.fingerprint if known.ship_to else "")
