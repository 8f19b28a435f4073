"""Shopify's order webhooks. Prices are decimal texts in major units; ids exceed 2^53 and are kept as text.

Source: Shopify Admin REST, Order resource; webhook topics orders/create, orders/paid, orders/updated,
orders/cancelled; Refund resource; refunds/create.
"""

from typing import Any

from worker.contract.orders import (
    LONGEST_NUMBER,
    OrderEvent,
    OrderEventKind,
    OrderLine,
    PaymentMode,
    PlaceOrder,
    ReaddressOrder,
)
from worker.contract.shipping import ShipTo, problems_of
from worker.domain.errors import InvalidInput
from worker.services.shop_addresses import AddressAtShop
from worker.services.translation.document import Document
from worker.services.translation.route import Route

TOPICS = frozenset({"orders/create", "orders/paid", "orders/updated", "orders/cancelled", "refunds/create"})
"""What is understood; a source that is not set up for one of them never hears of it."""


def translate(shop: str, topic: str, event_id: str, body: Any, origin: str) -> Route:
    """Translate an order webhook. Raises InvalidInput with the path of what cannot be read."""
    order = Document(body)
    if topic not in TOPICS:
        return Route(reason=f"topic {topic[:60]} is of no concern to orders")
    if topic == "orders/updated":
        return _updated(shop, event_id, order)
    if topic == "refunds/create":
        return _refunded(shop, event_id, order)
    place = place_order(shop, order, origin)
    route = Route(shop=shop, order_id=place.order_id, place=place)
    if topic == "orders/create":
        return route
    if topic == "orders/paid":
        event = OrderEvent(
            event_id=event_id,
            kind=OrderEventKind.PAYMENT_CAPTURED,
            occurred_at=order.time("processed_at" if order.text("processed_at", "") else "updated_at"),
            amount_minor=place.total_minor,
            currency=place.currency,
            detail="the shop says paid",
        )
        return Route(shop=shop, order_id=place.order_id, place=place, event=event)
    event = OrderEvent(
        event_id=event_id,
        kind=OrderEventKind.SHOP_CANCELLED,
        occurred_at=order.time("cancelled_at" if order.text("cancelled_at", "") else "updated_at"),
        detail=order.text("cancel_reason", "the shop cancelled"),
    )
    return Route(shop=shop, order_id=place.order_id, place=place, event=event)


def _refunded(shop: str, event_id: str, refund: Document) -> Route:
    """Read of which order money went back. How much, and through whom, the shop is asked."""
    event = OrderEvent(
        event_id=event_id,
        kind=OrderEventKind.REFUNDED,
        occurred_at=refund.time("created_at"),
        detail="the shop gave money back",
    )
    return Route(shop=shop, order_id=refund.text("order_id"), event=event)


def _updated(shop: str, event_id: str, order: Document) -> Route:
    """Read where the parcel goes now. What else a shop may change of an order that was placed is not ours to follow."""
    ship_to = _ship_to(order.child("shipping_address"))
    if ship_to is None:
        return Route(reason="the shop names no address that a parcel could go to")
    request = ReaddressOrder(request_id=event_id, requested_by="shop", ship_to=ship_to, reason="changed at the shop")
    address = AddressAtShop(request=request, placed_at=order.time("created_at"), said_at=order.time("updated_at"))
    return Route(shop=shop, order_id=order.text("id"), address=address)


def place_order(shop: str, order: Document, origin: str) -> PlaceOrder:
    """Read the order resource. The shop collected (or will collect) the money itself."""
    currency = order.currency("currency")
    lines = tuple(
        OrderLine(
            sku=line.text("sku", "") or f"variant-{line.text('variant_id', line.text('id', 'unknown'))}",
            quantity=line.integer("quantity"),
            unit_price_minor=line.amount("price", currency),
        )
        for line in order.children("line_items")
    )
    # What the buyer pays on top of the goods: postage, and on some orders a tip or import duties.
    postage, duties = (
        order.child(part).child("shop_money").amount("amount", currency, "0")
        for part in ("total_shipping_price_set", "original_total_duties_set")
    )
    tip = order.amount("total_tip_received", currency, "0")
    if not lines:
        raise InvalidInput("$.line_items: an order needs at least one line")
    return PlaceOrder(
        shop=shop,
        order_id=order.text("id"),
        currency=currency,
        total_minor=order.amount("total_price", currency),
        lines=lines,
        customer_id=order.child("customer").text("id", "guest"),
        payment_mode=PaymentMode.COLLECTED_BY_SHOP,
        placed_at=order.time("created_at"),
        shipping_minor=postage + duties + tip,
        discount_minor=order.amount("total_discounts", currency, "0"),
        tax_minor=0 if order.flag("taxes_included") else order.amount("total_tax", currency, "0"),
        origin=origin,
        ship_to=_ship_to(order.child("shipping_address")),
        number=number_of(order),
    )


def number_of(order: Document) -> str:
    """Return by which number the shop's customers know an order: `1001` of `#1001`; empty where it has no name."""
    return order.text("name", "").removeprefix("#")[:LONGEST_NUMBER]


def _ship_to(address: Document) -> ShipTo | None:
    """Read where the parcel goes. One that is not whole is none: an order is not lost for it, and a person can mend it."""
    person = address.text("name", "") or f"{address.text('first_name', '')} {address.text('last_name', '')}"
    company = address.text("company", "")
    recipient = _tidy(person) or _tidy(company)
    street = (_tidy(address.text(part, "")) for part in ("address1", "address2"))
    ship_to = ShipTo(
        recipient=recipient,
        lines=tuple(line for line in (_tidy(company) if _tidy(company) != recipient else "", *street) if line),
        city=_tidy(address.text("city", "")),
        country=address.text("country_code", "").upper(),
        postal_code=_tidy(address.text("zip", "")),
        region=_tidy(address.text("province_code", "") or address.text("province", "")),
    )
    return None if problems_of(ship_to) else ship_to


def _tidy(text: str) -> str:
    """Return a text without line breaks and spaces at its ends, which people paste."""
    return " ".join(text.split())
