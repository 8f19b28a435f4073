"""Payouts leg: each payout of the provider against the ledger lines it pays out. On sums, never on all lines.

Only automatic payouts can be itemised: of a manual or instant one the provider itself cannot say which lines it pays
out. A payout that is still gathering lines is not judged, one that failed or was cancelled gave its lines back.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from worker.domain.finding import Fact, Finding, FindingKind, Leg, Outcome
from worker.domain.ledger import LedgerLine, LineKind
from worker.domain.matching.issue import Issue, conclude
from worker.domain.matching.rules import PLAIN, Rules
from worker.domain.matching.scope import Scope
from worker.domain.money import format_minor


class PayoutStatus(StrEnum):
    """Where a payout stands. A paid one may still come back as failed, days later."""

    SCHEDULED = "scheduled"
    IN_TRANSIT = "in_transit"
    PAID = "paid"
    FAILED = "failed"
    CANCELLED = "cancelled"


SENT = frozenset({PayoutStatus.IN_TRANSIT, PayoutStatus.PAID})


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

    @property
    def key(self) -> str:
        """The key of its findings."""
        return f"payout/{self.payout_id}"

    @property
    def names(self) -> tuple[str, ...]:
        """Everything the bank may call it by."""
        return (self.payout_id, *self.references)


SEVERITY = (FindingKind.PAYOUT_INCOMPLETE, FindingKind.PAYOUT_FAILED, FindingKind.PAYOUT_NOT_ITEMISABLE)
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


def match_payouts(payouts: Iterable[PayoutSums], scope: Scope, rules: Rules = PLAIN) -> tuple[Finding, ...]:
    """Compare each payout with its lines; one finding per payout and currency, sorted by key.

    A finding's `ours` is the sum of the lines, its `theirs` the payout. Payouts due before the horizon or at the cut
    or later are left to other runs.
    """
    judged = (
        payout for payout in payouts if scope.judged(payout.arrives_at) and payout.status is not PayoutStatus.SCHEDULED
    )
    return tuple(
        _judge(payout, scope, rules) for payout in sorted(judged, key=lambda one: (one.payout_id, one.currency))
    )


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


def _judge(payout: PayoutSums, scope: Scope, rules: Rules) -> Finding:
    compared = payout.automatic and payout.status in SENT
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
        theirs=(payout_fact(payout),),
    )
    return conclude(base, _issues(payout, rules), SEVERITY, scope.cut)


def _issues(payout: PayoutSums, rules: Rules) -> list[Issue]:
    if payout.status not in SENT:
        return [
            Issue(
                kind=FindingKind.PAYOUT_FAILED,
                cause=f"the payout of {_text(payout, payout.amount_minor)} was {payout.status}: "
                "the money is still at the provider",
                warning=True,
            )
        ]
    if not payout.automatic:
        return [
            Issue(
                kind=FindingKind.PAYOUT_NOT_ITEMISABLE,
                cause="a manual or instant payout: the provider cannot say which lines it pays out",
                accepted=True,
            )
        ]
    apart = payout.amount_minor - payout.lines_minor
    if not apart:
        return []
    number = sum(payout.counts.values())
    told = f"its {number} lines make {_text(payout, payout.lines_minor)}" if number else "no line of it is known"
    return [
        Issue(
            kind=FindingKind.PAYOUT_INCOMPLETE,
            difference_minor=apart,
            at_risk_minor=abs(apart),
            cause=f"paid out are {_text(payout, payout.amount_minor)}, {told}",
            break_on=payout.arrives_at + rules.payout_grace,
        )
    ]


def _text(payout: PayoutSums, minor: int) -> str:
    return f"{payout.currency} {format_minor(minor, payout.currency)}"
