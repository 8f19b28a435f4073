"""Sums per currency. Amounts of different currencies are never added, only listed beside each other."""

from collections.abc import Iterable

from worker.domain.finding import Break, Finding, Outcome
from worker.domain.money import Money


def by_currency(amounts: Iterable[Money]) -> tuple[Money, ...]:
    """Return one sum per currency, sorted by currency; sums of zero are kept, so nothing counted disappears."""
    sums: dict[str, int] = {}
    for amount in amounts:
        sums[amount.currency] = sums.get(amount.currency, 0) + amount.minor
    return tuple(Money(sums[currency], currency) for currency in sorted(sums))


def exposure(finding: Finding) -> Money:
    """Return what a finding puts in question: its amount at risk, or the plain difference while it is pending."""
    minor = finding.at_risk_minor
    if not minor and finding.outcome is not Outcome.MATCHED:
        minor = abs(finding.difference_minor)
    return Money(minor, finding.currency)


def at_risk(item: Break) -> Money:
    """Return the amount at risk of a break."""
    return Money(item.finding.at_risk_minor, item.finding.currency)
