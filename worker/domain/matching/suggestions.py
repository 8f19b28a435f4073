"""Suggestions: which difference without an order may be the other side of which difference with one.

Equal amounts prove nothing (five orders of one price), so nothing is ever matched by them: both stay what they are,
each naming the others for a person to judge. Made over a run's findings as a whole, after all keys were matched, since
it is the one thing that looks across keys.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from worker.domain.finding import Finding, FindingKind, Leg
from worker.domain.matching.rules import PLAIN, Rules

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
    findings = tuple(findings)
    ours: defaultdict[tuple[Leg, str, int], list[Finding]] = defaultdict(list)
    theirs: defaultdict[tuple[Leg, str, int], list[Finding]] = defaultdict(list)
    for finding in findings:
        if finding.leg not in _LEGS or not finding.difference_minor:
            continue
        if finding.kind in _OURS:
            ours[finding.leg, finding.currency, -finding.difference_minor].append(finding)
        elif finding.kind in _THEIRS and not finding.order_id:
            theirs[finding.leg, finding.currency, finding.difference_minor].append(finding)
    named: dict[tuple[Leg, str, str], tuple[str, ...]] = {}
    for name in ours.keys() & theirs.keys():
        for some, others in ((ours[name], theirs[name]), (theirs[name], ours[name])):
            for finding in some:
                named[finding.leg, finding.key, finding.currency] = _nearest(finding, others, rules.date_window)
    return tuple(
        replace(finding, suggestions=named.get((finding.leg, finding.key, finding.currency), ()))
        if (finding.leg, finding.key, finding.currency) in named
        else finding
        for finding in findings
    )


def _nearest(finding: Finding, others: list[Finding], window: timedelta) -> tuple[str, ...]:
    near = [(abs(_dated(other) - _dated(finding)), other.key) for other in others]
    return tuple(key for apart, key in sorted(near) if apart <= window)[:NAMED]


def _dated(finding: Finding) -> datetime:
    """Return when the movement behind a one-sided finding happened."""
    return max(fact.at for fact in (*finding.ours, *finding.theirs))
