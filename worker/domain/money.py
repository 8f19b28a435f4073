"""Money: integer minor units and an ISO 4217 currency. Never a float, never mixed currencies.

Exponents are per provider where a provider departs from ISO 4217 (`EXPONENTS_BY_PROVIDER`); sources:
ISO 4217 list one; Stripe "Supported currencies" (zero- and three-decimal lists); Adyen "Currency codes".
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from worker.contract.currencies import EXPONENTS
from worker.domain.errors import InvalidInput

_CURRENCY = re.compile(r"[A-Z]{3}")
_MAJOR = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,6})?")

EXPONENTS_BY_PROVIDER: dict[str, dict[str, int]] = {
    # Stripe keeps ISK and UGX at two decimals in its API (amounts must end in 00; "special cases", although UGX stands
    # in its zero-decimal list as well) and lists MGA as zero-decimal.
    "stripe": {"ISK": 2, "MGA": 0, "UGX": 2},
    # Adyen's own table departs from ISO 4217 for these.
    "adyen": {"CLP": 2, "CVE": 0, "ISK": 2, "IDR": 0},
}


def exponent(currency: str, provider: str = "iso") -> int:
    """Return how many decimals `currency` has (ISO 4217, or `provider`'s own table where it departs)."""
    own = EXPONENTS_BY_PROVIDER.get(provider, {})
    if currency in own:
        return own[currency]
    return EXPONENTS.get(currency, 2)


@dataclass(frozen=True, slots=True, order=False)
class Money:
    """An amount in minor units of one currency. Arithmetic across currencies raises InvalidInput."""

    minor: int
    currency: str

    def __post_init__(self) -> None:
        """Refuse what is not an integer of an ISO currency (bool is an int to Python, not to us)."""
        if type(self.minor) is not int and (not isinstance(self.minor, int) or isinstance(self.minor, bool)):
            raise InvalidInput(f"minor units must be an integer, got {type(self.minor).__name__}")
        if self.currency not in EXPONENTS and not _CURRENCY.fullmatch(self.currency):
            raise InvalidInput("currency must be three capital letters (ISO 4217)")

    def __add__(self, other: "Money") -> "Money":
        self._same(other)
        return Money(self.minor + other.minor, self.currency)

    def __sub__(self, other: "Money") -> "Money":
        self._same(other)
        return Money(self.minor - other.minor, self.currency)

    def __neg__(self) -> "Money":
        return Money(-self.minor, self.currency)

    def __mul__(self, factor: int) -> "Money":
        return Money(self.minor * factor, self.currency)

    def __str__(self) -> str:
        return f"{self.currency} {format_minor(self.minor, self.currency)}"

    def _same(self, other: "Money") -> None:
        if self.currency != other.currency:
            raise InvalidInput(f"cannot combine {self.currency} and {other.currency}")


def format_minor(minor: int, currency: str, provider: str = "iso") -> str:
    """Write minor units as a decimal with thousands separators: 123456 EUR -> `1,234.56`."""
    digits = exponent(currency, provider)
    sign, value = ("-", -minor) if minor < 0 else ("", minor)
    whole, rest = divmod(value, 10**digits)
    return f"{sign}{whole:,}" + (f".{rest:0{digits}d}" if digits else "")


def parse_major(text: str, currency: str, provider: str = "iso") -> int:
    """Read a plain decimal in major units (`-1234.5`, no separators) into minor units.

    Raises InvalidInput for anything else, and for more decimals than the currency has (a statement that
    says 0.005 EUR is wrong, not to be rounded).
    """
    plain = text.strip()
    if not _MAJOR.fullmatch(plain):
        raise InvalidInput(f"not a plain decimal amount: {text[:40]!r}")
    value = Decimal(plain)
    scaled = value.scaleb(exponent(currency, provider))
    if scaled != scaled.to_integral_value():
        raise InvalidInput(f"{text[:40]!r} has more decimals than {currency} allows")
    return int(scaled)


def allocate(minor: int, weights: Sequence[int]) -> list[int]:
    """Split `minor` by `weights` so that the parts sum to it exactly (largest remainder, first wins ties)."""
    total = sum(weights)
    if total <= 0 or any(weight < 0 for weight in weights):
        raise InvalidInput("weights must be non-negative and not all zero")
    sign, value = (-1, -minor) if minor < 0 else (1, minor)
    shares = [value * weight // total for weight in weights]
    remainders = [value * weight % total for weight in weights]
    for index in sorted(range(len(weights)), key=lambda i: (-remainders[i], i))[: value - sum(shares)]:
        shares[index] += 1
    return [sign * share for share in shares]
