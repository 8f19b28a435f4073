"""What a buyer puts into the checkout, read strictly from the control API's JSON."""

from dataclasses import dataclass
from typing import Any

from infra.local.simulator.shop import prices
from infra.local.simulator.store import Document

_KNOWN = frozenset({
    "lines", "currency", "paid", "charge", "shipping_minor", "discount_minor", "tax_minor", "payment_method", "customer", "gateway",
})  # fmt: skip
_LARGEST = 10**12
GATEWAY = "stripe"
"""Name under which the shop lists the payment provider."""
SHOP_PAYMENTS = "shopify_payments"
"""The shop's own: the payment provider never hears of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BasketLine:
    """One position; `price_minor` is one piece's price, in minor units."""

    sku: str
    quantity: int
    price_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Basket:
    """An order about to be placed. Amounts are minor units of `currency`."""

    lines: tuple[BasketLine, ...]
    currency: str = "EUR"
    paid: bool = True
    charge: bool = True
    """Whether being paid really takes money at the provider; without it the shop only believes so."""
    shipping_minor: int = 0
    discount_minor: int = 0
    tax_minor: int = 0
    """Tax on top of the lines; 0 where their prices include it."""
    payment_method: str = "pm_card_visa"
    gateway: str = GATEWAY
    customer_id: int | None = None
    email: str | None = None

    @property
    def goods_minor(self) -> int:
        """Sum of the lines."""
        return sum(line.quantity * line.price_minor for line in self.lines)

    @property
    def total_minor(self) -> int:
        """What the buyer owes."""
        return self.goods_minor + self.shipping_minor + self.tax_minor - self.discount_minor


def read_basket(body: Document) -> Basket:
    """Read `{"lines": [{"sku", "quantity", "price_minor"}], "currency", ...}`. ValueError says what is wrong."""
    unknown = set(body) - _KNOWN
    if unknown:
        raise ValueError(f"unknown keys: {', '.join(sorted(unknown))}")
    currency = body.get("currency", "EUR")
    if not prices.is_currency(currency):
        raise ValueError("currency must be three capital letters")
    lines = body.get("lines")
    if not isinstance(lines, list) or not lines:
        raise ValueError("lines must be a list with at least one line")
    customer = body.get("customer") or {}
    if not isinstance(customer, dict):
        raise ValueError("customer must be an object")  # noqa: TRY004 - the caller answers 400 for ValueError
    gateway = body.get("gateway", GATEWAY)
    if gateway not in {GATEWAY, SHOP_PAYMENTS}:
        raise ValueError(f"gateway must be {GATEWAY} or {SHOP_PAYMENTS}")
    basket = Basket(
        lines=tuple(_read_line(line) for line in lines),
        currency=currency,
        paid=_flag(body, "paid"),
        charge=_flag(body, "charge"),
        shipping_minor=_whole(body, "shipping_minor", default=0),
        discount_minor=_whole(body, "discount_minor", default=0),
        tax_minor=_whole(body, "tax_minor", default=0),
        payment_method=str(body.get("payment_method", "pm_card_visa")),
        gateway=gateway,
        customer_id=_whole(customer, "id", least=1, most=2**63 - 1) if "id" in customer else None,
        email=str(customer["email"]) if "email" in customer else None,
    )
    if basket.total_minor < 0:
        raise ValueError("the discount is larger than the order")
    return basket


def _read_line(line: Any) -> BasketLine:
    if not isinstance(line, dict) or not isinstance(line.get("sku"), str) or not line["sku"]:
        raise ValueError("a line needs sku, quantity and price_minor")
    return BasketLine(
        sku=line["sku"], quantity=_whole(line, "quantity", default=1, least=1), price_minor=_whole(line, "price_minor")
    )


def _whole(body: Document, key: str, *, default: int | None = None, least: int = 0, most: int = _LARGEST) -> int:
    value = body.get(key, default)
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise ValueError(f"{key} must be a whole number, {least} or more")
    return value


def _flag(body: Document, key: str) -> bool:
    value = body.get(key, True)
    if not isinstance(value, bool):
        raise ValueError(f"{key} must be true or false")  # noqa: TRY004 - the caller answers 400 for ValueError
    return value
