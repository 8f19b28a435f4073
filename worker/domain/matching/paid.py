"""Payments as one side sees them: what was captured of each in all, and when."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Paid:
    """One payment as one side sees it."""

    reference: str
    minor: int
    first_at: datetime
    last_at: datetime


def payments(movements: Iterable[tuple[str, int, datetime]]) -> list[Paid]:
    """Sum captures (payment, amount, time) by payment; a payment captured to nothing (voided) is none."""
    found: dict[str, Paid] = {}
    for reference, minor, at in movements:
        known = found.get(reference)
        found[reference] = (
            Paid(reference, minor, at, at)
            if known is None
            else Paid(reference, known.minor + minor, min(known.first_at, at), max(known.last_at, at))
        )
    return [paid for paid in found.values() if paid.minor > 0]
