"""What a run found, gone through once: counted, summed, and what is listed sorted, however much it is."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from worker.domain.finding import Break, Finding, FindingKind, Leg, Outcome, RepairState, break_id
from worker.domain.money import Money
from worker.reports.ageing import Ages, break_age, finding_age
from worker.reports.amounts import Sums, at_risk, exposure
from worker.services.open_breaks import Followed, OpenBreaks
from worker.services.ports import Run
from worker.services.spool import Spool

TOP = 10
STUCK = frozenset({RepairState.FAILED, RepairState.REFUSED})
"""Repairs that a person must see to."""


@dataclass(slots=True)
class Alike:
    """Open breaks of one kind between the same books, added up one by one."""

    leg: Leg
    kind: FindingKind
    largest: Break
    """The first of them in the report's order."""
    risk: Sums = field(default_factory=Sums)

    @property
    def code(self) -> str:
        """What tells them from others: `payments-amount_under`."""
        return f"{self.leg}-{self.kind}"


class Found:
    """The findings of a run."""

    def __init__(self, run: Run, as_of: datetime, ages: Ages) -> None:
        self._run = run
        self._as_of = as_of
        self._ages = ages
        self.matched = Sums()
        """Theirs, of what agrees to the cent."""
        self.explained: Spool[Finding] = Spool(key=_furthest_apart)
        self.explained_apart = Sums()
        self.rejected: Spool[Finding] = Spool(key=_row_order)
        self.pending: Spool[Finding] = Spool(key=self._next)
        self.pending_exposed = Sums()
        self.warnings: Spool[Finding] = Spool(key=_largest)
        self.warnings_exposed = Sums()
        self.settled: Spool[Finding] = Spool(key=_largest)
        self.settled_exposed = Sums()
        self.broken: Spool[str] = Spool(key=str)
        """Ids of the breaks that its differences belong to."""

    def add(self, finding: Finding) -> None:
        """Take one finding."""
        if finding.kind is FindingKind.MATCHED:
            self.matched.add(Money(finding.theirs_minor, finding.currency))
        if finding.kind is FindingKind.REJECTED_ROW:
            self.rejected.add(finding)
        elif finding.outcome is Outcome.MATCHED and finding.kind is not FindingKind.MATCHED:
            self.explained.add(finding)
            self.explained_apart.add(Money(abs(finding.difference_minor), finding.currency))
        elif finding.outcome is Outcome.PENDING:
            self.pending.add(finding)
            self.pending_exposed.add(exposure(finding))
            self._ages.add("pending", finding_age(finding, self._as_of), exposure(finding))
        elif finding.outcome is Outcome.WARNING and finding.settlement is None:
            self.warnings.add(finding)
            self.warnings_exposed.add(exposure(finding))
        elif finding.outcome is Outcome.WARNING:
            self.settled.add(finding)
            self.settled_exposed.add(exposure(finding))
        if finding.outcome is Outcome.BREAK:
            run = self._run
            self.broken.add(break_id(run.shop, run.provider, finding.leg, finding.key, finding.currency))

    @property
    def counted(self) -> dict[str, int]:
        """How many findings weigh how much, as a run counts them."""
        warnings = len(self.warnings) + len(self.settled) + len(self.rejected)
        return {"pending": len(self.pending), "warnings": warnings, "breaks": len(self.broken)}

    def _next(self, finding: Finding) -> tuple[datetime, str, str, str]:
        return (finding.break_on or self._as_of, finding.currency, finding.leg, finding.key)


class Open:
    """The open breaks."""

    def __init__(self, breaks: OpenBreaks, as_of: datetime, ages: Ages) -> None:
        self._as_of = as_of
        self._ages = ages
        self.followed = breaks.followed
        self.ids: Spool[str] = Spool(key=str)
        self.risk = Sums()
        self.apart = Sums()
        self.exposed = 0
        self.fresh = 0
        self.largest: dict[str, int] = {}
        """At risk in one break, by currency."""
        self.stuck = self.mending = self.left = self.unowned = 0
        """By what becomes of them: a repair that did not help, one under way, none; of these, those of no owner."""
        self._alike: dict[tuple[Leg, FindingKind], Alike] = {}
        self._orders: Spool[str] = Spool(key=str)
        self._top: dict[str, list[Followed]] = {}
        for one in self.followed:
            self._add(one)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.followed)

    def _add(self, followed: Followed) -> None:
        item = followed[0]
        finding, money = item.finding, at_risk(item)
        self.ids.add(item.break_id)
        self.risk.add(money)
        self.apart.add(Money(abs(finding.difference_minor), finding.currency))
        self.fresh += item.runs_seen <= 1
        self.largest[money.currency] = max(self.largest.get(money.currency, 0), money.minor)
        self._ages.add(item.status, break_age(item, self._as_of), money)
        top = self._top.setdefault(money.currency, [])
        if len(top) < TOP:
            top.append(followed)  # they come in this order
        alike = self._alike.get((finding.leg, finding.kind))
        if alike is None:
            alike = self._alike[finding.leg, finding.kind] = Alike(finding.leg, finding.kind, item)
        alike.risk.add(money)
        if item.repair_state in STUCK:
            self.stuck += 1
        elif item.repair_state is RepairState.REQUESTED:
            self.mending += 1
        else:
            self.left += 1
            self.unowned += not item.owner
        if finding.at_risk_minor:
            self.exposed += 1
            if finding.order_id:
                self._orders.add(finding.order_id)

    @property
    def top(self) -> list[Followed]:
        """The `TOP` breaks of each currency with the most at risk."""
        return [one for currency in sorted(self._top) for one in self._top[currency]]

    @property
    def kinds(self) -> list[Alike]:
        """What they are, the most frequent first."""
        return sorted(self._alike.values(), key=lambda one: (-one.risk.count, one.code))

    def orders(self) -> int:
        """Count the orders whose money is at risk."""
        return distinct(self._orders)


def distinct(names: Iterable[str]) -> int:
    """Count different names, which must be sorted."""
    before, number = None, 0
    for name in names:
        number += name != before
        before = name
    return number


def _largest(finding: Finding) -> tuple[str, int, str, str]:
    return (finding.currency, -exposure(finding).minor, finding.leg, finding.key)


def _furthest_apart(finding: Finding) -> tuple[str, int, str, str]:
    return (finding.currency, -abs(finding.difference_minor), finding.leg, finding.key)


def _row_order(finding: Finding) -> tuple[str, int, str]:
    """Order rejected rows as they stand in their file: their key ends in the line."""
    file, _, line = finding.key.rpartition("/")
    return (file, int(line) if line.isdecimal() else 0, finding.key)
