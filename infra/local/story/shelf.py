"""What the demo's shop sells."""

import random
from typing import Any

SHELF = [("MUG-BLUE", 1290), ("TEE-M-BLACK", 2450), ("POSTER-A2", 1875), ("NOTEBOOK", 699), ("LAMP-OAK", 8990)]
CURRENCIES = ("EUR", "EUR", "EUR", "USD", "JPY")
"""Currencies are never added up; one of them has no minor unit."""
FAILING_SKU = "FAIL-GLASS"
"""The warehouse cannot ship what starts with FAIL-."""


def basket(dice: random.Random) -> tuple[list[dict[str, Any]], str]:
    """Return some lines and a currency."""
    lines = [
        {"sku": sku, "quantity": dice.randint(1, 3), "price_minor": price}
        for sku, price in dice.sample(SHELF, dice.randint(1, 3))
    ]
    return lines, dice.choice(CURRENCIES)


def api_order(order_id: str, dice: random.Random, *, method: str = "pm_card_visa", sku: str = "") -> dict[str, Any]:
    """Return the body of POST /orders for a basket that we charge ourselves."""
    lines, currency = basket(dice)
    positions = [
        {"sku": sku or line["sku"], "quantity": line["quantity"], "unit_price_minor": line["price_minor"]}
        for line in lines
    ]
    return {
        "order_id": order_id,
        "currency": currency,
        "total_minor": sum(line["quantity"] * line["unit_price_minor"] for line in positions),
        "customer_id": f"customer-{dice.randint(1, 40)}",
        "payment_mode": "charge",
        "payment_method": method,
        "lines": positions,
    }
