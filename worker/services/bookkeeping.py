"""Bookkeeping: money that moved outside is read back from its owner, then booked once.

An event is only a trigger: amounts and references come from the provider (or the shop's transactions), so
a replayed, reordered or forged-in-spirit event cannot book what did not happen.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime

from worker.contract.orders import OrderEvent, OrderEventKind
from worker.domain.errors import NotFound, ProviderRejected
from worker.domain.ledger import ShipmentState
from worker.domain.payment import BookEntry, EntryKind, Payment, PaymentState, Refund
from worker.services.disputes import Disputes
from worker.services.order_messages import book_capture
from worker.services.parcels import goods_of, note_delivered, note_parcel
from worker.services.ports import Clock, Database, PaymentGateway, ShopGateway, ShopPayment, ShopRefund, Transaction

DISPUTES = frozenset({OrderEventKind.DISPUTE_OPENED, OrderEventKind.DISPUTE_WON, OrderEventKind.DISPUTE_LOST})
PARCELS = {
    OrderEventKind.SHIPPED: ShipmentState.SHIPPED,
    OrderEventKind.SHIPMENT_FAILED: ShipmentState.FAILED,
}
SHOP = "shop"
"""Provider of payments that only the shop knows: cash, vouchers, gateways of its own."""
SHOP_PAYMENTS = "shopify_payments"
"""The shop's own provider, in its word and ours: it is compared by its statement files."""


class Bookkeeping:
    """Posts captures, refunds and disputes by the provider's own references."""

    def __init__(self, database: Database, payments: PaymentGateway, shop: ShopGateway, clock: Clock) -> None:
        self._database = database
        self._payments = payments
        self._shop = shop
        self._clock = clock
        self._disputes = Disputes(database, payments, clock)

    def captures(self, shop: str, order_id: str, event: OrderEvent) -> bool:
        """Book what was captured for an order; return whether anything was new.

        With a reference the provider is asked about that payment. Without one (the shop says "paid") the
        shop's transactions name the payments; what they leave open of the event's amount is believed. For an
        order that we charge the shop's word counts nothing. Raises ProviderRejected when the reference is unknown.
        """
        if event.reference:
            with _asked_by_event():
                payment = self._payments.retrieve(event.reference)
            captured = [payment] if payment.captured_minor > 0 else []
        elif self._charged_by_us(shop, order_id):
            return False
        else:
            with _asked_by_event():
                captured = self._collected(self._shop.payments(order_id))

        def work(tx: Transaction) -> bool:
            tx.orders.lock(shop, order_id)
            new = self._book(tx, shop, order_id, event, captured)
            if not event.reference and event.amount_minor and event.currency:
                entries = tx.payments.entries_of_order(shop, order_id)
                held = [
                    entry for entry in entries if (entry.kind, entry.currency) == (EntryKind.CAPTURE, event.currency)
                ]
                rest = event.amount_minor - sum(entry.amount_minor for entry in held)
                if rest > 0:
                    believed = _captured(SHOP, f"{shop}:{order_id}", rest, event.currency)
                    new = self._book(tx, shop, order_id, event, [believed]) or new
            return new

        return self._database.transact(work)

    def _book(self, tx: Transaction, shop: str, order_id: str, event: OrderEvent, captured: list[Payment]) -> bool:
        at = datetime.fromisoformat(event.occurred_at)
        known = {paid.reference: paid for paid in tx.payments.of_order(shop, order_id)}
        new = False
        for payment in captured:
            before = known.get(payment.reference)
            if before is None or (before.state, before.captured_minor) != (payment.state, payment.captured_minor):
                tx.payments.save(shop, order_id, payment, self._clock.now())
            entry = BookEntry(
                shop=shop,
                order_id=order_id,
                provider=payment.provider,
                kind=EntryKind.CAPTURE,
                reference=payment.reference,
                payment_reference=payment.reference,
                amount_minor=payment.captured_minor,
                currency=payment.currency,
                # An order may be paid days after it was placed, and heard of days after that.
                occurred_at=payment.captured_at or at,
                method=payment.method,
            )
            # What is only believed is told as the rest that is missing, not as a sum.
            new = (tx.payments.post(entry) if payment.provider == SHOP else book_capture(tx, entry)) or new
        return new

    def _collected(self, listed: list[ShopPayment]) -> list[Payment]:
        """Sum what the shop collected by payment: one that was captured in parts is listed part by part."""
        sums: dict[tuple[str, str], Payment] = {}
        for paid in listed:
            key = (paid.reference, paid.currency)
            before = sums[key].captured_minor if key in sums else 0
            # What the shop's own payments took, our provider has never heard of.
            provider = SHOP_PAYMENTS if paid.gateway == SHOP_PAYMENTS else self._payments.name
            payment = _captured(provider, paid.reference, before + paid.amount_minor, paid.currency)
            sums[key] = replace(payment, captured_at=paid.at)
        return list(sums.values())

    def _charged_by_us(self, shop: str, order_id: str) -> bool:
        order = self._database.transact(lambda tx: tx.orders.get(shop, order_id))
        return order is not None and order.paid_through_us

    def refunds(self, shop: str, order_id: str, payment_reference: str) -> bool:
        """Book every refund the provider made on a payment; return whether any was new.

        Without a payment it is the shop that says so: what its own payments gave back is booked. Of any other provider's
        refunds that one tells itself, by its own references.
        """
        if not payment_reference:
            with _asked_by_event():
                listed = self._shop.refunds(order_id)
            return self._post_refunds(shop, order_id, SHOP_PAYMENTS, refunds_of(listed, SHOP_PAYMENTS))
        with _asked_by_event():
            refunds = self._payments.refunds(payment_reference)
        return self.post_refunds(shop, order_id, refunds)

    def post_refunds(self, shop: str, order_id: str, refunds: list[Refund]) -> bool:
        """Book refunds that are known to have happened, and keep the payment's sums in step."""
        return self._post_refunds(shop, order_id, self._payments.name, refunds)

    def _post_refunds(self, shop: str, order_id: str, provider: str, refunds: list[Refund]) -> bool:
        now = self._clock.now()

        def work(tx: Transaction) -> bool:
            order = tx.orders.lock(shop, order_id)
            new = False
            for refund in refunds:
                entry = BookEntry(
                    shop=shop,
                    order_id=order_id,
                    provider=provider,
                    kind=EntryKind.REFUND,
                    reference=refund.reference,
                    payment_reference=refund.payment_reference,
                    amount_minor=-refund.amount_minor,
                    currency=refund.currency,
                    occurred_at=refund.created_at or now,
                )
                new = tx.payments.post(entry) or new
            for payment in tx.payments.of_order(order.shop, order.order_id):
                refunded = sum(r.amount_minor for r in refunds if r.payment_reference == payment.reference)
                if refunded > payment.refunded_minor:
                    tx.payments.save(shop, order_id, replace(payment, refunded_minor=refunded), now)
            return new

        return self._database.transact(work)

    def order_of(self, shop: str, payment_reference: str) -> str | None:
        """Return the order of a payment of the provider's, None when we hold no such payment."""
        provider, named = self._payments.name, [payment_reference]
        return self._database.transact(lambda tx: tx.payments.order_of_payment(shop, provider, named)).get(
            payment_reference
        )

    def late(self, shop: str, order_id: str, event: OrderEvent) -> bool:
        """Book what an event tells of an order that is over, without reopening it; return whether any was new.

        A parcel that left all the same is noted, and its goods are gone from stock: what it means that both the goods
        and the money went is for reconciliation to say, and for a person.
        """
        if self._database.transact(lambda tx: tx.orders.get(shop, order_id)) is None:
            raise NotFound(f"order {shop}/{order_id} is not in our books")
        if event.kind == "payment_captured":
            return self.captures(shop, order_id, event)
        if event.kind == "refunded":
            return self.refunds(shop, order_id, event.reference)
        if event.kind in DISPUTES:
            return self.disputes(shop, order_id, event.reference)
        if event.kind in PARCELS or event.kind == "delivered":
            return self._database.transact(lambda tx: self._late_parcel(tx, shop, order_id, event))
        return False

    def disputes(self, shop: str, order_id: str, reference: str) -> bool:
        """Book a dispute as it stands now; return whether anything was new."""
        return self._disputes.take_in(shop, order_id, reference)

    def _late_parcel(self, tx: Transaction, shop: str, order_id: str, event: OrderEvent) -> bool:
        order = tx.orders.lock(shop, order_id)
        before = tx.shipments.of_order(shop, order_id)
        if event.kind == "delivered":  # it has left before: its arrival may be all that is ever heard of it
            note_delivered(tx, order, event)
        else:
            note_parcel(tx, order, event, PARCELS[event.kind])
        if event.kind != "shipment_failed":
            tx.stock.left(shop, order_id, goods_of(tx, order).by_sku, self._clock.now(), "warehouse")
        return tx.shipments.of_order(shop, order_id) != before


def refunds_of(listed: Iterable[ShopRefund], gateway: str) -> list[Refund]:
    """Return what a gateway gave back, of all that the shop lists."""
    return [
        Refund(
            reference=one.reference,
            payment_reference=one.payment_reference,
            amount_minor=one.amount_minor,
            currency=one.currency,
            created_at=one.at,
        )
        for one in listed
        if one.gateway == gateway
    ]


def _captured(provider: str, reference: str, amount_minor: int, currency: str) -> Payment:
    return Payment(
        provider=provider,
        reference=reference,
        amount_minor=amount_minor,
        currency=currency,
        state=PaymentState.CAPTURED,
        captured_minor=amount_minor,
    )


@contextmanager
def _asked_by_event() -> Iterator[None]:
    """What an event speaks of and its owner does not know will not turn up by waiting: the event is refused for good."""
    try:
        yield
    except NotFound as problem:
        raise ProviderRejected(str(problem)) from None
