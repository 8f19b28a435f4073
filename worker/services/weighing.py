"""A run's findings in the light of the breaks that are known: what people settled, and what becomes of each break.

Findings and breaks are gone through side by side, in the order of the breaks' ids, and neither is ever held as a whole.
"""

import heapq
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from operator import attrgetter, itemgetter
from typing import NamedTuple

from worker.domain.finding import OPEN_STATUSES, Break, BreakStatus, Finding, Outcome, Settlement, break_id
from worker.domain.matching.lifecycle import Course, decision_on, marked, twice
from worker.domain.matching.side_by_side import side_by_side
from worker.services.ports import Run, Transaction
from worker.services.spool import Spool

ASKED_AT_ONCE = 500
Fate = tuple[Break | None, Break | None]
"""A break as it was (None: there was none) and as it is to be stored (None: it stays as it is)."""


class Placed(NamedTuple):
    """A finding, the break it belongs to or would, and its place among all findings."""

    break_id: str
    position: int
    finding: Finding


class Weighing:
    """Weighs the findings of one run."""

    def __init__(self, tx: Transaction, run: Run, findings: Spool[Finding], now: datetime) -> None:
        self._findings = findings
        self._placed: Spool[Placed] = Spool(key=itemgetter(0))
        for position, one in enumerate(findings):
            name = break_id(run.shop, run.provider, one.leg, one.key, one.currency)
            self._placed.add(Placed(name, position, one))
        self._open: Spool[Break] = Spool(tx.breaks.each_open(run.shop, run.provider), key=attrgetter("break_id"))
        self._closed: Spool[Break] = Spool(key=attrgetter("break_id"))
        self._decisions: Spool[tuple[int, Settlement]] = Spool(key=itemgetter(0))
        self._look_up(tx, now)

    def findings(self) -> Iterator[Finding]:
        """Yield the findings in their order, those that a person has settled weighed as warnings."""
        decisions = iter(self._decisions)
        upcoming = next(decisions, None)
        for position, finding in enumerate(self._findings):
            if upcoming is not None and upcoming[0] == position:
                yield marked(finding, upcoming[1])
                upcoming = next(decisions, None)
            else:
                yield finding

    def fates(self, course: Course) -> Iterator[Fate]:
        """Yield every break that is known or that a finding makes, by their ids. Raises Conflict as `advance` does."""
        known = heapq.merge(self._open, self._closed, key=attrgetter("break_id"))
        for placed, item in self._beside(known):
            if placed is not None:
                # That a person settled it, the break itself says.
                yield item, course.following(placed.break_id, item, placed.finding)
            elif item is not None:
                yield item, course.following(item.break_id, item, None)

    def _look_up(self, tx: Transaction, now: datetime) -> None:
        """Find the breaks that are closed and concerned all the same, and the decisions that hold."""
        pairs = self._beside(self._open)
        while some := list(islice(pairs, ASKED_AT_ONCE)):
            unknown = [
                one.break_id
                for one, item in some
                if one is not None and item is None and one.finding.outcome is Outcome.BREAK
            ]
            closed = tx.breaks.by_ids(unknown)
            self._closed.extend(closed.values())
            for one, item in some:
                if one is None:
                    continue
                decision = decision_on(one.finding, item or closed.get(one.break_id), now)
                if decision is not None:
                    self._decisions.add((one.position, decision))

    def _beside(self, breaks: Iterable[Break]) -> Iterator[tuple[Placed | None, Break | None]]:
        return side_by_side(
            _once(self._placed), breaks, left_key=attrgetter("break_id"), right_key=attrgetter("break_id")
        )


def _once(placed: Iterable[Placed]) -> Iterator[Placed]:
    before = ""
    for one in placed:
        if one.break_id == before:
            raise twice(one.finding)
        before = one.break_id
        yield one


@dataclass(slots=True)
class Standing:
    """How the breaks stand after a run, counted while they pass."""

    of_status: Counter[BreakStatus] = field(default_factory=Counter)
    """Of those that the run changed."""
    open: int = 0
    at_risk: Counter[str] = field(default_factory=Counter)

    def counting(self, fates: Iterable[Fate]) -> Iterator[Fate]:
        """Yield the fates, each as soon as it is counted."""
        for before, after in fates:
            if after is not None:
                self.of_status[after.status] += 1
            item = after or before
            if item is not None and item.status in OPEN_STATUSES:
                self.open += 1
                self.at_risk[item.finding.currency] += item.finding.at_risk_minor
            yield before, after
