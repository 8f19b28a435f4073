"""What clients say of orders: one to be placed, or what they want of one, read strictly out of its JSON."""

import json
import re
from dataclasses import dataclass, replace
from datetime import datetime

from functions.fields import Fields
from worker.contract.currencies import EXPONENTS
from worker.contract.ids import fingerprint
from worker.contract.orders import LONGEST_NUMBER, LineCut, OrderLine, PaymentMode, PlaceOrder
from worker.contract.shipping import COUNTRIES, LONGEST_POSTAL_CODE, LONGEST_TEXT, MOST_LINES, ShipTo

MAX_LINES = 500
MAX_MINOR = 10**12
_SKU = re.compile(r"[!-~](?:[ -~]{0,62}[!-~])?", re.ASCII)
_CUSTOMER = re.compile(r"[!-~]{1,128}", re.ASCII)
_PAYMENT_METHOD = re.compile(r"[a-z]{2,12}_[A-Za-z0-9_]{1,120}", re.ASCII)
"""A provider's token has a prefix (`pm_...`), which a card number has not."""
_METHOD_MEANING = "a token of the payment provider, like pm_..."


_NOWHERE = ShipTo(recipient="", lines=(), city="", country="")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a client wants of an order: to stop it or `lines` of it, `amount_minor` (None: all) back, another method or address.

    `shop` and `request_id` are empty where the body names none.
    """

    shop: str
    request_id: str
    reason: str
    amount_minor: int | None = None
    payment_method: str = ""
    ship_to: ShipTo = _NOWHERE
    lines: tuple[LineCut, ...] = ()

    @property
    def fingerprint(self) -> str:
        """What is wanted, whoever asks and however the request is named."""
        if self.ship_to is not _NOWHERE:
            return self.ship_to.fingerprint
        if self.lines:
            return fingerprint(json.dumps([[each.line, each.quantity] for each in self.lines]).encode())
        wanted = [self.payment_method] if self.payment_method else [self.amount_minor, self.reason]
        return fingerprint(json.dumps(wanted).encode())


def read_cancellation(fields: Fields) -> Wish:
    """Read why an order is to stop. Raises Unprocessable with every problem."""
    wish = _read_wish(fields, None)
    fields.finish()
    return wish


def read_refund(fields: Fields) -> Wish:
    """Read what is to be given back. Raises Unprocessable with every problem."""
    wish = _read_wish(fields, fields.integer("amount_minor", 1, MAX_MINOR) if fields.present("amount_minor") else None)
    fields.finish()
    return wish


def read_payment(fields: Fields) -> Wish:
    """Read which method an order is to be paid with. Raises Unprocessable with every problem."""
    method = fields.matching("payment_method", _PAYMENT_METHOD, _METHOD_MEANING)
    wish = Wish(
        shop=fields.key("shop") if fields.present("shop") else "",
        request_id=fields.key("request_id") if fields.present("request_id") else "",
        reason="",
        payment_method=method,
    )
    fields.finish()
    return wish


def read_readdressing(fields: Fields) -> Wish:
    """Read where the parcel is to go instead. Raises Unprocessable with every problem."""
    wish = replace(_read_wish(fields, None), ship_to=_read_ship_to(fields))
    fields.finish()
    return wish


def read_unwanted_lines(fields: Fields) -> Wish:
    """Read which pieces are to be cancelled. Raises Unprocessable with every problem."""
    wish = replace(_read_wish(fields, None), lines=fields.parts("lines", MAX_LINES, _read_cut))
    fields.finish()
    return wish


def _read_cut(fields: Fields) -> LineCut:
    return LineCut(line=fields.integer("line", 1, MAX_LINES), quantity=fields.integer("quantity", 1, 1_000_000))


def _read_wish(fields: Fields, amount_minor: int | None) -> Wish:
    return Wish(
        shop=fields.key("shop") if fields.present("shop") else "",
        request_id=fields.key("request_id") if fields.present("request_id") else "",
        reason=fields.text("reason", 500) if fields.present("reason") else "",
        amount_minor=amount_minor,
    )


def read_order(fields: Fields, shop: str, now: datetime, own_id: str = "") -> PlaceOrder:
    """Read an order; `shop`, `now` and `own_id` (unless empty) stand in for what it may leave out.

    Raises Unprocessable with every problem.
    """
    currency = fields.member("currency", EXPONENTS, "a currency code of ISO 4217")
    mode = fields.choice("payment_mode", PaymentMode)
    method = None
    if fields.present("payment_method"):
        method = fields.matching("payment_method", _PAYMENT_METHOD, _METHOD_MEANING)
    if (mode is not PaymentMode.COLLECTED_BY_SHOP) != fields.present("payment_method") and fields.present(
        "payment_mode"
    ):
        fields.refuse("payment_method", "is needed when we charge or authorise, and only then")
    order = PlaceOrder(
        shop=fields.key("shop") if fields.present("shop") else shop,
        order_id=own_id if own_id and not fields.present("order_id") else fields.key("order_id"),
        currency=currency,
        total_minor=fields.integer("total_minor", 1, MAX_MINOR),
        lines=fields.parts("lines", MAX_LINES, _read_line),
        customer_id=fields.matching("customer_id", _CUSTOMER, "1 to 128 visible ASCII characters"),
        payment_mode=mode,
        placed_at=(fields.instant("placed_at") if fields.present("placed_at") else now).isoformat(),
        payment_method=method,
        shipping_minor=fields.integer("shipping_minor", 0, MAX_MINOR, default=0),
        discount_minor=fields.integer("discount_minor", 0, MAX_MINOR, default=0),
        tax_minor=fields.integer("tax_minor", 0, MAX_MINOR, default=0),
        ship_to=_read_ship_to(fields) if fields.present("ship_to") else None,
        number=fields.text("number", LONGEST_NUMBER) if fields.present("number") else "",
    )
    fields.finish()
    return order


def _read_ship_to(fields: Fields) -> ShipTo:
    part = fields.part("ship_to")
    ship_to = ShipTo(
        recipient=part.text("recipient", LONGEST_TEXT, shortest=1),
        lines=part.texts("lines", MOST_LINES, LONGEST_TEXT),
        city=part.text("city", LONGEST_TEXT, shortest=1),
        country=part.member("country", COUNTRIES, "a country code of ISO 3166-1, two capital letters"),
        postal_code=part.text("postal_code", LONGEST_POSTAL_CODE) if part.present("postal_code") else "",
        region=part.text("region", LONGEST_TEXT) if part.present("region") else "",
    )
    part.close()
    return ship_to


def _read_line(fields: Fields) -> OrderLine:
    return OrderLine(
        sku=fields.matching("sku", _SKU, "1 to 64 printable ASCII characters"),
        quantity=fields.integer("quantity", 1, 1_000_000),
        unit_price_minor=fields.integer("unit_price_minor", 0, MAX_MINOR),
    )
