"""Bookkeeping: money that moved outside is read back from its owner, then booked once.

An event is only a trigger: amounts and references come from the provider (or the shop's transactions), so
a replayed, reordered or forged-in-spirit event cannot book what did not happen.
"""

from dataclasses import replace
from datetime import datetime

from worker.contract.orders import OrderEvent
from worker.domain.errors import NotFound
from worker.domain.payment import BookEntry, EntryKind, Payment, PaymentState, Refund
from worker.services.ports import Clock, Database, PaymentGateway, ShopGateway, Transaction


class Bookkeeping:
    """Posts captures and refunds by the provider's own references."""

    def __init__(self, database: Database, payments: PaymentGateway, shop: ShopGateway, clock: Clock) -> None:
        self._database = database
        self._payments = payments
        self._shop = shop
        self._clock = clock

    def captures(self, shop: str, order_id: str, event: OrderEvent) -> bool:
        """Book what was captured for an order; return whether anything was new.

        With a reference the provider is asked about that payment. Without one (the shop says "paid") the
        shop's transactions name the payments; a shop that names none is believed for the event's amount.
        """
        at = datetime.fromisoformat(event.occurred_at)
        if event.reference:
            payment = self._payments.retrieve(event.reference)
            captured = [payment] if payment.state is PaymentState.CAPTURED else []
        else:
            captured = [
                Payment(
                    provider=self._payments.name,
                    reference=paid.reference,
                    amount_minor=paid.amount_minor,
                    currency=paid.currency,
                    state=PaymentState.CAPTURED,
                    captured_minor=paid.amount_minor,
                )
                for paid in self._shop.payments(order_id)
            ]
        if not captured and not event.reference and event.amount_minor and event.currency:
            captured = [
                Payment(
                    provider="shop",
                    reference=f"{shop}:{order_id}",
                    amount_minor=event.amount_minor,
                    currency=event.currency,
                    state=PaymentState.CAPTURED,
                    captured_minor=event.amount_minor,
                )
            ]

        def work(tx: Transaction) -> bool:
            order = tx.orders.lock(shop, order_id)
            known = {paid.reference: paid for paid in tx.payments.of_order(shop, order_id)}
            new = False
            for payment in captured:
                if payment.reference not in known:
                    tx.payments.save(shop, order_id, payment, self._clock.now())
                entry = BookEntry(
                    shop=order.shop,
                    order_id=order.order_id,
                    provider=payment.provider,
                    kind=EntryKind.CAPTURE,
                    reference=payment.reference,
                    payment_reference=payment.reference,
                    amount_minor=payment.captured_minor,
                    currency=payment.currency,
                    occurred_at=at,
                )
                new = tx.payments.post(entry) or new
            return new

        return self._database.transact(work)

    def refunds(self, shop: str, order_id: str, payment_reference: str) -> bool:
        """Book every refund the provider made on a payment; return whether any was new."""
        refunds = self._payments.refunds(payment_reference)
        return self.post_refunds(shop, order_id, refunds)

    def post_refunds(self, shop: str, order_id: str, refunds: list[Refund]) -> bool:
        """Book refunds that are known to have happened, and keep the payment's sums in step."""
        now = self._clock.now()

        def work(tx: Transaction) -> bool:
            order = tx.orders.lock(shop, order_id)
            new = False
            for refund in refunds:
                entry = BookEntry(
                    shop=shop,
                    order_id=order_id,
                    provider=self._payments.name,
                    kind=EntryKind.REFUND,
                    reference=refund.reference,
                    payment_reference=refund.payment_reference,
                    amount_minor=-refund.amount_minor,
                    currency=refund.currency,
                    occurred_at=now,
                )
                new = tx.payments.post(entry) or new
            for payment in tx.payments.of_order(order.shop, order.order_id):
                refunded = sum(r.amount_minor for r in refunds if r.payment_reference == payment.reference)
                if refunded > payment.refunded_minor:
                    tx.payments.save(shop, order_id, replace(payment, refunded_minor=refunded), now)
            return new

        return self._database.transact(work)

    def late(self, shop: str, order_id: str, event: OrderEvent) -> bool:
        """Book the money of an event whose order is over, without reopening it; return whether any was new."""
        if self._database.transact(lambda tx: tx.orders.get(shop, order_id)) is None:
            raise NotFound(f"order {shop}/{order_id} is not in our books")
        if event.kind == "payment_captured":
            return self.captures(shop, order_id, event)
        if event.kind == "refunded":
            return self.refunds(shop, order_id, event.reference)
        return False
