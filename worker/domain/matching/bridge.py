"""The bridge: per currency, from our total of the window to the provider's, every minor unit explained.

    ours + lines = theirs, or the residual says what is not explained and the run is incomplete.

The totals are plain sums over the window. The lines come from the findings (which cover every movement that counts)
and from the movements outside the window, taken out again as `timing`. The two ways meet only here, which makes the
residual a check of the comparison and not a plug: a finding lost on the way, or a movement that no finding covers,
shows up as a residual.
"""

from collections.abc import Iterable, Mapping

from worker.domain.finding import Finding, FindingKind, Leg, Outcome, Statement, StatementLine
from worker.domain.ledger import LedgerLine, LineKind
from worker.domain.matching.movements import MONEY_KINDS, Account, accounts, loose_lines
from worker.domain.matching.payments import SEVERITY
from worker.domain.matching.scope import Scope
from worker.domain.payment import BookEntry

TIMING = "timing"

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
}

_COUNTED_FEES = MONEY_KINDS | {LineKind.PAYOUT, LineKind.TRANSFER}


def statements(
    entries: Iterable[BookEntry],
    lines: Iterable[LedgerLine],
    findings: Iterable[Finding],
    order_of_payment: Mapping[str, str],
    scope: Scope,
) -> tuple[Statement, ...]:
    """Return one statement per currency, sorted; `findings` are those of `match_payments` over the same input.

    Lines come in a fixed order: breaks and warnings by kind, then `pending_{kind}`, then `timing`. A line counts
    findings; `timing` counts movements outside the window. Fees are what the provider kept on lines of the window.
    """
    entries, lines = tuple(entries), tuple(lines)
    payments = [finding for finding in findings if finding.leg is Leg.PAYMENTS]
    sides = accounts(entries, lines, order_of_payment, scope)
    loose = loose_lines(lines, scope)
    inside = [line for line in lines if scope.in_window(line.created_at)]
    booked = [entry for entry in entries if scope.in_window(entry.occurred_at)]
    currencies = (
        {side.currency for side in sides}
        | {finding.currency for finding in payments}
        | {entry.currency for entry in booked}
        | {line.currency for line in (*inside, *loose)}
    )
    found = []
    for currency in sorted(currencies):
        ours = sum(entry.amount_minor for entry in booked if entry.currency == currency)
        here = [line for line in inside if line.currency == currency]
        theirs = sum(line.gross_minor for line in here if line.kind in MONEY_KINDS)
        fees = _fees(here)
        steps = _steps([finding for finding in payments if finding.currency == currency])
        steps += _timing(
            [side for side in sides if side.currency == currency],
            [line for line in loose if line.currency == currency],
            scope,
        )
        found.append(
            Statement(
                currency=currency,
                ours_minor=ours,
                theirs_minor=theirs,
                lines=tuple(steps),
                fees_minor=fees,
                net_minor=theirs - fees,
            )
        )
    return tuple(found)


def _steps(findings: list[Finding]) -> list[StatementLine]:
    steps = []
    for pending, prefix, suffix in ((False, "", ""), (True, "pending_", " (may still arrive)")):
        for kind in SEVERITY:
            concerned = [
                finding
                for finding in findings
                if finding.kind is kind and (finding.outcome is Outcome.PENDING) is pending
            ]
            if concerned:
                steps.append(
                    StatementLine(
                        code=f"{prefix}{kind}",
                        label=_LABELS[kind] + suffix,
                        count=len(concerned),
                        amount_minor=sum(finding.difference_minor for finding in concerned),
                    )
                )
    return steps


def _timing(sides: list[Account], loose: list[LedgerLine], scope: Scope) -> list[StatementLine]:
    ours = [e.amount_minor for side in sides for e in side.entries if not scope.in_window(e.occurred_at)]
    theirs = [
        line.gross_minor
        for line in [*(line for side in sides for line in side.lines), *loose]
        if not scope.in_window(line.created_at)
    ]
    amount = sum(ours) - sum(theirs)
    if not amount:
        return []
    label = "Moved on one side inside the window, on the other before it"
    return [StatementLine(code=TIMING, label=label, count=len(ours) + len(theirs), amount_minor=amount)]


def _fees(lines: list[LedgerLine]) -> int:
    """Sum what the provider kept: the fee of each line, and fee lines whole (their fee may stand in either field)."""
    kept = sum(line.fee_minor for line in lines if line.kind in _COUNTED_FEES)
    return kept - sum(line.net_minor for line in lines if line.kind is LineKind.FEE)
