"""The shop's books: orders placed, paid at the provider, refunded, cancelled, fulfilled, and told of by webhooks.

Invariants: what an order says and the webhooks that say it are one transaction, and so is the charge at the
provider, for the shop and the provider are one process here. Only tampering changes an order in silence.
"""

import json
import secrets
from typing import Protocol

from infra.local.simulator.clock import Clock
from infra.local.simulator.provider.errors import ProviderRefusal
from infra.local.simulator.shop import resources
from infra.local.simulator.shop.basket import SHOP_PAYMENTS, Basket
from infra.local.simulator.shop.prices import minor_units, price
from infra.local.simulator.store import Document, Store
from infra.local.simulator.webhooks import Webhooks

ORDERS = "shop_orders"
TRANSACTIONS = "shop_transactions"
SOURCE = "shopify"
SHOP = "main"
_LOWEST_ID, _ID_RANGE, _ID_STEP = 6 * 10**17, 4 * 10**17, 7


class OrderNotFound(Exception):
    """The shop has no such order."""


class Refused(Exception):
    """The order's state does not allow what was asked; the message says why."""


class CardPayments(Protocol):
    """What the shop's checkout needs of the payment provider."""

    def charge_now(self, amount: int, currency: str, metadata: dict[str, str], method: str = ...) -> Document:
        """Create, confirm and capture a payment; returns the payment intent, whatever the card said. ProviderRefusal."""
        ...

    def refund(self, payment_intent: str, amount: int | None = None) -> Document:
        """Give back part or all of a payment; returns the refund."""
        ...


class Shop:
    """Every order of the one shop there is."""

    def __init__(self, store: Store, clock: Clock, webhooks: Webhooks, payments: CardPayments) -> None:
        """Continue with the orders that `store` remembers."""
        self._store = store
        self._clock = clock
        self._webhooks = webhooks
        self._payments = payments
        store.declare(TRANSACTIONS, "order_id")
        # Receivers remember order ids for ever, so two runs of the simulator must not share any.
        first = store.fact("shop_first_order_id") or str(_LOWEST_ID + secrets.randbelow(_ID_RANGE))
        store.set_fact("shop_first_order_id", first)
        self._first_id = int(first)

    def place(self, basket: Basket) -> Document:
        """Place an order, take the money when the basket says so, and tell of it. A declined card leaves it unpaid."""
        with self._store.transaction():
            number = self._store.next_number("shop_orders")
            order = resources.order_resource(
                basket,
                order_id=self._first_id + _ID_STEP * number,
                number=number,
                created=self._clock.now(),
            )
            if basket.paid:
                order = self._paid(order, charge=basket.charge, method=basket.payment_method)
            self._save(order)
            self._tell("orders/create", order)
            if order["financial_status"] == "paid":
                self._tell("orders/paid", order)
        return order

    def pay(self, order_id: str, *, charge: bool = True, method: str = "pm_card_visa") -> Document:
        """Take the money for an unpaid order. Raises Refused when there is nothing to pay."""
        with self._store.transaction():
            order = self.order(order_id)
            if order["financial_status"] != "pending" or order["cancelled_at"]:
                raise Refused("only a pending order that was not cancelled can be paid")
            order = self._touched(self._paid(order, charge=charge, method=method))
            self._save(order)
            if order["financial_status"] == "paid":
                self._tell("orders/paid", order)
        return order

    def cancel(self, order_id: str, *, reason: str = "customer", refund_minor: int = 0) -> Document:
        """Cancel an order and give back `refund_minor`. Raises Refused once it was cancelled or fulfilled."""
        with self._store.transaction():
            order = self.order(order_id)
            if order["cancelled_at"]:
                raise Refused("the order was cancelled before")
            if order["fulfillment_status"]:
                raise Refused("a fulfilled order cannot be cancelled")
            if refund_minor:
                order = self._refunded(order, refund_minor)
            elif order["financial_status"] == "pending":
                order = {**order, "financial_status": "voided"}
            order = self._touched(order)
            order.update(cancelled_at=order["updated_at"], cancel_reason=reason)
            self._save(order)
            self._tell("orders/cancelled", order)
        return order

    def refund(self, order_id: str, refund_minor: int | None = None) -> Document:
        """Give money back without cancelling (None: all that is left). Raises Refused for more than was collected."""
        with self._store.transaction():
            order = self.order(order_id)
            amount = self.collected_minor(order_id) if refund_minor is None else refund_minor
            order = self._touched(self._refunded(order, amount))
            self._save(order)
        return order

    def fulfil(self, order_id: str, *, tracking: str = "", company: str = "") -> Document:
        """Mark everything in the order as sent; returns the fulfillment. Raises Refused when nothing is left to send."""
        with self._store.transaction():
            order = self.order(order_id)
            if order["cancelled_at"] or order["fulfillment_status"] == "fulfilled":
                raise Refused("the order is cancelled or already fulfilled")
            number = self._store.next_number("shop_fulfillments")
            fulfillment = resources.fulfillment_resource(
                order, fulfillment_id=self._first_id + number, tracking=tracking, company=company, at=self._clock.now()
            )
            sent = [
                {**item, "fulfillable_quantity": 0, "fulfillment_status": "fulfilled"} for item in order["line_items"]
            ]
            fulfillments = [*order["fulfillments"], fulfillment]
            self._save(
                self._touched(
                    {
                        **order,
                        "line_items": sent,
                        "fulfillments": fulfillments,
                        "fulfillment_status": "fulfilled",
                    }
                )
            )
        return fulfillment

    def change_total(self, order_id: str, minor: int) -> Document:
        """Change what an order costs and tell nobody: someone edited it in the shop's back office."""
        with self._store.transaction():
            order = self._touched(resources.with_total(self.order(order_id), minor))
            self._save(order)
        return order

    def order(self, order_id: str) -> Document:
        """Return an order. Raises OrderNotFound."""
        order = self._store.get(ORDERS, order_id)
        if order is None:
            raise OrderNotFound
        return order

    def transactions(self, order_id: str) -> list[Document]:
        """Return an order's payment steps, oldest first. Raises OrderNotFound."""
        return self._store.index(TRANSACTIONS, "order_id", self.order(order_id)["id"])

    def collected_minor(self, order_id: str) -> int:
        """Return what the shop believes it holds of the order's money: sales minus refunds."""
        signs = {"sale": 1, "refund": -1}
        return sum(
            signs.get(step["kind"], 0) * minor_units(step["amount"], step["currency"])
            for step in self.transactions(order_id)
            if step["status"] == "success"
        )

    def payment_reference(self, order_id: str) -> str | None:
        """Return the provider's payment intent of the successful sale, or None."""
        sales = [step for step in self.transactions(order_id) if step["kind"] == "sale" and step["status"] == "success"]
        return None if not sales else sales[-1]["authorization"]

    def _paid(self, order: Document, *, charge: bool, method: str) -> Document:
        """Take the order's total and write down the attempt; the order becomes paid unless the card was declined."""
        minor = minor_units(order["total_price"], order["currency"])
        reference, succeeded = None, True
        if order["payment_gateway_names"] == [SHOP_PAYMENTS]:
            reference = self._store.next_id("ch_shop")
        elif charge and minor:
            metadata = {"shop": SHOP, "order_id": str(order["id"])}
            try:
                intent = self._payments.charge_now(minor, order["currency"], metadata, method)
                reference, succeeded = str(intent["id"]), intent["status"] == "succeeded"
            except ProviderRefusal as refusal:
                raise Refused(f"the payment provider refuses: {refusal}") from None
        self._note(order, "sale", minor, reference, succeeded=succeeded)
        return {**order, "financial_status": "paid"} if succeeded else order

    def _refunded(self, order: Document, minor: int) -> Document:
        held = self.collected_minor(str(order["id"]))
        if not 0 < minor <= held:
            raise Refused(f"only {price(held, order['currency'])} {order['currency']} can be refunded")
        reference, own = self.payment_reference(str(order["id"])), order["payment_gateway_names"] == [SHOP_PAYMENTS]
        if own:
            reference = self._store.next_id("re_shop")
        elif reference is not None:
            try:
                self._payments.refund(reference, minor)
            except ProviderRefusal as refusal:
                raise Refused(f"the payment provider refuses: {refusal}") from None
        step = self._note(order, "refund", minor, reference, succeeded=True)
        record: Document = {
            "id": step["id"] + 1,
            "order_id": order["id"],
            "created_at": step["created_at"],
            "transactions": [step],
        }
        if own:  # a shop subscribes to what nobody else tells: of other refunds their provider speaks
            self._tell("refunds/create", record)
        return {
            **order,
            "refunds": [*order["refunds"], record],
            "financial_status": "refunded" if minor == held else "partially_refunded",
        }

    def _note(self, order: Document, kind: str, minor: int, reference: str | None, *, succeeded: bool) -> Document:
        step = resources.transaction_resource(
            order,
            kind=kind,
            status="success" if succeeded else "failure",
            minor=minor,
            reference=reference,
            transaction_id=self._first_id + 2 * self._store.next_number("shop_transactions"),
            at=self._clock.now(),
            parent_id=self._sale(order) if kind == "refund" else None,
        )
        self._store.put(TRANSACTIONS, str(step["id"]), step)
        return step

    def _sale(self, order: Document) -> int | None:
        steps = self.transactions(str(order["id"]))
        return next((step["id"] for step in steps if (step["kind"], step["status"]) == ("sale", "success")), None)

    def _touched(self, order: Document) -> Document:
        return {**order, "updated_at": resources.shop_time(self._clock.now())}

    def _save(self, order: Document) -> None:
        self._store.put(ORDERS, str(order["id"]), order)

    def _tell(self, topic: str, document: Document) -> None:
        body = json.dumps(document, separators=(",", ":")).encode()
        headers = {"X-Shopify-Shop-Domain": resources.SHOP_DOMAIN}
        self._webhooks.enqueue(SOURCE, self._store.next_id("wh"), topic, body, headers)
