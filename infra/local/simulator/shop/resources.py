"""The shop's resources, shaped as the Admin REST API shows them and as webhooks carry them.

Ids are integers far above 2^53, as the real ones may be, and neighbours become equal when read as floating point:
a client that loses digits mixes orders up at once instead of once a year. Times carry the shop's own UTC offset and
whole seconds, so whoever forgets to normalise them is found out too.
"""

from datetime import datetime, timedelta, timezone

from infra.local.simulator.shop.basket import Basket
from infra.local.simulator.shop.prices import price, price_set
from infra.local.simulator.store import Document

SHOP_DOMAIN = "main.myshopify.test"
_SHOP_ZONE = timezone(timedelta(hours=1))
_FIRST_NUMBER = 1000


def shop_time(moment: datetime) -> str:
    """Write a time as the shop does: ISO 8601, whole seconds, the shop's offset."""
    return moment.astimezone(_SHOP_ZONE).isoformat(timespec="seconds")


def order_resource(basket: Basket, *, order_id: int, number: int, created: datetime) -> Document:
    """Return a new order that nobody has paid yet."""
    at, currency = shop_time(created), basket.currency
    order_number = _FIRST_NUMBER + number
    email = basket.email or f"buyer-{number}@shop.example"
    return {
        "id": order_id,
        "admin_graphql_api_id": f"gid://shopify/Order/{order_id}",
        "name": f"#{order_number}",
        "number": number,
        "order_number": order_number,
        "email": email,
        "contact_email": email,
        "created_at": at,
        "processed_at": at,
        "updated_at": at,
        "closed_at": None,
        "cancelled_at": None,
        "cancel_reason": None,
        "test": True,
        "confirmed": True,
        "currency": currency,
        "presentment_currency": currency,
        "taxes_included": basket.tax_minor == 0,
        **_totals(basket),
        "financial_status": "pending",
        "fulfillment_status": None,
        "payment_gateway_names": [basket.gateway],
        "source_name": "web",
        "note": None,
        "note_attributes": [],
        "tags": "",
        "discount_codes": _discount_codes(basket),
        "tax_lines": [],
        "line_items": [
            _line_item(basket, position, line_id=order_id + 10**12 + position) for position in range(len(basket.lines))
        ],
        "shipping_lines": _shipping_lines(basket, order_id),
        "customer": _customer(basket, email, order_id, at),
        "fulfillments": [],
        "refunds": [],
    }


def with_total(order: Document, total_minor: int) -> Document:
    """Return the order as if it had always cost `total_minor` (its lines stay as they were: someone edited it)."""
    text = price(total_minor, order["currency"])
    money = price_set(total_minor, order["currency"])
    return {
        **order,
        "total_price": text,
        "current_total_price": text,
        "total_price_set": money,
        "current_total_price_set": money,
    }


def transaction_resource(
    order: Document,
    *,
    kind: str,
    status: str,
    minor: int,
    reference: str | None,
    transaction_id: int,
    at: datetime,
    parent_id: int | None = None,
) -> Document:
    """Return a payment step of an order; `authorization` is the payment provider's reference."""
    return {
        "id": transaction_id,
        "order_id": order["id"],
        "kind": kind,
        "gateway": order["payment_gateway_names"][0],
        "status": status,
        "amount": price(minor, order["currency"]),
        "currency": order["currency"],
        "authorization": reference,
        "parent_id": parent_id,
        "message": None if status == "success" else "The payment was declined",
        "error_code": None if status == "success" else "card_declined",
        "created_at": shop_time(at),
        "processed_at": shop_time(at),
        "receipt": {},
        "test": True,
    }


def fulfillment_resource(
    order: Document, *, fulfillment_id: int, tracking: str, company: str, at: datetime
) -> Document:
    """Return a fulfillment of everything in the order that has not left yet."""
    return {
        "id": fulfillment_id,
        "order_id": order["id"],
        "status": "success",
        "service": "manual",
        "shipment_status": None,
        "tracking_company": company,
        "tracking_number": tracking,
        "tracking_numbers": [tracking] if tracking else [],
        "tracking_url": None,
        "tracking_urls": [],
        "created_at": shop_time(at),
        "updated_at": shop_time(at),
        "line_items": [item for item in order["line_items"] if item["fulfillable_quantity"] > 0],
        "name": f"{order['name']}.{len(order['fulfillments']) + 1}",
    }


def _totals(basket: Basket) -> Document:
    amounts = {
        "total_line_items_price": basket.goods_minor,
        "total_discounts": basket.discount_minor,
        "subtotal_price": basket.goods_minor - basket.discount_minor,
        "total_tax": basket.tax_minor,
        "total_price": basket.total_minor,
        "current_total_price": basket.total_minor,
    }
    currency = basket.currency
    texts = {name: price(minor, currency) for name, minor in amounts.items()}
    sets = {f"{name}_set": price_set(minor, currency) for name, minor in amounts.items()}
    return {**texts, **sets, "total_shipping_price_set": price_set(basket.shipping_minor, currency)}


def _discount_codes(basket: Basket) -> list[Document]:
    if not basket.discount_minor:
        return []
    return [{"code": "WELCOME", "amount": price(basket.discount_minor, basket.currency), "type": "fixed_amount"}]


def _line_item(basket: Basket, position: int, *, line_id: int) -> Document:
    line = basket.lines[position]
    return {
        "id": line_id,
        "sku": line.sku,
        "title": line.sku,
        "name": line.sku,
        "quantity": line.quantity,
        "fulfillable_quantity": line.quantity,
        "fulfillment_status": None,
        "fulfillment_service": "manual",
        "requires_shipping": True,
        "taxable": True,
        "gift_card": False,
        "price": price(line.price_minor, basket.currency),
        "price_set": price_set(line.price_minor, basket.currency),
        "total_discount": price(0, basket.currency),
        "tax_lines": [],
        "properties": [],
    }


def _shipping_lines(basket: Basket, order_id: int) -> list[Document]:
    if not basket.shipping_minor:
        return []
    amount = price(basket.shipping_minor, basket.currency)
    return [
        {
            "id": order_id + 2 * 10**12,
            "title": "Standard",
            "code": "STANDARD",
            "source": "shopify",
            "price": amount,
            "discounted_price": amount,
            "price_set": price_set(basket.shipping_minor, basket.currency),
            "tax_lines": [],
        }
    ]


def _customer(basket: Basket, email: str, order_id: int, at: str) -> Document:
    return {
        "id": basket.customer_id or order_id + 3 * 10**12,
        "email": email,
        "first_name": "Sim",
        "last_name": "Buyer",
        "state": "disabled",
        "currency": basket.currency,
        "created_at": at,
        "updated_at": at,
        "tags": "",
    }
