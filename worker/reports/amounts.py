"""Sums per currency. Amounts of different currencies are never added, only listed beside each other."""

from collections.abc import Iterable
from functools import cache

from worker.domain.finding import Break, Finding, Outcome
from worker.domain.money import Money, exponent


class Sums:
    """A number of items and their sum per currency, added up one by one."""

    def __init__(self) -> None:
        self.count = 0
        self._minor: dict[str, int] = {}

    def add(self, money: Money) -> None:
        """Count one item."""
        self.count += 1
        self._minor[money.currency] = self._minor.get(money.currency, 0) + money.minor

    @property
    def amounts(self) -> tuple[Money, ...]:
        """One sum per currency, sorted by currency; sums of zero are kept, so nothing counted disappears."""
        return tuple(Money(self._minor[currency], currency) for currency in sorted(self._minor))


def by_currency(amounts: Iterable[Money]) -> tuple[Money, ...]:
    """Return one sum per currency, as `Sums` has them."""
    sums = Sums()
    for amount in amounts:
        sums.add(amount)
    return sums.amounts


def exposure(finding: Finding) -> Money:
    """Return what a finding puts in question: its amount at risk, or the plain difference while it is pending."""
    minor = finding.at_risk_minor
    if not minor and finding.outcome is not Outcome.MATCHED:
        minor = abs(finding.difference_minor)
    return Money(minor, finding.currency)


def at_risk(item: Break) -> Money:
    """Return the amount at risk of a break."""
    return Money(item.finding.at_risk_minor, item.finding.currency)


def plain(minor: int, currency: str) -> str:
    """Return the decimal of an amount as programs read it: `-1234.56`. Raises InvalidInput for what is no currency."""
    digits = _digits(currency)
    if not digits:
        return str(minor)
    text = f"{minor:0{digits + 1 + (minor < 0)}}"
    return f"{text[:-digits]}.{text[-digits:]}"


def shown(minor: int, currency: str) -> str:
    """Return it as people read it: `1,234.56`, with a true minus sign. Raises InvalidInput for what is no currency."""
    digits = _digits(currency)
    sign, value = ("\N{MINUS SIGN}", -minor) if minor < 0 else ("", minor)
    if not digits:
        return f"{sign}{value:,}"
    whole, rest = divmod(value, 10**digits)
    return f"{sign}{whole:,}.{rest:0{digits}}"


@cache
def _digits(currency: str) -> int:
    return exponent(Money(0, currency).currency)
