"""Repair: a lost message is delivered again, through the very workflow the webhook would have started.

Only what is safe is repaired: the document is fetched from its owner now, its event is deduplicated like any
other, and the order decides what it still means. What the shop cancelled meanwhile is not started, and what it says
is sent already is not sent again. Everything else waits for a person.
"""

import contextlib
import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from worker.contract.events import ProviderEvent
from worker.domain.errors import NotFound, ProviderRejected
from worker.domain.finding import Break, Leg, Repair
from worker.domain.ledger import LineKind
from worker.domain.payment import Payment, PaymentState
from worker.services.ports import (
    BreakAction,
    Clock,
    Database,
    PaymentGateway,
    ShopGateway,
    Transaction,
    WarehouseGateway,
)

MOST_REPAIRS = 200
"""How many breaks one run may have repaired: hundreds at once are an outage or a first run, and are worked off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Which webhook source of the settings each dialect's repairs are filed under."""

    shop: str = "shopify"
    provider: str = "stripe"
    warehouse: str = "warehouse"


class RepairService:
    """Turns repairable breaks into events."""

    def __init__(
        self,
        database: Database,
        payments: PaymentGateway,
        shop: ShopGateway,
        warehouse: WarehouseGateway,
        clock: Clock,
        sources: Sources,
    ) -> None:
        self._database = database
        self._payments = payments
        self._shop = shop
        self._warehouse = warehouse
        self._clock = clock
        self._sources = sources

    def repairable(self, shop: str, provider: str) -> list[Break]:
        """Return the open breaks whose repair is due, at most MOST_REPAIRS: never asked for first, then oldest first.

        A repair that did not help is asked for again, each time after twice as many runs: what it lacks may turn up.
        """
        found = self._database.transact(lambda tx: tx.breaks.open(shop, provider))
        due = [
            item
            for item in found
            if item.finding.repair is not Repair.NONE and (not _asked(item) or _is_power_of_two(item.runs_seen))
        ]
        return sorted(due, key=_asked)[:MOST_REPAIRS]

    def event(self, item: Break, run_id: str) -> ProviderEvent | None:
        """Fetch the document behind a break and return the event to start; None when there is nothing to deliver.

        Raises ProviderUnavailable.
        """
        makers: dict[Repair, Callable[[Break, str], ProviderEvent | None]] = {
            Repair.START_ORDER: self._order_event,
            Repair.DELIVER_PAYMENT: self._payment_event,
            Repair.DELIVER_CANCELLATION: self._cancellation_event,
            Repair.DELIVER_SHIPMENT: self._shipment_event,
        }
        maker = makers.get(item.finding.repair)
        try:
            return maker(item, run_id) if maker else None
        except (NotFound, ProviderRejected):
            return None

    def requested(self, item: Break, run_id: str) -> None:
        """Note on the break that its repair was asked for."""
        action = BreakAction(
            at=self._clock.now(),
            actor="reconciliation",
            action="repair_requested",
            run_id=run_id,
            detail=item.finding.repair,
        )

        def work(tx: Transaction) -> None:
            tx.runs.lock(item.shop, item.provider)
            current = tx.breaks.get(item.break_id)
            if current is not None and current.resolved_at is None:
                tx.breaks.save(replace(current, repair_state="requested"), action)

        self._database.transact(work)

    def _order_event(self, item: Break, run_id: str) -> ProviderEvent | None:
        shop_order = self._shop.order_document(item.finding.repair_reference)
        now = json.loads(shop_order)
        if now.get("cancelled_at"):
            return self._cancellation(item, run_id, shop_order)
        if now.get("fulfillment_status"):
            return None
        collected = self._shop.payments(item.finding.repair_reference)
        topic = "orders/paid" if collected else "orders/create"
        return self._event(item, run_id, self._sources.shop, "shopify", topic, shop_order)

    def _cancellation_event(self, item: Break, run_id: str) -> ProviderEvent | None:
        return self._cancellation(item, run_id, self._shop.order_document(item.finding.repair_reference))

    def _cancellation(self, item: Break, run_id: str, document: str) -> ProviderEvent | None:
        """Return the cancellation of an order we hold; one that never reached us has nothing to cancel."""
        order_id = item.finding.order_id
        if not order_id or self._database.transact(lambda tx: tx.orders.get(item.shop, order_id)) is None:
            return None
        return self._event(item, run_id, self._sources.shop, "shopify", "orders/cancelled", document)

    def _payment_event(self, item: Break, run_id: str) -> ProviderEvent | None:
        if item.finding.leg is Leg.ORDERS:
            return self._order_event(item, run_id)
        order_id = item.finding.order_id
        order = self._database.transact(lambda tx: tx.orders.get(item.shop, order_id))
        if order is None:
            return self._order_event(item, run_id)
        for payment in self._charged(item):
            if payment.state is PaymentState.CAPTURED:
                document = self._payments.payment_document(payment.reference)
                topic = "payment_intent.succeeded"
                return self._event(item, run_id, self._sources.provider, "stripe", topic, document)
        return None

    def _charged(self, item: Break) -> Iterator[Payment]:
        """Yield the payments that the provider's ledger shows: named by the evidence, nothing has to be searched."""
        for reference in dict.fromkeys(fact.status for fact in item.finding.theirs if fact.record == LineKind.CHARGE):
            with contextlib.suppress(NotFound):
                yield self._payments.retrieve(reference)

    def _shipment_event(self, item: Break, run_id: str) -> ProviderEvent:
        document = self._warehouse.shipment_document(item.finding.repair_reference)
        return self._event(item, run_id, self._sources.warehouse, "warehouse", "shipment.shipped", document)

    def _event(self, item: Break, run_id: str, source: str, dialect: str, topic: str, body: str) -> ProviderEvent:
        # The run is part of the id: a repair that did not help may be tried again by the next run, and the
        # order itself tells a repeated message from a new one.
        digest = hashlib.sha256(f"{item.break_id}\n{run_id}".encode()).hexdigest()[:24]
        return ProviderEvent(
            source=source,
            dialect=dialect,
            shop=item.shop,
            event_id=f"repair-{digest}",
            topic=topic,
            body=body,
            received_at=self._clock.now().isoformat(),
            origin="repair",
        )


def _asked(item: Break) -> bool:
    return item.repair_state == "requested"


def _is_power_of_two(number: int) -> bool:
    return number & (number - 1) == 0
