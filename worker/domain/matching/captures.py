"""Captures of one key: what we booked against what was charged, payment by payment.

Invariant: the differences of the issues add up to theirs minus ours, so nothing can differ without an issue.
"""

from worker.domain.finding import FindingKind, Repair
from worker.domain.matching.issue import Issue
from worker.domain.matching.merging import NOTHING_MERGED, Merged
from worker.domain.matching.movements import Account, captured, charged
from worker.domain.matching.paid import Paid
from worker.domain.matching.rules import PLAIN, Rules, Side
from worker.domain.matching.scope import Scope
from worker.domain.money import format_minor


def capture_issues(
    account: Account, scope: Scope, rules: Rules = PLAIN, merged: Merged = NOTHING_MERGED
) -> list[Issue]:
    """Return what is wrong with the captures of an account that is free of repeats, and `merged` where that is allowed."""
    ours, theirs = captured(account.captures), charged(account.charged)
    total = sum(line.gross_minor for line in account.charged) - sum(e.amount_minor for e in account.captures)
    if theirs and not ours:
        issues = [_missing_internal(account, theirs, scope, rules)]
    elif ours and not theirs:
        issues = [_missing_external(account, ours, scope, rules)]
    else:
        issues = _surplus_outside(account, ours, theirs, scope, rules, merged) + _surplus_inside(
            account, ours, theirs, scope, rules, merged
        )
    rest = total - sum(issue.difference_minor for issue in issues)
    allowed = rules if ours and theirs else PLAIN
    return issues + [_amount(account, part, allowed, merged) for part in _apart(rest, ours, theirs)]


def _apart(rest: int, ours: list[Paid], theirs: list[Paid]) -> list[int]:
    """Return the difference that is left; too much for one payment and too little for another of the order stay two.

    What is known of single payments are those that both sides call alike: of others only the sum can be compared.
    """
    booked = {paid.reference: paid.minor for paid in ours}
    known = [paid.minor - booked[paid.reference] for paid in theirs if paid.reference in booked]
    over = sum(difference for difference in known if difference > 0)
    under = sum(difference for difference in known if difference < 0)
    if not (over and under):
        return [rest] if rest else []
    others = rest - over - under
    over, under = over + max(others, 0), under + min(others, 0)
    return [over, under]


def _amount(account: Account, rest: int, rules: Rules, merged: Merged) -> Issue:
    side = "less" if rest < 0 else "more"
    if rules.tolerates(account.currency, sum(e.amount_minor for e in account.captures), rest):
        return Issue(
            kind=FindingKind.MATCHED_WITHIN_TOLERANCE,
            difference_minor=rest,
            cause=f"the provider captured {_text(account, abs(rest))} {side} than we booked, which the rules allow",
            accepted=True,
        )
    return Issue(
        kind=FindingKind.AMOUNT_UNDER if rest < 0 else FindingKind.AMOUNT_OVER,
        difference_minor=rest,
        at_risk_minor=abs(rest),
        cause=f"the provider captured {_text(account, abs(rest))} {side} than we booked",
        break_on=merged.awaited_until,
    )


def _missing_internal(account: Account, theirs: list[Paid], scope: Scope, rules: Rules) -> Issue:
    minor = sum(paid.minor for paid in theirs)
    return Issue(
        kind=FindingKind.MISSING_INTERNAL,
        difference_minor=minor,
        at_risk_minor=minor,
        cause=f"the provider charged {_text(account, minor)} in {_count(theirs)} that our books do not hold: "
        + ("the message about it was probably lost" if account.order_id else "no order of ours is known for it"),
        break_on=max(paid.last_at for paid in theirs)
        + rules.grace(Side.INTERNAL, account.methods, scope.payment_grace),
        repair=Repair.DELIVER_PAYMENT if account.order_id else Repair.NONE,
        repair_reference=account.order_id,
    )


def _missing_external(account: Account, missing: list[Paid], scope: Scope, rules: Rules) -> Issue:
    minor = sum(paid.minor for paid in missing)
    return Issue(
        kind=FindingKind.MISSING_EXTERNAL,
        difference_minor=-minor,
        at_risk_minor=minor,
        cause=f"our books hold {_text(account, minor)} in {_count(missing)} that the provider's ledger does not show",
        break_on=max(paid.last_at for paid in missing)
        + rules.grace(Side.EXTERNAL, account.methods, scope.payment_grace),
        repair=Repair.ASK_PROVIDER,
        repair_reference=account.order_id,
    )


def _surplus_outside(
    account: Account, ours: list[Paid], theirs: list[Paid], scope: Scope, rules: Rules, merged: Merged
) -> list[Issue]:
    kept, surplus = _pair(theirs, ours)
    amounts = {paid.minor for paid in kept} | merged.theirs_minor
    # A payment of another amount may be the rest of a split one, its message under way; the same amount again is not.
    double = [paid for paid in surplus if paid.minor in amounts]
    other = [paid for paid in surplus if paid.minor not in amounts]
    late = rules.grace(Side.INTERNAL, account.methods, scope.payment_grace)
    return [
        Issue(
            kind=FindingKind.DUPLICATE_EXTERNAL,
            difference_minor=sum(paid.minor for paid in some),
            at_risk_minor=sum(paid.minor for paid in some),
            cause=f"the provider charged {_count(theirs)} where we hold {len(ours)}: "
            f"{_text(account, sum(paid.minor for paid in some))} too much, {_names(some)}",
            break_on=max(paid.last_at for paid in some) + late if some is other else None,
        )
        for some in (double, other)
        if some
    ]


def _surplus_inside(
    account: Account, ours: list[Paid], theirs: list[Paid], scope: Scope, rules: Rules, merged: Merged
) -> list[Issue]:
    kept, surplus = _pair(ours, theirs)
    amounts = {paid.minor for paid in kept} | merged.ours_minor
    double = [paid for paid in surplus if paid.minor in amounts]
    missing = [paid for paid in surplus if paid.minor not in amounts]
    issues: list[Issue] = []
    if double:
        minor = sum(paid.minor for paid in double)
        issues.append(
            Issue(
                kind=FindingKind.DUPLICATE_INTERNAL,
                difference_minor=-minor,
                at_risk_minor=minor,
                cause=f"we booked {_count(ours)} where the provider charged {len(theirs)}: "
                f"{_text(account, minor)} too much, {_names(double)}",
            )
        )
    if missing:
        # A payment of another amount is a second payment on its way, not the first one booked again.
        issues.append(_missing_external(account, missing, scope, rules))
    return issues


def _pair(many: list[Paid], few: list[Paid]) -> tuple[list[Paid], list[Paid]]:
    """Keep as many payments as the other side has, those it knows by reference, then by amount, then the oldest."""
    references = {paid.reference for paid in few}
    amounts = {paid.minor for paid in few}
    ranked = sorted(
        many,
        key=lambda paid: (
            paid.reference not in references,
            paid.minor not in amounts,
            paid.first_at,
            paid.reference,
        ),
    )
    return ranked[: len(few)], ranked[len(few) :]


def _text(account: Account, minor: int) -> str:
    return f"{account.currency} {format_minor(minor, account.currency)}"


def _count(payments: list[Paid]) -> str:
    return "one payment" if len(payments) == 1 else f"{len(payments)} payments"


def _names(payments: list[Paid]) -> str:
    shown = sorted(paid.reference for paid in payments)
    return ", ".join(shown[:3]) + (f" and {len(shown) - 3} more" if len(shown) > 3 else "")
