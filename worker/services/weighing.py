"""A run's findings in the light of the breaks that are known: what people settled, and what becomes of each break.

Findings and breaks are gone through side by side, in the order of the breaks' ids, and neither is ever held as a whole.
"""

import heapq
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice
from operator import attrgetter, itemgetter
from typing import NamedTuple

from worker.domain.finding import OPEN_STATUSES, Break, BreakStatus, Finding, Outcome, Settlement
from worker.domain.finding_codec import finding_text, read_finding
from worker.domain.matching.lifecycle import Course, decision_on, marked, twice
from worker.domain.matching.side_by_side import side_by_side
from worker.services.findings import Findings, Placed
from worker.services.ports import Run, Transaction
from worker.services.spool import Spool

ASKED_AT_ONCE = 500
_break_of = attrgetter("break_id")
_Found = tuple[int, Placed]


class Fate(NamedTuple):
    """What becomes of a break."""

    before: Break | None
    """As it was; None: there was none."""
    after: Break | None
    """As it is to be stored; None: it stays as it is."""
    text: str
    """The document of the finding of `after`, which comes without its evidence then; empty where it is whole."""

    def whole(self) -> Break | None:
        """Return `after` with all its evidence."""
        return replace(self.after, finding=read_finding(self.text)) if self.after and self.text else self.after


class Weighing:
    """Weighs the findings of one run."""

    def __init__(self, tx: Transaction, run: Run, findings: Findings, now: datetime) -> None:
        self._findings = findings
        self._open: Spool[Break] = Spool(tx.breaks.each_open(run.shop, run.provider), key=_break_of)
        self._closed: Spool[Break] = Spool(key=_break_of)
        self._decisions: Spool[tuple[int, Settlement]] = Spool(key=itemgetter(0))
        self._look_up(tx, now)

    def bare(self) -> list[Finding]:
        """Return the findings without evidence, those that a person has settled weighed as warnings."""
        return list(self._weighed(placed.finding for placed in self._findings.placed))

    def findings(self) -> Iterator[Finding]:
        """Yield the findings whole, in their order, weighed in the same way."""
        return self._weighed(self._findings)

    def written(self) -> Iterator[tuple[Finding, str]]:
        """Yield each of `bare` with the text of the whole."""
        for placed, weighed in zip(self._findings.placed, self.bare(), strict=True):
            text = self._findings.text(placed)
            if weighed is not placed.finding:
                text = finding_text(marked(read_finding(text), weighed.settlement))
            yield weighed, text

    def fates(self, course: Course) -> Iterator[Fate]:
        """Yield every break that is known or that a finding makes, by their ids. Raises Conflict as `advance` does."""
        known = heapq.merge(self._open, self._closed, key=_break_of)
        for found, item in _beside(_once(self._findings.by_break()), known):
            if found is not None:
                placed = found[1]
                # That a person settled it, the break itself says.
                after = course.following(placed.break_id, item, placed.finding, placed.first_at)
                shown = after is not None and after.finding is placed.finding
                yield Fate(item, after, self._findings.text(placed) if shown else "")
            elif item is not None:
                yield Fate(item, course.following(item.break_id, item), "")

    def _look_up(self, tx: Transaction, now: datetime) -> None:
        """Find the breaks that are closed and concerned all the same, and the decisions that hold."""
        pairs = _beside(self._findings.by_break(), self._open)
        while some := list(islice(pairs, ASKED_AT_ONCE)):
            unknown = [
                one[1].break_id
                for one, item in some
                if one is not None and item is None and one[1].finding.outcome is Outcome.BREAK
            ]
            closed = tx.breaks.by_ids(unknown)
            self._closed.extend(closed.values())
            for one, item in some:
                if one is None:
                    continue
                position, placed = one
                decision = decision_on(placed.finding, item or closed.get(placed.break_id), now)
                if decision is not None:
                    self._decisions.add((position, decision))

    def _weighed(self, findings: Iterable[Finding]) -> Iterator[Finding]:
        decisions = iter(self._decisions)
        upcoming = next(decisions, None)
        for position, finding in enumerate(findings):
            if upcoming is not None and upcoming[0] == position:
                yield marked(finding, upcoming[1])
                upcoming = next(decisions, None)
            else:
                yield finding


def _beside(found: Iterable[_Found], breaks: Iterable[Break]) -> Iterator[tuple[_Found | None, Break | None]]:
    return side_by_side(found, breaks, left_key=lambda one: one[1].break_id, right_key=_break_of)


def _once(found: Iterable[_Found]) -> Iterator[_Found]:
    before = ""
    for one in found:
        if one[1].break_id == before:
            raise twice(one[1].finding)
        before = one[1].break_id
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
        for fate in fates:
            if fate.after is not None:
                self.of_status[fate.after.status] += 1
            item = fate.after or fate.before
            if item is not None and item.status in OPEN_STATUSES:
                self.open += 1
                self.at_risk[item.finding.currency] += item.finding.at_risk_minor
            yield fate
