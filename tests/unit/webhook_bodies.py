"""Bodies of webhooks as our three senders write them, small and of our own making."""

from typing import Any

CREATED = "2026-11-22T16:00:00+00:00"
_EPOCH = 1795363200


def shop_order(**changes: Any) -> dict[str, Any]:
    """An order of the shop: 2 x 12.50 + 9.99, 4.90 postage, 4.99 tax, 2.00 off."""
    return {
        "id": 820982911946154508,
        "name": "#1001",
        "currency": "EUR",
        "created_at": "2026-11-22T17:00:00+01:00",
        "updated_at": "2026-11-22T17:00:05+01:00",
        "processed_at": None,
        "cancelled_at": None,
        "cancel_reason": None,
        "total_price": "42.88",
        "total_tax": "4.99",
        "total_discounts": "2.00",
        "taxes_included": False,
        "total_shipping_price_set": {"shop_money": {"amount": "4.90", "currency_code": "EUR"}},
        "customer": {"id": 207119551, "email": "jo@shop.example"},
        "line_items": [
            {"id": 1, "variant_id": 1, "sku": "MUG", "quantity": 2, "price": "12.50"},
            {"id": 2, "variant_id": 808950810, "sku": None, "quantity": 1, "price": "9.99"},
        ],
        **changes,
    }


def stripe_intent(**changes: Any) -> dict[str, Any]:
    """An event about a payment intent over 42.88 EUR."""
    return _event(
        {
            "id": "pi_1",
            "object": "payment_intent",
            "amount": 4288,
            "amount_received": 4288,
            "amount_capturable": 4288,
            "currency": "eur",
            "metadata": {"shop": "main", "order_id": "1001"},
            "last_payment_error": None,
            **changes,
        }
    )


def stripe_charge(**changes: Any) -> dict[str, Any]:
    """An event about a charge of which 10.00 EUR were refunded."""
    return _event(
        {
            "id": "ch_1",
            "object": "charge",
            "payment_intent": "pi_1",
            "amount": 4288,
            "amount_refunded": 1000,
            "currency": "eur",
            "metadata": {"shop": "main", "order_id": "1001"},
            **changes,
        }
    )


def parcel(topic: str) -> dict[str, Any]:
    """An event of the warehouse."""
    data: dict[str, Any] = {"id": "ful_1", "reference": "main/1001"}
    if topic == "shipment.shipped":
        data |= {"status": "shipped", "shipped_at": "2026-11-22T16:59:00+00:00", "tracking": "TRACK-1"}
    else:
        data |= {"status": "failed", "reason": "damaged"}
    return {"type": topic, "timestamp": CREATED, "data": data}


def _event(found: dict[str, Any]) -> dict[str, Any]:
    return {"id": "evt_1", "object": "event", "created": _EPOCH, "data": {"object": found}}
