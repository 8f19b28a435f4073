"""Prices as the shop writes them: decimal text in major units, with as many decimals as the currency has.

Written without the worker's money code, on purpose: the two sides check each other.
"""

import re

from infra.local.simulator.store import Document

_CURRENCY = re.compile(r"[A-Z]{3}")
_DECIMALS = {
    **dict.fromkeys(["BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF"], 0),
    **dict.fromkeys(["UGX", "VND", "VUV", "XAF", "XOF", "XPF"], 0),
    **dict.fromkeys(["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"], 3),
}
"""Currencies of ISO 4217 that do not have two decimals."""


def is_currency(text: object) -> bool:
    """Tell whether `text` looks like an ISO 4217 code."""
    return isinstance(text, str) and _CURRENCY.fullmatch(text) is not None


def price(minor: int, currency: str) -> str:
    """Write minor units as the shop does: 1099 EUR is `10.99`, 1099 JPY is `1099`."""
    digits = _DECIMALS.get(currency, 2)
    sign, value = ("-", -minor) if minor < 0 else ("", minor)
    whole, rest = divmod(value, 10**digits)
    return f"{sign}{whole}.{rest:0{digits}d}" if digits else f"{sign}{whole}"


def minor_units(text: str, currency: str) -> int:
    """Read a decimal of at most the currency's decimals. ValueError for anything else."""
    digits = _DECIMALS.get(currency, 2)
    found = re.fullmatch(r"(\d{1,15})(?:\.(\d+))?", text)
    if found is None or len(found[2] or "") > digits:
        raise ValueError(f"not an amount of {currency}")
    return int(found[1] + (found[2] or "").ljust(digits, "0"))


def price_set(minor: int, currency: str) -> Document:
    """Return an amount in the shop's and in the buyer's currency, which here are one."""
    money = {"amount": price(minor, currency), "currency_code": currency}
    return {"shop_money": money, "presentment_money": dict(money)}
