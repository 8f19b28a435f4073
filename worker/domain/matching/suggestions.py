"""Suggestions: which difference without an order may be the other side of which difference with one.

Equal amounts prove nothing (five orders of one price), so nothing is ever matched by them: both stay what they are,
each naming the others for a person to judge. Made over a run's findings as a whole, after all keys were matched, since
it is the one thing that looks across keys.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

from worker.domain.finding import Finding, FindingKind, Leg
from worker.domain.matching.rules import PLAIN, Rules
from worker.domain.matching.side_by_side import InOrder
from worker.domain.outline import Outline

NAMED = 5
"""Suggestions a finding carries, the nearest in time first."""
_OURS = frozenset({FindingKind.MISSING_EXTERNAL, FindingKind.REFUND_MISSING, FindingKind.PAYOUT_MISSING_AT_BANK})
_THEIRS = frozenset({
    FindingKind.MISSING_INTERNAL,
    FindingKind.REFUND_EXCEEDS,
    FindingKind.UNCLASSIFIED,
    FindingKind.BANK_CREDIT_WITHOUT_PAYOUT,
})  # fmt: skip
_LEGS = frozenset({Leg.PAYMENTS, Leg.BANK})


def suggested(findings: Iterable[Finding], rules: Rules = PLAIN) -> tuple[Finding, ...]:
    """Return the findings, those that may be two sides of one movement naming each other in `suggestions`.

    Candidates are of one leg and currency, of exactly opposite differences, dated within the rules' date window, and
    the outside's names no order of ours.
    """
    whole = list(findings)
    for place, keys in suggestions_of(map(Outline.of, whole), rules):
        whole[place] = replace(whole[place], suggestions=keys)
    return tuple(whole)


def suggestions_of(
    findings: Iterable[Outline], rules: Rules = PLAIN, in_order: InOrder = sorted
) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Yield what `suggested` would give to which finding, by its place, of any number of findings of one leg.

    Held at a time are those candidates only that differ by one amount; they are sorted by means of `in_order`.
    """
    return _named(in_order(_candidates(findings), key=itemgetter(0)), rules.date_window)


class Candidate(NamedTuple):
    """What may be the other side of something."""

    alike: tuple[Leg, str, int]
    """Leg, currency and amount: equal on both sides of one movement."""
    place: int
    """Of the finding, among all."""
    is_ours: bool
    at: datetime
    """When the movement behind it happened."""
    key: str


def _candidates(findings: Iterable[Outline]) -> Iterator[Candidate]:
    for place, (finding, _, last_at) in enumerate(findings):
        if finding.leg not in _LEGS or not finding.difference_minor:
            continue
        is_ours = finding.kind in _OURS
        if is_ours or (finding.kind in _THEIRS and not finding.order_id):
            amount = -finding.difference_minor if is_ours else finding.difference_minor
            assert last_at is not None, "what is on one side only has a fact that shows it"
            yield Candidate((finding.leg, finding.currency, amount), place, is_ours, last_at, finding.key)


def _named(candidates: Iterable[Candidate], window: timedelta) -> Iterator[tuple[int, tuple[str, ...]]]:
    for _, of_amount in groupby(candidates, key=itemgetter(0)):
        some = list(of_amount)
        sides = [[one for one in some if one.is_ours], [one for one in some if not one.is_ours]]
        if all(sides):
            for mine, others in (sides, sides[::-1]):
                for one in mine:
                    yield one.place, _nearest(one, others, window)


def _nearest(one: Candidate, others: list[Candidate], window: timedelta) -> tuple[str, ...]:
    near = [(abs(other.at - one.at), other.key) for other in others]
    return tuple(key for apart, key in sorted(near) if apart <= window)[:NAMED]
