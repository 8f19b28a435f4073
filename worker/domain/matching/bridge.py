"""The bridge: per currency, from our total of the window to the provider's, every minor unit explained.

    ours + lines = theirs, or the residual says what is not explained and the run is incomplete.

The totals are plain sums over the window. The lines come from the findings (which cover every movement that counts)
and from the movements outside the window, taken out again as `timing`. The two ways meet only here, which makes the
residual a check of the comparison and not a plug: a finding lost on the way, or a movement that no finding covers,
shows up as a residual. The roll-forward ties the bridges of consecutive runs together.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

from worker.domain.finding import Finding, FindingKind, Leg, Outcome, Statement, StatementLine
from worker.domain.ledger import LedgerLine
from worker.domain.matching.payments import SEVERITY
from worker.domain.matching.rollforward import APART, Opening, roll_forward
from worker.domain.matching.rules import PLAIN, Rules
from worker.domain.matching.scope import Scope
from worker.domain.matching.sums import WindowSums, window_sums
from worker.domain.payment import BookEntry

TIMING = "timing"
SETTLED = "settled"

_LABELS = {
    FindingKind.CURRENCY_MISMATCH: "Moved in another currency than booked",
    FindingKind.MISSING_INTERNAL: "Charged, but not in our books",
    FindingKind.DUPLICATE_EXTERNAL: "Charged or listed twice by the provider",
    FindingKind.MISSING_EXTERNAL: "Booked, but not in the provider's ledger",
    FindingKind.REFUND_EXCEEDS: "Given back by the provider, but not in our books",
    FindingKind.DISPUTED: "Withdrawn or returned by a dispute",
    FindingKind.AMOUNT_UNDER: "Captured less than booked",
    FindingKind.AMOUNT_OVER: "Captured more than booked",
    FindingKind.DUPLICATE_INTERNAL: "Booked twice by us",
    FindingKind.REFUND_MISSING: "Refunds booked, but not made by the provider",
    FindingKind.UNCLASSIFIED: "Moved for a reason no order explains",
    FindingKind.FEE_VARIANCE: "Agrees, but for another fee than agreed",
    FindingKind.MATCHED_WITHIN_TOLERANCE: "Differs within the tolerance",
    FindingKind.MATCHED_IN_PARTS: "Agrees, several payments being one of the other side",
}
_PENDING = {
    FindingKind.MISSING_INTERNAL: "Charged, on its way to our books",
    FindingKind.MISSING_EXTERNAL: "Booked, on its way to the provider's ledger",
    FindingKind.REFUND_MISSING: "Refunds booked, on their way at the provider",
    FindingKind.REFUND_EXCEEDS: "Refunds made, on their way to our books",
}
"""Where a movement within its grace is expected; of any other kind it may still arrive."""
_STEPS = {
    **{str(kind): _LABELS[kind] for kind in SEVERITY},
    SETTLED: "Settled by a person",
    **{f"pending_{kind}": _PENDING.get(kind, f"{_LABELS[kind]} (may still arrive)") for kind in SEVERITY},
}
"""Codes of lines and what they say, in their order."""


def statements(
    entries: Iterable[BookEntry],
    lines: Iterable[LedgerLine],
    findings: Iterable[Finding],
    order_of_payment: Mapping[str, str],
    scope: Scope,
    rules: Rules = PLAIN,
    openings: Mapping[str, Opening] | None = None,
) -> tuple[Statement, ...]:
    """Return one statement per currency, sorted; `findings` are those of `match_payments` over the same input."""
    return statements_of(window_sums(entries, lines, order_of_payment, scope, rules), findings, openings)


def statements_of(
    sums: Iterable[WindowSums], findings: Iterable[Finding], openings: Mapping[str, Opening] | None = None
) -> tuple[Statement, ...]:
    """Return one statement per currency, sorted, from sums that anybody made and the findings of the payments leg.

    Findings without a difference may be left out, but for the keys that the run before left open. Lines come in a
    fixed order: breaks and warnings by kind, those that a person settled, `pending_{kind}`, `timing`. A line counts
    findings; `timing` counts movements outside the window. `openings`: what the run before left, by currency; None
    where no run came before.
    """
    payments: defaultdict[str, list[Finding]] = defaultdict(list)
    for finding in findings:
        if finding.leg is Leg.PAYMENTS and finding.kind not in APART:
            payments[finding.currency].append(finding)
    by_currency = {one.currency: one for one in sums}
    found = []
    for currency in sorted(by_currency.keys() | payments.keys() | set(openings or ())):
        one = by_currency.get(currency, WindowSums(currency=currency))
        of_currency = payments[currency]
        opening = None if openings is None else openings.get(currency, Opening(run_id="", count=0, minor=0))
        found.append(
            Statement(
                currency=currency,
                ours_minor=one.ours_minor,
                theirs_minor=one.theirs_minor,
                lines=tuple(_steps(of_currency) + _timing(one)),
                fees_minor=one.fees_minor,
                net_minor=one.theirs_minor - one.fees_minor + one.converted_minor,
                converted_minor=one.converted_minor,
                roll=roll_forward(one, of_currency, opening),
            )
        )
    return tuple(found)


def _steps(findings: list[Finding]) -> list[StatementLine]:
    counts: Counter[str] = Counter()
    amounts: Counter[str] = Counter()
    for finding in findings:
        code = SETTLED if finding.settlement is not None else _code(finding)
        counts[code] += 1
        amounts[code] += finding.difference_minor
    return [
        StatementLine(code=code, label=label, count=counts[code], amount_minor=amounts[code])
        for code, label in _STEPS.items()
        if counts[code]
    ]


def _code(finding: Finding) -> str:
    return f"pending_{finding.kind}" if finding.outcome is Outcome.PENDING else finding.kind


def _timing(sums: WindowSums) -> list[StatementLine]:
    amount = sums.ours_outside_minor - sums.theirs_outside_minor
    if not amount:
        return []
    label = "Moved on one side inside the window, on the other before it"
    return [StatementLine(code=TIMING, label=label, count=sums.outside_count, amount_minor=amount)]
