"""Payouts leg: each payout of the provider against the ledger lines it pays out. On sums, never on all lines.

Only automatic payouts can be itemised: of a manual or instant one the provider itself cannot say which lines it pays
out. One that failed or was cancelled gave its lines back. A payout that is still gathering lines is not judged where the
provider is asked again; of files nobody knows whether another comes, so there it is told with its day.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from worker.domain.finding import Fact, Finding, FindingKind, Leg, Outcome
from worker.domain.ledger import LedgerLine, LineKind
from worker.domain.matching.issue import Issue, conclude
from worker.domain.matching.rules import PLAIN, Rules
from worker.domain.matching.scope import Scope
from worker.domain.money import format_minor
from worker.domain.window import Span


class PayoutStatus(StrEnum):
    """Where a payout stands. A paid one may still come back as failed, days later."""

    SCHEDULED = "scheduled"
    IN_TRANSIT = "in_transit"
    PAID = "paid"
    FAILED = "failed"
    CANCELLED = "cancelled"


SENT = frozenset({PayoutStatus.IN_TRANSIT, PayoutStatus.PAID})
UNDER_WAY = frozenset({PayoutStatus.SCHEDULED, PayoutStatus.IN_TRANSIT})
"""It has not arrived, as far as the provider said."""
GIVEN_BACK = frozenset({PayoutStatus.FAILED, PayoutStatus.CANCELLED})


class Reach(StrEnum):
    """How much of what a payout may pay out is known, where its lines are told by files."""

    WHOLE = "whole"
    BEGINS_BEFORE = "begins_before"
    """Some of its lines may be older than the first that any file tells."""
    ENDS_AFTER = "ends_after"
    """Some of its lines may be younger than the last that any file tells: the next one may bring them."""
    UNTOLD = "untold"
    """Of its time no file tells: only the bank can be held against it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PayoutSums:
    """One payout and the sums over its lines. Amounts are minor units; positive is paid to us."""

    payout_id: str
    currency: str
    amount_minor: int
    status: PayoutStatus
    arrives_at: datetime
    """The day it is due at the bank."""
    automatic: bool = True
    itemised: bool = True
    """Whether the provider says that it told every line of it."""
    lines_minor: int = 0
    """Sum of the net amounts of its lines, the payout's own line excluded."""
    counts: Mapping[LineKind, int] = field(default_factory=dict)
    """How many lines of each kind it pays out."""
    references: tuple[str, ...] = ()
    """What else names it at the bank: a trace id, a statement descriptor."""
    exported: bool = False
    """Told by a file: what became of it since, only another file can say."""
    reach: Reach = Reach.WHOLE
    listed: bool = True
    """False: lines name it, and what lists all payouts of its time lacks it. Its amount is not known then (0)."""
    day_told: bool = True
    """False: no list at hand tells of its day, so none can lack it."""
    otherwise: str = ""
    """What another source says of it that cannot be true as well, in words; empty where all agree."""
    otherwise_minor: int = 0
    """By how much the other source's amount is apart."""

    @property
    def key(self) -> str:
        """The key of its findings."""
        return f"payout/{self.payout_id}"

    @property
    def names(self) -> tuple[str, ...]:
        """Everything the bank may call it by. The day that stands for an id no provider gave is no name: days are many's."""
        mere_day = self.payout_id == f"{self.arrives_at:%Y-%m-%d}"
        return self.references if mere_day else (self.payout_id, *self.references)


_DAY = timedelta(days=1)
"""A list of a day is made after it."""
SEVERITY = (
    FindingKind.PAYOUT_CONTRADICTED,
    FindingKind.PAYOUT_UNLISTED,
    FindingKind.PAYOUT_INCOMPLETE,
    FindingKind.PAYOUT_FAILED,
    FindingKind.PAYOUT_UNDER_WAY,
    FindingKind.PAYOUT_NOT_ITEMISABLE,
)
"""Which class names a finding when several apply, worst first."""


def payout_sums(lines: Iterable[LedgerLine]) -> tuple[PayoutSums, ...]:
    """Return the payouts that stand in a ledger beside the lines they pay out, sorted; as sent, on their line's day.

    For statements that are whole payouts (a settlement batch, a payout reconciliation). A payout that names no line of
    its own is left out: what it pays out was not told, so nothing can be said of it.
    """
    paid: dict[tuple[str, str], list[LedgerLine]] = {}
    nets: Counter[tuple[str, str]] = Counter()
    kinds: dict[tuple[str, str], Counter[LineKind]] = {}
    for line in lines:
        key = (line.payout_id, line.currency)
        if not line.payout_id:
            continue
        if line.kind is LineKind.PAYOUT:
            paid.setdefault(key, []).append(line)
        else:
            nets[key] += line.net_minor
            kinds.setdefault(key, Counter())[line.kind] += 1
    return tuple(
        PayoutSums(
            payout_id=payout_id,
            currency=currency,
            amount_minor=-sum(line.net_minor for line in paid[payout_id, currency]),
            status=PayoutStatus.PAID,
            arrives_at=max(line.created_at for line in paid[payout_id, currency]),
            lines_minor=nets[payout_id, currency],
            counts=dict(kinds[payout_id, currency]),
        )
        for payout_id, currency in sorted(paid.keys() & kinds.keys())
    )


def payout_scope(scope: Scope, rules: Rules = PLAIN) -> Scope:
    """Return a scope that looks back as far as a payout may still come back."""
    return replace(scope, horizon_start=min(scope.horizon_start, scope.window_start - rules.payout_lookback))


def payouts_named(scope: Scope, rules: Rules = PLAIN) -> Span:
    """Return when those payouts are due that the bookings of a scope of payouts may name.

    A bank may book one days before the day that the provider tells, or days after: a booking at either end of the scope
    has its payout outside of it, and so has a payout its booking.
    """
    apart = max(rules.payout_lookback, rules.bank_grace)
    return Span(scope.horizon_start - apart, scope.cut + apart)


def match_payouts(
    payouts: Iterable[PayoutSums],
    scope: Scope,
    rules: Rules = PLAIN,
    arrived: AbstractSet[tuple[str, str]] = frozenset(),
) -> tuple[Finding, ...]:
    """Compare each payout with its lines; one finding per payout and currency, sorted by key.

    A finding's `ours` is the sum of the lines, its `theirs` the payout. Payouts due before the horizon or at the cut
    or later are left to other runs, but for those that a file calls under way: they are told with their day. `arrived`
    are those (key, currency) that the bank has booked, whatever the file says.
    """
    judged = (payout for payout in payouts if _judged(payout, scope, rules))
    return tuple(
        _judge(payout, scope, rules, arrived=(payout.key, payout.currency) in arrived)
        for payout in sorted(judged, key=lambda one: (one.payout_id, one.currency))
    )


def _judged(payout: PayoutSums, scope: Scope, rules: Rules) -> bool:
    if payout.exported and payout.status in UNDER_WAY:
        return scope.horizon_start <= payout.arrives_at < scope.cut + rules.payout_lookback
    if payout.reach is Reach.UNTOLD or payout.status is PayoutStatus.SCHEDULED:
        return False
    return scope.judged(payout.arrives_at)


def payout_fact(payout: PayoutSums) -> Fact:
    """Return a payout as evidence."""
    return Fact(
        record="payout",
        reference=payout.payout_id,
        amount_minor=payout.amount_minor,
        currency=payout.currency,
        at=payout.arrives_at,
        status=payout.status,
    )


def _judge(payout: PayoutSums, scope: Scope, rules: Rules, *, arrived: bool) -> Finding:
    compared = payout.automatic and payout.status not in GIVEN_BACK and payout.reach is not Reach.UNTOLD
    base = Finding(
        leg=Leg.PAYOUTS,
        key=payout.key,
        kind=FindingKind.MATCHED,
        outcome=Outcome.MATCHED,
        currency=payout.currency,
        ours_minor=payout.lines_minor if compared else payout.amount_minor,
        theirs_minor=payout.amount_minor,
        ours=tuple(
            Fact(
                record="lines",
                reference=f"{number} {kind}",
                amount_minor=None,
                currency=payout.currency,
                at=payout.arrives_at,
            )
            for kind, number in sorted(payout.counts.items())
        ),
        theirs=(payout_fact(payout),) if payout.listed else (),
    )
    return conclude(base, list(_issues(payout, scope, rules, arrived=arrived)), SEVERITY, scope.cut)


def _issues(payout: PayoutSums, scope: Scope, rules: Rules, *, arrived: bool) -> Iterator[Issue]:
    if payout.otherwise:
        yield Issue(
            kind=FindingKind.PAYOUT_CONTRADICTED,
            at_risk_minor=abs(payout.otherwise_minor),
            cause=payout.otherwise,
            warning=not payout.otherwise_minor,
        )
    if not payout.day_told:
        yield Issue(
            kind=FindingKind.PAYOUT_UNLISTED,
            cause=f"{sum(payout.counts.values())} lines of {_text(payout, payout.lines_minor)} name it, and no list of "
            f"payouts at hand tells of its day, {payout.arrives_at:%Y-%m-%d}: import the one that does",
            break_on=payout.arrives_at + _DAY + rules.payout_grace,
            warning=True,
        )
        return
    if not payout.listed:
        yield Issue(
            kind=FindingKind.PAYOUT_UNLISTED,
            difference_minor=-payout.lines_minor,
            at_risk_minor=abs(payout.lines_minor),
            cause=f"{sum(payout.counts.values())} lines of {_text(payout, payout.lines_minor)} name it, "
            "and the list of payouts that tells of its day lacks it",
        )
        return
    if payout.status in GIVEN_BACK:
        yield Issue(
            kind=FindingKind.PAYOUT_FAILED,
            cause=f"the payout of {_text(payout, payout.amount_minor)} was {payout.status}: "
            "the money is still at the provider",
            warning=True,
        )
        return
    if payout.exported and payout.status in UNDER_WAY and not arrived:
        yield Issue(
            kind=FindingKind.PAYOUT_UNDER_WAY,
            cause=f"{_text(payout, payout.amount_minor)} are due on {payout.arrives_at:%Y-%m-%d} and were "
            f"{payout.status.replace('_', ' ')} when the file was made: a newer list of payouts says what became of them",
            break_on=payout.arrives_at + rules.bank_grace,
            warning=True,
        )
    if not payout.automatic:
        yield Issue(
            kind=FindingKind.PAYOUT_NOT_ITEMISABLE,
            cause="a manual or instant payout: the provider cannot say which lines it pays out",
            accepted=True,
        )
    elif payout.amount_minor != payout.lines_minor and payout.reach is not Reach.UNTOLD:
        yield _incomplete(payout, scope, rules)


def _incomplete(payout: PayoutSums, scope: Scope, rules: Rules) -> Issue:
    apart = payout.amount_minor - payout.lines_minor
    number = sum(payout.counts.values())
    told = f"its {number} lines make {_text(payout, payout.lines_minor)}" if number else "no line of it is known"
    told += _UNKNOWN.get(payout.reach, "")
    due = payout.arrives_at + rules.payout_grace
    return Issue(
        kind=FindingKind.PAYOUT_INCOMPLETE,
        difference_minor=apart,
        at_risk_minor=abs(apart),
        cause=f"paid out are {_text(payout, payout.amount_minor)}, {told}",
        # What the next file may bring is waited for from run to run, since a run over it judges the payout anew.
        break_on=max(due, scope.cut + rules.payout_grace) if payout.reach is Reach.ENDS_AFTER else due,
        warning=payout.reach is Reach.BEGINS_BEFORE,
    )


_UNKNOWN = {
    Reach.BEGINS_BEFORE: "; it may pay out older lines than the first that was imported",
    Reach.ENDS_AFTER: "; its last lines may be in the next statement",
}


def _text(payout: PayoutSums, minor: int) -> str:
    return f"{payout.currency} {format_minor(minor, payout.currency)}"
