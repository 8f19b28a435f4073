"""Lost messages: what an outside system would have sent, fetched from it now and put up as its event.

The document is its owner's present word, so a message about something that was taken back meanwhile is not made up:
what the shop cancelled is not started, what it says is sent already is not sent again.
"""

import contextlib
import json
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

from worker.contract.events import ProviderEvent
from worker.domain.errors import NotFound, ProviderRejected
from worker.domain.finding import Break, Leg, Repair
from worker.domain.ledger import LineKind
from worker.domain.payment import EntryKind, Payment, PaymentState
from worker.services.bookkeeping import SHOP_PAYMENTS, refunds_of
from worker.services.ports import Clock, Database, PaymentGateway, ShopGateway, WarehouseGateway

_OF_ANYBODY = frozenset({Repair.START_ORDER, Repair.DELIVER_CANCELLATION, Repair.DELIVER_SHIPMENT})
_OF_THE_SHOP = frozenset({Repair.DELIVER_PAYMENT, Repair.DELIVER_REFUND})


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Which webhook source of the settings each dialect's repairs are filed under."""

    shop: str = "shopify"
    provider: str = "stripe"
    warehouse: str = "warehouse"


class LostMessages:
    """Turns breaks into the events that would have prevented them."""

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

    def unasked(self, item: Break) -> str:
        """Return why nobody can be asked about the money of a break; empty where somebody can.

        Only one provider has an API here, and of its own payments the shop knows charges and refunds.
        """
        known = {self._payments.name} | ({SHOP_PAYMENTS} if item.finding.repair in _OF_THE_SHOP else set())
        if item.finding.leg is not Leg.PAYMENTS or item.provider in known or item.finding.repair in _OF_ANYBODY:
            return ""
        return f"{item.provider} is known by its statement files alone: only a person can ask it what it did"

    def event(self, item: Break, event_id: str) -> ProviderEvent | None:
        """Fetch the document behind a break and return the event to start; None when there is nothing to deliver.

        Raises ProviderUnavailable.
        """
        makers: dict[Repair, Callable[[Break, str], ProviderEvent | None]] = {
            Repair.START_ORDER: self._order_event,
            Repair.DELIVER_PAYMENT: self._payment_event,
            Repair.DELIVER_REFUND: self._refund_event,
            Repair.DELIVER_DISPUTE: self._dispute_event,
            Repair.DELIVER_CANCELLATION: self._cancellation_event,
            Repair.DELIVER_SHIPMENT: self._shipment_event,
        }
        maker = makers.get(item.finding.repair)
        try:
            return maker(item, event_id) if maker else None
        except (NotFound, ProviderRejected):
            return None

    def _order_event(self, item: Break, event_id: str) -> ProviderEvent | None:
        shop_order = self._shop.order_document(item.finding.repair_reference)
        now = json.loads(shop_order)
        if now.get("cancelled_at"):
            return self._cancellation(item, event_id, shop_order)
        if now.get("fulfillment_status"):
            return None
        collected = self._shop.payments(item.finding.repair_reference)
        topic = "orders/paid" if collected else "orders/create"
        return self._event(item, event_id, self._sources.shop, "shopify", topic, shop_order)

    def _cancellation_event(self, item: Break, event_id: str) -> ProviderEvent | None:
        return self._cancellation(item, event_id, self._shop.order_document(item.finding.repair_reference))

    def _cancellation(self, item: Break, event_id: str, document: str) -> ProviderEvent | None:
        """Return the cancellation of an order we hold; one that never reached us has nothing to cancel."""
        if not self._held(item):
            return None
        return self._event(item, event_id, self._sources.shop, "shopify", "orders/cancelled", document)

    def _payment_event(self, item: Break, event_id: str) -> ProviderEvent | None:
        if item.finding.leg is Leg.ORDERS or not self._held(item):
            return self._order_event(item, event_id)
        if item.provider == SHOP_PAYMENTS:
            return self._shop_payment_event(item, event_id)
        for payment in self._charged(item):
            if payment.state is PaymentState.CAPTURED:
                document = self._payments.payment_document(payment.reference)
                return self._stripe(item, event_id, "payment_intent.succeeded", document)
        return None

    def _shop_payment_event(self, item: Break, event_id: str) -> ProviderEvent | None:
        """Return the shop's word that an order of ours was paid, as long as it still says so."""
        order_id = item.finding.order_id
        if not any(paid.gateway == SHOP_PAYMENTS for paid in self._shop.payments(order_id)):
            return None
        document = self._shop.order_document(order_id)
        return self._event(item, event_id, self._sources.shop, "shopify", "orders/paid", document)

    def _charged(self, item: Break) -> Iterator[Payment]:
        """Yield the payments that the provider's ledger shows: named by the evidence, nothing has to be searched."""
        for reference in _payments_of(item, LineKind.CHARGE):
            with contextlib.suppress(NotFound):
                yield self._payments.retrieve(reference)

    def _refund_event(self, item: Break, event_id: str) -> ProviderEvent | None:
        """Return the event of the first payment with a refund that our books lack; the next attempt sees to the next."""
        if not self._held(item):
            return None
        entries = self._database.transact(
            lambda tx: tx.payments.entries_of_order(item.shop, item.finding.order_id),
        )
        booked = {entry.reference for entry in entries if entry.kind is EntryKind.REFUND}
        if item.provider == SHOP_PAYMENTS:
            return self._shop_refund_event(item, event_id, booked)
        for reference in _payments_of(item, LineKind.REFUND):
            if any(refund.reference not in booked for refund in self._payments.refunds(reference)):
                document = self._payments.refund_document(reference)
                return self._stripe(item, event_id, "charge.refunded", document)
        return None

    def _shop_refund_event(self, item: Break, event_id: str, booked: Collection[str]) -> ProviderEvent | None:
        order_id = item.finding.order_id
        for refund in refunds_of(self._shop.refunds(order_id), item.provider):
            if refund.reference not in booked:
                document = self._shop.refund_document(order_id, refund.reference)
                return self._event(item, event_id, self._sources.shop, "shopify", "refunds/create", document)
        return None

    def _dispute_event(self, item: Break, event_id: str) -> ProviderEvent | None:
        for reference in _payments_of(item, LineKind.DISPUTE, LineKind.DISPUTE_REVERSAL):
            document = self._payments.dispute_document(reference)
            return self._stripe(item, event_id, json.loads(document)["type"], document)
        return None

    def _shipment_event(self, item: Break, event_id: str) -> ProviderEvent:
        document = self._warehouse.shipment_document(item.finding.repair_reference)
        return self._event(item, event_id, self._sources.warehouse, "warehouse", "shipment.shipped", document)

    def _held(self, item: Break) -> bool:
        order_id = item.finding.order_id
        if not order_id:
            return False
        return self._database.transact(lambda tx: tx.orders.get(item.shop, order_id)) is not None

    def _stripe(self, item: Break, event_id: str, topic: str, document: str) -> ProviderEvent:
        return self._event(item, event_id, self._sources.provider, "stripe", topic, document)

    def _event(self, item: Break, event_id: str, source: str, dialect: str, topic: str, body: str) -> ProviderEvent:
        return ProviderEvent(
            source=source,
            dialect=dialect,
            shop=item.shop,
            event_id=event_id,
            topic=topic,
            body=body,
            received_at=self._clock.now().isoformat(),
            origin="repair",
        )


def _payments_of(item: Break, *records: LineKind) -> list[str]:
    """Return the payments of the provider's lines of some kinds, each once, in the order of the evidence."""
    return [
        reference
        for reference in dict.fromkeys(f.status for f in item.finding.theirs if f.record in records)
        if reference
    ]
