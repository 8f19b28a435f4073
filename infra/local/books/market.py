"""What is sold, when, in which currency and how it goes: the tables both generators choose from.

Shares are cumulative and out of 1000. The shapes are those of a shop in Europe: most baskets are small, the evening is
busy, nine orders of ten go as they should.
"""

from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate


class Course(StrEnum):
    """How an order goes. All of them end with books that agree."""

    PLAIN = "plain"
    """Paid, shipped, done."""
    REFUNDED_IN_PART = "refunded_in_part"
    REFUNDED_TWICE = "refunded_twice"
    """Two refunds of parts, hours apart."""
    GIVEN_BACK = "given_back"
    """Cancelled after it was paid, before it was shipped: all money went back."""
    RETURNED = "returned"
    """Shipped, sent back, all money went back."""
    SPLIT = "split"
    """Paid by two payments."""
    PARTIAL_CAPTURE = "partial_capture"
    """Authorised for more than was captured: the provider books the whole and the reversal of the rest."""
    REFUND_FAILED = "refund_failed"
    """A refund that the bank sent back; our books never held it."""
    DISPUTE_WON = "dispute_won"
    """Money withdrawn by a dispute and returned."""
    CHARGED_TWICE_AND_VOIDED = "charged_twice_and_voided"
    """A second payment, given back whole beyond our books."""
    DECLINED = "declined"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    """The last three never held money."""


COURSES: dict[Course, int] = {
    Course.PLAIN: 700,
    Course.REFUNDED_IN_PART: 70,
    Course.REFUNDED_TWICE: 20,
    Course.GIVEN_BACK: 30,
    Course.RETURNED: 20,
    Course.SPLIT: 45,
    Course.PARTIAL_CAPTURE: 30,
    Course.REFUND_FAILED: 5,
    Course.DISPUTE_WON: 5,
    Course.CHARGED_TWICE_AND_VOIDED: 5,
    Course.DECLINED: 20,
    Course.EXPIRED: 30,
    Course.CANCELLED: 20,
}

WITHOUT_MONEY = frozenset({Course.DECLINED, Course.EXPIRED, Course.CANCELLED})
WITHOUT_GOODS = WITHOUT_MONEY | {Course.GIVEN_BACK}
CANCELLED_IN_SHOP = frozenset({Course.GIVEN_BACK, Course.CANCELLED})

STATES: dict[Course, str] = {
    Course.GIVEN_BACK: "refunded",
    Course.DECLINED: "declined",
    Course.EXPIRED: "expired",
    Course.CANCELLED: "cancelled",
}
"""State of our order at the end; `completed` where nothing is said."""


@dataclass(frozen=True, slots=True)
class Tender:
    """A currency: what 1 EUR cent is worth in its minor units, its smallest coin, and the provider's prices in it."""

    code: str
    share: int
    numerator: int
    denominator: int
    step: int
    """Amounts are multiples of it: Stripe wants a 0 as the last digit of three-decimal currencies."""
    fixed_fee: int
    dispute_fee: int


TENDERS = (
    Tender("EUR", 450, 1, 1, 1, 25, 1500),
    Tender("USD", 250, 11, 10, 1, 30, 1500),
    Tender("GBP", 100, 86, 100, 1, 20, 1500),
    Tender("JPY", 80, 17, 10, 1, 40, 1500),
    Tender("CHF", 50, 95, 100, 1, 30, 1500),
    Tender("SEK", 40, 11, 1, 1, 180, 15000),
    Tender("KWD", 30, 34, 10, 10, 80, 5000),
)

FEE_BASIS_POINTS = 150
"""The provider's share of every charge, rounded half up, besides the tender's fixed fee; refunds cost nothing."""

BASKETS = ((300, 490, 2_500), (400, 2_500, 8_000), (200, 8_000, 25_000), (90, 25_000, 90_000), (10, 90_000, 500_000))
"""(share, from, below), in EUR cents."""

HOURS = (14, 8, 5, 4, 5, 9, 20, 35, 48, 55, 58, 60, 62, 58, 54, 52, 52, 55, 60, 68, 76, 72, 46, 24)
"""Share of each hour of the day, UTC."""

LAG_SECONDS = 4
"""Our books date a movement up to this many seconds (excluded) after the provider."""
UNNAMED = 30
"""Share of payments whose lines do not carry the order's id: they are known by our payment reference alone."""
COLLECTED = 600
"""Share of orders whose money the shop collects; the others come by API and are unknown to the shop."""


def thresholds(shares: list[int]) -> list[int]:
    """Return the upper edges of the shares; they must make up 1000."""
    edges = list(accumulate(shares))
    assert edges[-1] == 1000, f"the shares make {edges[-1]}, not 1000"
    return edges
