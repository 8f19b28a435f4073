"""Repair: a lost message is delivered again, through the very workflow the webhook would have started.

Only what is safe is repaired: the document is fetched from its owner now, its event is deduplicated like any
other, and the order decides what it still means. Everything else waits for a person.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace

from worker.contract.events import ProviderEvent
from worker.domain.errors import NotFound
from worker.domain.finding import Break, Leg, Repair
from worker.domain.payment import PaymentState
from worker.services.ports import (
    BreakAction,
    Clock,
    Database,
    PaymentGateway,
    ShopGateway,
    Transaction,
    WarehouseGateway,
)


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
        """Return the open breaks that may be repaired, oldest first."""
        found = self._database.transact(lambda tx: tx.breaks.open(shop, provider))
        return [item for item in found if item.finding.repair is not Repair.NONE]

    def event(self, item: Break, run_id: str) -> ProviderEvent | None:
        """Fetch the document behind a break and return the event to start; None when its owner has none."""
        makers: dict[Repair, Callable[[Break, str], ProviderEvent | None]] = {
            Repair.START_ORDER: self._order_event,
            Repair.DELIVER_PAYMENT: self._payment_event,
            Repair.DELIVER_CANCELLATION: self._cancellation_event,
            Repair.DELIVER_SHIPMENT: self._shipment_event,
        }
        maker = makers.get(item.finding.repair)
        try:
            return maker(item, run_id) if maker else None
        except NotFound:
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

    def _order_event(self, item: Break, run_id: str) -> ProviderEvent:
        shop_order = self._shop.order_document(item.finding.repair_reference)
        collected = self._shop.payments(item.finding.repair_reference)
        topic = "orders/paid" if collected else "orders/create"
        return self._event(item, run_id, self._sources.shop, "shopify", topic, shop_order)

    def _cancellation_event(self, item: Break, run_id: str) -> ProviderEvent:
        document = self._shop.order_document(item.finding.repair_reference)
        return self._event(item, run_id, self._sources.shop, "shopify", "orders/cancelled", document)

    def _payment_event(self, item: Break, run_id: str) -> ProviderEvent | None:
        if item.finding.leg is Leg.ORDERS:
            return self._order_event(item, run_id)
        order_id = item.finding.order_id
        order = self._database.transact(lambda tx: tx.orders.get(item.shop, order_id))
        if order is None:
            return self._order_event(item, run_id)
        for payment in self._payments.find(shop=item.shop, order_id=order_id, since=order.placed_at):
            if payment.state is PaymentState.CAPTURED:
                document = self._payments.payment_document(payment.reference)
                topic = "payment_intent.succeeded"
                return self._event(item, run_id, self._sources.provider, "stripe", topic, document)
        return None

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
