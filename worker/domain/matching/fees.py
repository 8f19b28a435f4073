"""The provider's fees against what was agreed, payment by payment.

A fee is no order money: a variance never moves the difference between the books. It is judged on settled amounts, and
over a payment as a whole, since the reversal of an uncaptured rest may give a part of the fee back.
"""

from worker.domain.finding import FindingKind, Outcome
from worker.domain.ledger import LedgerLine, LineKind
from worker.domain.matching.issue import Issue
from worker.domain.matching.movements import Account, as_settled, payment_of
from worker.domain.matching.rules import Rules
from worker.domain.money import format_minor


def fee_issues(account: Account, rules: Rules) -> list[Issue]:
    """Return one issue per payment whose fee is not as agreed; the account must be free of repeats."""
    if not rules.fees:
        return []
    payments: dict[tuple[str, str], list[LedgerLine]] = {}
    for line in map(as_settled, account.charged):
        payments.setdefault((payment_of(line), line.currency), []).append(line)
    issues = [_issue(name, currency, lines, rules) for (name, currency), lines in sorted(payments.items())]
    return [issue for issue in issues if issue is not None]


def _issue(name: str, currency: str, lines: list[LedgerLine], rules: Rules) -> Issue | None:
    charges = [line for line in lines if line.kind is LineKind.CHARGE]
    if not charges:
        return None
    method = next((line.method for line in lines if line.method), "")
    country = next((line.country for line in lines if line.country), "")
    schedule = rules.schedule(method, country, currency)
    if schedule is None:
        return None
    expected = schedule.expected(sum(line.gross_minor for line in lines), len(charges))
    actual = sum(line.fee_minor for line in lines)
    if not schedule.varies(expected, actual):
        return None
    accepted = rules.fee_variance is Outcome.MATCHED
    paid_by = " ".join(filter(None, (method, country))) or "any method"
    return Issue(
        kind=FindingKind.FEE_VARIANCE,
        at_risk_minor=0 if accepted else max(actual - expected, 0),
        cause=f"the fee of {name} is {currency} {format_minor(actual, currency)}, "
        f"agreed is {format_minor(expected, currency)} ({paid_by})",
        warning=rules.fee_variance is Outcome.WARNING,
        accepted=accepted,
    )
