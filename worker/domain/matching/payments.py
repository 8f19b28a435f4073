"""Payments leg: our captures and refunds against the provider's ledger, order by order, to the minor unit.

No tolerance and no netting between keys: +10 on one order and -10 on another stay two findings. Gross amounts are
compared; fees, payouts and transfers are not order money and appear only in the bridge.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace

from worker.domain.finding import Finding, FindingKind, Leg, Outcome
from worker.domain.ledger import LedgerLine
from worker.domain.matching.captures import capture_issues
from worker.domain.matching.issue import Issue, conclude
from worker.domain.matching.movements import (
    MONEY_KINDS,
    Account,
    accounts,
    entry_fact,
    line_fact,
    loose_lines,
)
from worker.domain.matching.refunds import dispute_issues, refund_issues
from worker.domain.matching.repeats import set_repeats_aside, set_voids_aside
from worker.domain.matching.scope import Scope
from worker.domain.money import format_minor
from worker.domain.payment import BookEntry

SEVERITY = (
    FindingKind.CURRENCY_MISMATCH,
    FindingKind.MISSING_INTERNAL,
    FindingKind.DUPLICATE_EXTERNAL,
    FindingKind.MISSING_EXTERNAL,
    FindingKind.REFUND_EXCEEDS,
    FindingKind.DISPUTED,
    FindingKind.AMOUNT_UNDER,
    FindingKind.AMOUNT_OVER,
    FindingKind.DUPLICATE_INTERNAL,
    FindingKind.REFUND_MISSING,
    FindingKind.UNCLASSIFIED,
)
"""Which class names a finding when several apply, worst first."""


def match_payments(
    entries: Iterable[BookEntry], lines: Iterable[LedgerLine], order_of_payment: Mapping[str, str], scope: Scope
) -> tuple[Finding, ...]:
    """Compare the two books of money; one finding per key and currency, sorted.

    `order_of_payment` maps payment references we know to order ids; it outranks the order id a line carries.
    The sum of the findings' differences is theirs minus ours over all movements that count. A key whose sides use
    different currencies has one CURRENCY_MISMATCH per currency. Repeats of lines that are not money (a fee listed
    twice) are warnings of difference 0.
    """
    lines = tuple(lines)
    sides = accounts(entries, lines, order_of_payment, scope)
    by_key: defaultdict[str, list[Account]] = defaultdict(list)
    for side in sides:
        by_key[side.key].append(side)
    findings = [_judge(side, by_key[side.key], scope) for side in sides]
    findings += _unclassified(loose_lines(lines, scope), scope)
    findings += _repeated_otherwise(lines, scope)
    return tuple(sorted(findings, key=lambda finding: (finding.key, finding.currency)))


def _judge(side: Account, currencies: list[Account], scope: Scope) -> Finding:
    base = _base(side.key, side.currency, side.entries, side.lines)
    mismatch = _currency_issue(side, currencies)
    if mismatch is not None:
        ours = tuple(entry_fact(entry) for other in currencies for entry in other.entries)
        theirs = tuple(line_fact(line) for other in currencies for line in other.lines)
        return conclude(replace(base, ours=ours, theirs=theirs), [mismatch], SEVERITY, scope.cut)
    unique, issues = set_repeats_aside(side)
    rest, voids = set_voids_aside(unique)
    issues += capture_issues(rest, scope) + refund_issues(rest, scope) + dispute_issues(rest)
    base = replace(base, cause="; ".join(voids)) if voids else base
    return conclude(base, issues, SEVERITY, scope.cut)


def _currency_issue(side: Account, currencies: list[Account]) -> Issue | None:
    ours = {other.currency for other in currencies if other.entries}
    theirs = {other.currency for other in currencies if other.lines}
    only_ours, only_theirs = sorted(ours - theirs), sorted(theirs - ours)
    if not only_ours or not only_theirs or side.currency not in (*only_ours, *only_theirs):
        return None
    difference = sum(line.gross_minor for line in side.lines) - sum(entry.amount_minor for entry in side.entries)
    return Issue(
        kind=FindingKind.CURRENCY_MISMATCH,
        difference_minor=difference,
        at_risk_minor=abs(difference),
        cause=f"we booked {', '.join(only_ours)}, the provider moved {', '.join(only_theirs)}",
    )


def _unclassified(loose: Iterable[LedgerLine], scope: Scope) -> list[Finding]:
    findings = []
    for (line_id, currency), found in _by_row(loose).items():
        gross = sum(line.gross_minor for line in found)
        words = sorted({line.type_text or line.kind for line in found})
        issue = Issue(
            kind=FindingKind.UNCLASSIFIED,
            difference_minor=gross,
            at_risk_minor=abs(gross),
            cause=f"the provider moved {currency} {format_minor(gross, currency)} as {', '.join(words)}: "
            "no order explains it" + (f"; the line stands {len(found)} times" if len(found) > 1 else ""),
            warning=True,
        )
        findings.append(conclude(_base(f"line/{line_id}", currency, [], found), [issue], SEVERITY, scope.cut))
    return findings


def _repeated_otherwise(lines: Iterable[LedgerLine], scope: Scope) -> list[Finding]:
    others = (line for line in lines if line.kind not in MONEY_KINDS and scope.judged(line.created_at))
    findings = []
    for (line_id, currency), found in _by_row(others).items():
        if len(found) < 2:
            continue
        surplus = sum(line.net_minor for line in found) - max((line.net_minor for line in found), key=abs)
        issue = Issue(
            kind=FindingKind.DUPLICATE_EXTERNAL,
            at_risk_minor=abs(surplus),
            cause=f"the provider's ledger holds {min(line.kind for line in found)} line {line_id} {len(found)} times",
            warning=True,
        )
        base = replace(_base(f"repeated/{line_id}", currency, [], []), theirs=tuple(line_fact(line) for line in found))
        findings.append(conclude(base, [issue], SEVERITY, scope.cut))
    return findings


def _by_row(lines: Iterable[LedgerLine]) -> dict[tuple[str, str], list[LedgerLine]]:
    rows: defaultdict[tuple[str, str], list[LedgerLine]] = defaultdict(list)
    for line in lines:
        rows[line.line_id, line.currency].append(line)
    return rows


def _base(key: str, currency: str, ours: list[BookEntry], theirs: list[LedgerLine]) -> Finding:
    """Return the finding of a key before it is judged."""
    return Finding(
        leg=Leg.PAYMENTS,
        key=key,
        kind=FindingKind.MATCHED,
        outcome=Outcome.MATCHED,
        currency=currency,
        ours_minor=sum(entry.amount_minor for entry in ours),
        theirs_minor=sum(line.gross_minor for line in theirs),
        order_id=key.removeprefix("order/") if key.startswith("order/") else "",
        ours=tuple(entry_fact(entry) for entry in ours),
        theirs=tuple(line_fact(line) for line in theirs),
    )
