"""Event use cases: write every outside event into the inbox once, translate it, file what became of it."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from worker.contract.events import ProviderEvent
from worker.contract.ids import is_valid_part
from worker.contract.orders import OrderEvent
from worker.domain.errors import InvalidInput, NotFound
from worker.domain.order import TERMINAL
from worker.domain.timeline import of_event
from worker.services.bookkeeping import PARCELS, Bookkeeping
from worker.services.parcels import arrived
from worker.services.ports import Clock, Database, InboxEntry, Transaction, WarehouseGateway
from worker.services.reversal import Reversal
from worker.services.shop_addresses import AddressAtShop, ShopAddresses
from worker.services.translation import shopify, stripe, warehouse
from worker.services.translation.route import Route

Translator = Callable[[str, str, str, Any, str], Route]

DIALECTS: dict[str, Translator] = {
    "shopify": shopify.translate,
    "stripe": stripe.translate,
    "warehouse": warehouse.translate,
}


REPLAY = "replay"
"""Origin of an event that a person had run again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """The order that an event was for, and what the order's timeline says of it."""

    shop: str
    order_id: str
    topic: str
    origin: str


class EventService:
    """The inbox and the translation of outside events."""

    def __init__(
        self,
        database: Database,
        bookkeeping: Bookkeeping,
        reversal: Reversal,
        warehouse: WarehouseGateway,
        clock: Clock,
    ) -> None:
        self._database = database
        self._warehouse = warehouse
        self._books = bookkeeping
        self._reversal = reversal
        self._clock = clock
        self._addresses = ShopAddresses(database, clock)

    def receive(self, event: ProviderEvent, workflow_id: str, run_id: str) -> Route | None:
        """Open the inbox row and translate. None means: handled before, by an earlier run.

        The row outlives Temporal's retention, so an event that its sender repeats after months is still
        one event. A replay is asked for by a person and goes on regardless; orders take each event id once.
        Raises InvalidInput when the body cannot be read.
        """
        entry = InboxEntry(
            source=event.source,
            event_id=event.event_id,
            topic=event.topic,
            origin=event.origin,
            body_sha256=hashlib.sha256(event.body.encode()).hexdigest(),
            received_at=datetime.fromisoformat(event.received_at),
            workflow_id=workflow_id,
            run_id=run_id,
        )
        stored = self._database.transact(lambda tx: tx.inbox.open(entry))
        if stored.run_id != run_id and event.origin != REPLAY:
            return None
        return self._addressed(self.translate(event))

    def translate(self, event: ProviderEvent) -> Route:
        """Translate the body by its dialect. Raises InvalidInput."""
        translator = DIALECTS.get(event.dialect)
        if translator is None:
            raise InvalidInput(f"dialect {event.dialect!r} is not known; use one of {', '.join(DIALECTS)}")
        try:
            body = json.loads(event.body)
        except (ValueError, RecursionError):
            raise InvalidInput("the body is not JSON") from None
        route = translator(event.shop, event.topic, event.event_id, body, event.origin)
        if route.order_id and not is_valid_part(route.order_id):
            raise InvalidInput("the order id is not usable as an id")
        return route

    def _addressed(self, route: Route) -> Route:
        """Find the order of an event that names only its payment. One of a payment we do not hold is nobody's yet.

        Reconciliation delivers it again once its order is known. A word about an address is one only if it is news.
        """
        if route.address is not None and (
            why := self._addresses.why_no_news(route.shop, route.order_id, route.address)
        ):
            return Route(reason=why)
        if route.order_id or not route.payment:
            return route
        order_id = self._books.order_of(route.shop, route.payment)
        if order_id is None:
            return Route(reason=f"payment {route.payment} is no order's of ours")
        return replace(route, order_id=order_id)

    def close(self, source: str, event_id: str, outcome: str, detail: str, about: About | None = None) -> None:
        """File what became of the event, and tell it in the timeline of the order it was for."""
        now = self._clock.now()

        def work(tx: Transaction) -> None:
            tx.inbox.close(source, event_id, outcome, detail[:500], now)
            if about is not None:
                told = of_event(
                    about.shop,
                    about.order_id,
                    source=source,
                    event_id=event_id,
                    topic=about.topic,
                    origin=about.origin,
                    outcome=outcome,
                    at=now,
                )
                tx.timeline.add(told)

        self._database.transact(work)

    def is_over(self, shop: str, order_id: str) -> bool:
        """Tell whether our books hold the order as over: its process may be long forgotten."""
        order = self._database.transact(lambda tx: tx.orders.get(shop, order_id))
        return order is not None and order.state in TERMINAL

    def heard(self, shop: str, order_id: str, told: AddressAtShop, *, too_late: bool) -> None:
        """Keep what the shop said of an address, and tell the order's timeline of one that came too late."""
        self._addresses.heard(shop, order_id, told, too_late=too_late)

    def late(self, shop: str, order_id: str, event: OrderEvent) -> str:
        """Book what an event tells of an order that is over, and give back what that order may not hold.

        Return what was done, empty when there is nothing (or no order) to book. Raises ProviderUnavailable.
        """
        if event.kind == "delivered":
            event = arrived(self._database, self._warehouse, shop, order_id, event)
        try:
            booked = self._books.late(shop, order_id, event)
        except NotFound:
            return ""
        if self._reversal.settle(shop, order_id, event):
            return "the money was given back"
        if not booked:
            return ""
        parcel = event.kind in PARCELS or event.kind == "delivered"
        return "the parcel was noted" if parcel else "the money was booked"
