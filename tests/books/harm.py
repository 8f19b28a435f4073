"""What a mutation of clean books is: what it harms, what must be found of it, and words to say both with."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from infra.local.books.market import TENDERS, Course
from infra.local.books.records import order_id, payout_of
from infra.local.books.story import Story, fee
from tests.books.filled import Filled
from worker.domain.finding import Finding, FindingKind, Leg, Outcome, Repair
from worker.domain.ledger import LedgerLine, LineKind
from worker.domain.payment import BookEntry, EntryKind

K, L = FindingKind, Leg
_PLAIN = frozenset({Course.PLAIN})


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """One finding that must be there."""

    leg: Leg
    key: str
    currency: str
    kind: FindingKind
    ours: int
    theirs: int
    risk: int
    outcome: Outcome = Outcome.BREAK
    repair: Repair = Repair.NONE

    @classmethod
    def of(cls, finding: Finding) -> "Expected":
        """Return a finding as it would have been expected."""
        return cls(
            leg=finding.leg,
            key=finding.key,
            currency=finding.currency,
            kind=finding.kind,
            ours=finding.ours_minor,
            theirs=finding.theirs_minor,
            risk=finding.at_risk_minor,
            outcome=finding.outcome,
            repair=finding.repair,
        )


Harm = Callable[[Filled, Story], list[Expected]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutation:
    """One way to harm an order of one of `courses`."""

    name: str
    harm: Harm
    courses: frozenset[Course] = _PLAIN
    collected: bool | None = None
    """Only orders whose money the shop collects (or only others); None: either."""

    def fits(self, story: Story) -> bool:
        """Tell whether an order may be harmed like that."""
        return story.course in self.courses and self.collected in {None, story.collected}


PARTLY = frozenset({Course.REFUNDED_IN_PART})


def each(*harms: Harm, courses: frozenset[Course] = _PLAIN, collected: bool | None = None) -> tuple[Mutation, ...]:
    """Return mutations of the same orders, named as their functions are."""
    return tuple(Mutation(name=harm.__name__, harm=harm, courses=courses, collected=collected) for harm in harms)


def about(leg: Leg, story: Story, kind: FindingKind, ours: int, theirs: int, risk: int, **more: object) -> Expected:
    """What must be found of an order in its own currency."""
    fields: dict[str, object] = {"key": f"order/{order_id(story)}", "currency": story.tender.code, **more}
    return Expected(leg=leg, kind=kind, ours=ours, theirs=theirs, risk=risk, **fields)  # type: ignore[arg-type]


REPAIRS = {
    K.MISSING_EXTERNAL: Repair.ASK_PROVIDER,
    K.REFUND_MISSING: Repair.ASK_PROVIDER,
    K.REFUND_EXCEEDS: Repair.DELIVER_REFUND,
    K.DISPUTED: Repair.DELIVER_DISPUTE,
}
"""What a break of the payments leg asks for where nothing else is told."""


def paid(story: Story, kind: FindingKind, ours: int, theirs: int, **more: object) -> Expected:
    """What must be found on the payments leg; what differs is at risk unless told otherwise."""
    breaks = more.get("outcome", Outcome.BREAK) is Outcome.BREAK
    usual = {"risk": abs(theirs - ours), "repair": REPAIRS.get(kind, Repair.NONE) if breaks else Repair.NONE}
    return about(L.PAYMENTS, story, kind, ours, theirs, **(usual | more))  # type: ignore[arg-type]


def capture(books: Filled, story: Story) -> BookEntry:
    """Our capture of the order."""
    return books.entries_of(order_id(story))[0]


def refund(books: Filled, story: Story) -> BookEntry:
    """Our refund of the order."""
    return books.entries_of(order_id(story), EntryKind.REFUND)[0]


def shown(books: Filled, story: Story, kind: LineKind = LineKind.CHARGE) -> LedgerLine:
    """The provider's line of a kind."""
    return next(line for line in books.lines_of(order_id(story)) if line.kind is kind)


def other_line(books: Filled, story: Story, kind: LineKind, minor: int, mark: str, **changes: object) -> LedgerLine:
    """A line of the order that should not be there, an hour after its charge."""
    charge = shown(books, story)
    kept = fee_of(kind, minor, charge.currency)
    at = charge.created_at + timedelta(hours=1)
    fields: dict[str, Any] = {
        "order_id": order_id(story),
        "type_text": str(kind),
        "source_id": f"xx_{mark}_{story.mark}",
    }
    return replace(
        charge,
        line_id=f"txn_{mark}_{story.mark}",
        kind=kind,
        gross_minor=minor,
        fee_minor=kept,
        net_minor=minor - kept,
        created_at=at,
        payout_id=payout_of(charge.currency, int(at.timestamp())),
        **(fields | changes),
    )


def regrossed(line: LedgerLine, minor: int) -> LedgerLine:
    """The line with another amount, and the fee that belongs to it."""
    kept = fee_of(line.kind, minor, line.currency)
    return replace(line, gross_minor=minor, fee_minor=kept, net_minor=minor - kept)


def fee_of(kind: LineKind, minor: int, currency: str) -> int:
    """What the provider keeps of a line that should not be there: it charges for charges."""
    return fee(minor, next(t for t in TENDERS if t.code == currency)) if kind is LineKind.CHARGE else 0
