"""The story of one order, as plain numbers: what it cost, in which currency, how it went, and when.

This is the reference; `bulk.sql` says the same in SQL for millions of orders at once.
"""

import hashlib
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

from infra.local.books.market import (
    BASKETS,
    COLLECTED,
    COURSES,
    FEE_BASIS_POINTS,
    HOURS,
    LAG_SECONDS,
    TENDERS,
    UNNAMED,
    Course,
    Tender,
    thresholds,
)
from infra.local.books.plan import DAY, Plan, draw

HOUR = 3600
_COURSES = tuple(COURSES)
_COURSE_EDGES = thresholds(list(COURSES.values()))
_TENDER_EDGES = thresholds([tender.share for tender in TENDERS])
_BASKET_EDGES = thresholds([share for share, _, _ in BASKETS])
_HOUR_EDGES = thresholds(list(HOURS))


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """One order. Times are seconds since 1970; amounts are minor units of `tender`."""

    number: int
    mark: str
    """22 hex digits that every id of the order is made of."""
    course: Course
    tender: Tender
    total: int
    part: int
    """Of the total: what is refunded first, paid first, or returned by a failed refund."""
    rest: int
    """Authorised beyond the total and never captured."""
    collected: bool
    named: bool
    placed: int
    charged: int
    lag: int
    requested: int
    shipped: int
    refunded: int
    """When the first money goes back, or the dispute is opened."""
    over: int
    """When the last thing happens to it."""


def story(plan: Plan, number: int) -> Story:
    """Return the story of order `number`, 0 <= number < plan.size."""
    seed_part = plan.seed_part

    def chance(salt: int, below: int) -> int:
        return draw(seed_part, number, salt) % below

    course = _COURSES[bisect_right(_COURSE_EDGES, chance(1, 1000))]
    tender = TENDERS[bisect_right(_TENDER_EDGES, chance(2, 1000))]
    _, low, high = BASKETS[bisect_right(_BASKET_EDGES, chance(3, 1000))]
    cents = low + chance(4, high - low)
    total = cents * tender.numerator // tender.denominator // tender.step * tender.step
    part = max(total * (10 + chance(5, 60)) // 100 // tender.step, 1) * tender.step
    rest = max(total * (1 + chance(6, 40)) // 100 // tender.step, 1) * tender.step
    day = plan.epoch + number * plan.days // plan.size * DAY
    placed = day + bisect_right(_HOUR_EDGES, chance(7, 1000)) * HOUR + chance(8, HOUR)
    charged = placed + 2 + chance(9, 180)
    requested = charged + 60
    shipped = requested + 3 * HOUR + chance(10, 40 * HOUR)
    later = 10 * HOUR + chance(11, 24 * HOUR)
    refunded = (shipped if course is Course.RETURNED else charged) + later
    return Story(
        number=number,
        mark=hashlib.md5(f"{plan.seed}/{number}".encode(), usedforsecurity=False).hexdigest()[:22],
        course=course,
        tender=tender,
        total=total,
        part=part,
        rest=rest,
        collected=chance(12, 1000) < COLLECTED,
        named=chance(13, 1000) >= UNNAMED or course is Course.CHARGED_TWICE_AND_VOIDED,
        placed=placed,
        charged=charged,
        lag=chance(14, LAG_SECONDS),
        requested=requested,
        shipped=shipped,
        refunded=refunded,
        over=max(shipped, refunded) + 14 * HOUR,
    )


def stories(plan: Plan) -> Iterator[Story]:
    """Return every story in the order of placing days; nothing is kept, so memory stays flat for any size."""
    return (story(plan, number) for number in range(plan.size))


def fee(amount: int, tender: Tender) -> int:
    """Return what the provider keeps of a charge, in whole coins."""
    share = (amount * FEE_BASIS_POINTS + 5_000) // 10_000
    return share // tender.step * tender.step + tender.fixed_fee
