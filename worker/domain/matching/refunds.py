"""Refunds and disputes of one key.

Refunds are compared as sums, since a provider may give back in other portions than we booked; which refund the
other side lacks only decides how long to wait. A refund that failed afterwards counts as not made.
"""

from datetime import datetime

from worker.domain.finding import FindingKind, Repair
from worker.domain.ledger import LineKind
from worker.domain.matching.issue import Issue
from worker.domain.matching.movements import Account
from worker.domain.matching.rules import PLAIN, Moved, Rules, Side
from worker.domain.matching.scope import Scope
from worker.domain.money import format_minor


def refund_issues(account: Account, scope: Scope, rules: Rules = PLAIN) -> list[Issue]:
    """Return what is wrong with the refunds of an account that is free of repeats."""
    if not account.refunded and not account.refunds:
        return []
    difference = sum(line.gross_minor for line in account.refunded) - sum(e.amount_minor for e in account.refunds)
    if not difference:
        return []
    amount = f"{account.currency} {format_minor(abs(difference), account.currency)}"
    booked = sum(entry.amount_minor for entry in account.refunds)
    if account.refunded and booked and rules.tolerates(account.currency, booked, difference):
        return [
            Issue(
                kind=FindingKind.MATCHED_WITHIN_TOLERANCE,
                difference_minor=difference,
                cause=f"the refunds differ by {amount}, which the rules allow",
                accepted=True,
            )
        ]
    if difference > 0:
        failed = any(line.kind is LineKind.REFUND_FAILURE for line in account.refunded)
        reason = "; a refund failed at the provider" if failed else ""
        return [
            Issue(
                kind=FindingKind.REFUND_MISSING,
                difference_minor=difference,
                at_risk_minor=difference,
                cause=f"we booked refunds of {amount} that the provider did not make{reason}",
                break_on=_last(_ours_alone(account))
                + rules.grace(Side.EXTERNAL, account.methods, scope.payment_grace, Moved.REFUND),
                repair=Repair.ASK_PROVIDER,
                repair_reference=account.order_id,
            )
        ]
    return [
        Issue(
            kind=FindingKind.REFUND_EXCEEDS,
            difference_minor=difference,
            at_risk_minor=-difference,
            cause=f"the provider gave back {amount} more than our books hold",
            break_on=_last(_theirs_alone(account))
            + rules.grace(Side.INTERNAL, account.methods, scope.payment_grace, Moved.REFUND),
            repair=Repair.DELIVER_REFUND if account.order_id else Repair.NONE,
            repair_reference=account.order_id,
        )
    ]


def dispute_issues(account: Account, scope: Scope, rules: Rules = PLAIN) -> list[Issue]:
    """Return by how much the disputes of both books differ, if they do: an event of a dispute was lost."""
    if not account.disputed and not account.disputes:
        return []
    difference = sum(x.gross_minor for x in account.disputed) - sum(entry.amount_minor for entry in account.disputes)
    if not difference:
        return []
    amount = f"{account.currency} {format_minor(abs(difference), account.currency)}"
    ours = {(str(entry.kind), entry.reference) for entry in account.disputes}
    late = [line.created_at for line in account.disputed if (str(line.kind), line.source_id) not in ours]
    side = Side.INTERNAL if late else Side.EXTERNAL
    if difference < 0:
        cause = (
            f"a dispute withdrew {amount}, and our books do not hold that"
            if late
            else f"our books hold {amount} as returned by a dispute that the provider did not return"
        )
    elif late:
        cause = f"{amount} came back from a dispute that was won, and our books do not hold that"
    else:
        cause = f"our books hold {amount} as withdrawn by a dispute that the provider did not withdraw"
    times = late or [entry.occurred_at for entry in account.disputes] or [x.created_at for x in account.disputed]
    return [
        Issue(
            kind=FindingKind.DISPUTED,
            difference_minor=difference,
            at_risk_minor=abs(difference),
            cause=cause,
            break_on=_last(times) + rules.grace(side, account.methods, scope.payment_grace, Moved.DISPUTE),
            repair=Repair.DELIVER_DISPUTE if account.order_id and late else Repair.NONE,
            repair_reference=account.order_id,
        )
    ]


def _ours_alone(account: Account) -> list[datetime]:
    theirs = {line.source_id for line in account.refunded}
    failures = [line.created_at for line in account.refunded if line.kind is LineKind.REFUND_FAILURE]
    alone = [entry.occurred_at for entry in account.refunds if entry.reference not in theirs]
    return [*alone, *failures] or [entry.occurred_at for entry in account.refunds] or _all(account)


def _theirs_alone(account: Account) -> list[datetime]:
    ours = {entry.reference for entry in account.refunds}
    alone = [line.created_at for line in account.refunded if line.source_id not in ours]
    return alone or [line.created_at for line in account.refunded] or _all(account)


def _all(account: Account) -> list[datetime]:
    return [e.occurred_at for e in account.refunds] + [line.created_at for line in account.refunded]


def _last(times: list[datetime]) -> datetime:
    return max(times)
