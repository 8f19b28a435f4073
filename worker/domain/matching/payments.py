"""Payments leg: our captures and refunds against the provider's ledger, order by order, to the minor unit.

No netting between keys: +10 on one order and -10 on another stay two findings, and a tolerance is the exception that
a rule must state. Gross amounts are compared, in the customer's currency where the provider converted them; fees,
payouts and transfers are not order money and appear only in the bridge.

Locality: the findings of a key depend on nothing but that key's movements, the scope and the rules. Keys may be
matched in any number of parts, and those that agree may be left out.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from worker.domain.finding import Finding, FindingKind, Leg, Outcome
from worker.domain.ledger import LedgerLine
from worker.domain.matching.captures import capture_issues
from worker.domain.matching.conversion import fx_findings
from worker.domain.matching.fees import fee_issues
from worker.domain.matching.issue import Issue, conclude
from worker.domain.matching.merging import merge_parts
from worker.domain.matching.movements import (
    MONEY_KINDS,
    Account,
    accounts,
    as_compared,
    entry_fact,
    line_fact,
    loose_lines,
)
from worker.domain.matching.refunds import dispute_issues, refund_issues
from worker.domain.matching.repeats import set_repeats_aside, set_voids_aside
from worker.domain.matching.rules import PLAIN, Rules
from worker.domain.matching.scope import Scope
from worker.domain.matching.sums import WindowSums, sums_of
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
    FindingKind.FEE_VARIANCE,
    FindingKind.MATCHED_WITHIN_TOLERANCE,
    FindingKind.MATCHED_IN_PARTS,
)
"""Which class names a finding when several apply, worst first."""


def match_payments(
    entries: Iterable[BookEntry],
    lines: Iterable[LedgerLine],
    order_of_payment: Mapping[str, str],
    scope: Scope,
    rules: Rules = PLAIN,
) -> tuple[Finding, ...]:
    """Compare the two books of money; one finding per key and currency, sorted.

    `order_of_payment` maps payment references we know to order ids; the rules say how it ranks against the order id a
    line carries. The sum of the findings' differences is theirs minus ours over all movements that count, findings
    of exchange differences (`fx/...`, in the currency of settlement) apart. A key whose sides use different currencies
    has one CURRENCY_MISMATCH per currency. Repeats of lines that are not money (a fee listed twice) are warnings of
    difference 0.
    """
    lines = tuple(as_compared(line, rules) for line in lines)
    return _findings(lines, accounts(entries, lines, order_of_payment, scope, rules), scope, rules)


def compare_payments(
    entries: Iterable[BookEntry],
    lines: Iterable[LedgerLine],
    order_of_payment: Mapping[str, str],
    scope: Scope,
    rules: Rules = PLAIN,
) -> tuple[tuple[Finding, ...], tuple[WindowSums, ...]]:
    """Return what `match_payments` and `window_sums` do: both look at the same accounts, which are made once."""
    entries, lines = tuple(entries), tuple(as_compared(line, rules) for line in lines)
    sides = accounts(entries, lines, order_of_payment, scope, rules)
    return _findings(lines, sides, scope, rules), sums_of(entries, lines, sides, scope)


def _findings(lines: Sequence[LedgerLine], sides: Sequence[Account], scope: Scope, rules: Rules) -> tuple[Finding, ...]:
    by_key: defaultdict[str, list[Account]] = defaultdict(list)
    for side in sides:
        by_key[side.key].append(side)
    findings = [finding for side in sides for finding in _judge(side, by_key[side.key], scope, rules)]
    findings += _unclassified(loose_lines(lines, scope), scope)
    findings += _repeated_otherwise(lines, scope)
    return tuple(sorted(findings, key=lambda finding: (finding.key, finding.currency)))


def _judge(side: Account, currencies: list[Account], scope: Scope, rules: Rules) -> list[Finding]:
    base = _base(side.key, side.currency, side.entries, side.lines, scope)
    mismatch = _currency_issue(side, currencies)
    if mismatch is not None:
        ours = tuple(entry_fact(entry) for other in currencies for entry in other.entries)
        theirs = tuple(line_fact(line) for other in currencies for line in other.lines)
        return [conclude(replace(base, ours=ours, theirs=theirs), [mismatch], SEVERITY, scope.cut)]
    unique, issues = set_repeats_aside(side)
    merged, in_parts, parts = merge_parts(unique, scope, rules)
    rest, voids = set_voids_aside(merged)
    issues += in_parts
    issues += (
        capture_issues(rest, scope, rules, parts)
        + refund_issues(rest, scope, rules)
        + dispute_issues(rest, scope, rules)
    )
    issues += fee_issues(unique, rules)
    base = replace(base, cause="; ".join(voids)) if voids else base
    exchanged = [conclude(finding, (), SEVERITY, scope.cut) for finding in fx_findings(unique, rules)]
    return [conclude(base, issues, SEVERITY, scope.cut), *exchanged]


def _currency_issue(side: Account, currencies: list[Account]) -> Issue | None:
    if len(currencies) == 1:
        return None
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
        findings.append(conclude(_base(f"line/{line_id}", currency, [], found, scope), [issue], SEVERITY, scope.cut))
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
        base = replace(
            _base(f"repeated/{line_id}", currency, [], [], scope), theirs=tuple(line_fact(line) for line in found)
        )
        findings.append(conclude(base, [issue], SEVERITY, scope.cut))
    return findings


def _by_row(lines: Iterable[LedgerLine]) -> dict[tuple[str, str], list[LedgerLine]]:
    rows: defaultdict[tuple[str, str], list[LedgerLine]] = defaultdict(list)
    for line in lines:
        rows[line.line_id, line.currency].append(line)
    return rows


def _base(key: str, currency: str, ours: list[BookEntry], theirs: list[LedgerLine], scope: Scope) -> Finding:
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
        before_minor=sum(line.gross_minor for line in theirs if not scope.in_window(line.created_at))
        - sum(entry.amount_minor for entry in ours if not scope.in_window(entry.occurred_at)),
    )
