"""The report as data: everything summed, sorted, aged and said in words, before any format is chosen.

HTML, CSV, JSON and the terminal all render this one model, so they cannot disagree. Amounts are `Money`
(minor units and currency) and are never added across currencies. Times are aware and UTC. The model is a
function of its inputs alone: no clock, so that the same run gives the same report. What is listed waits on disk where it
is long (`Spool`).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from worker.domain.finding import Break, Finding, FindingKind, Leg, Statement, Verdict
from worker.domain.money import Money
from worker.reports import words
from worker.reports.ageing import Ageing, Ages, break_age
from worker.reports.agenda import Task, agenda
from worker.reports.amounts import at_risk
from worker.reports.bridge import Bridge, Check, bridge, checks, moved_on
from worker.reports.cards import Card, Told, cards, sentence
from worker.reports.charts import share
from worker.reports.found import Alike, Found, Open
from worker.reports.trend import Trend, trend
from worker.services.open_breaks import Followed, OpenBreaks
from worker.services.ports import BreakAction, Run
from worker.services.spool import Mapped, Spool

_WARNED = frozenset({FindingKind.UNCLASSIFIED, FindingKind.FEE_VARIANCE})
"""What of the payments weighs as a warning where it is no break."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenBreak:
    """One open break with its age and what was done about it."""

    item: Break
    age: timedelta
    history: tuple[BreakAction, ...]

    @property
    def at_risk(self) -> Money:
        """What it puts at risk."""
        return at_risk(self.item)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One finished run, ready to render."""

    run: Run
    as_of: datetime
    """When the run finished (or started, while it has not): ages count up to here."""
    verdict: Verdict
    sentence: str
    agenda: tuple[Task, ...]
    compared: int
    cards: tuple[Card, ...]
    bridges: tuple[Bridge, ...]
    checks: tuple[Check, ...]
    ageing: Ageing
    trend: Trend
    kinds: tuple[Alike, ...]
    """The open breaks by what they are, the most frequent first."""
    breaks: Mapped[OpenBreak]
    """By currency, largest amount at risk first, then oldest first."""
    top: tuple[OpenBreak, ...]
    """The ten of each currency with the most at risk."""
    largest: Mapping[str, int]
    """At risk in one break, in minor units by currency."""
    pending: Spool[Finding]
    """The next to become a break first."""
    warnings: Spool[Finding]
    settled: Spool[Finding]
    """Differences that are still there and that a person settled: each says who, when and why."""
    explained: Spool[Finding]
    """What agrees by a rule and not to the cent: within a tolerance, exchange differences, returned goods."""
    rejected: Spool[Finding]
    """Rows of the statement that could not be read, in the order of the file."""
    repaired: tuple[Break, ...]
    """Resolved since the last run because a repair of ours worked."""
    agreed: tuple[Break, ...]
    """Resolved since the last run for any other reason."""
    reproduce: str
    moved_on: bool
    """The open breaks are those of now: later runs changed them since this one."""

    @property
    def sound(self) -> bool:
        """Whether the report's checks on itself all hold."""
        return all(check.holds for check in self.checks)

    @property
    def faults(self) -> tuple[Check, ...]:
        """Checks that fail, but for the first: what could not be read is what an incomplete run says before all else."""
        return tuple(check for check in self.checks[1:] if not check.holds)

    def place(self, code: str) -> str:
        """Return the part of the report that lists what a line of a statement is made of; empty where none does."""
        of_kind = f"{Leg.PAYMENTS}-{code}"
        if of_kind in {one.code for one in self.kinds}:
            return f"k-{of_kind}"
        parts = {
            "pending": code.startswith("pending_") and self.pending,
            "settled": code == "settled" and self.settled,
            "explained": code.startswith("matched_") and self.explained,
            "warnings": code in _WARNED and self.warnings,
        }
        return next((name for name, listed in parts.items() if listed), "")

    def share(self, one: OpenBreak) -> float:
        """Return which part of the largest amount at risk in its currency a break has, in percent: the width of its bar."""
        money = one.at_risk
        return share(money.minor, self.largest[money.currency])


def build(
    run: Run,
    *,
    statements: Sequence[Statement],
    findings: Iterable[Finding],
    breaks: Iterable[Break],
    resolved: Sequence[Break],
    earlier: Sequence[Run],
    history: Mapping[str, Sequence[BreakAction]] | None = None,
    broken: Iterable[str] = (),
) -> Report:
    """Build the report of a run, going through findings and breaks once: there may be any number of them.

    `findings` may hold matched ones; where it does not, their number comes from the run's counts. Those that are breaks
    need not be among them: `broken` may name the breaks that they belong to instead.
    `breaks` are the open ones, `resolved` those resolved by this run, `earlier` other runs in any order,
    `history` the actions on a break by its id, where the caller has them and `breaks` do not bring them along.
    """
    as_of = run.finished_at or run.started_at
    ages = Ages()
    found = Found(run, as_of, ages)
    for finding in findings:
        found.add(finding)
    for name in broken:
        found.broken.add(name)
    followed = breaks if isinstance(breaks, OpenBreaks) else OpenBreaks.of(breaks, history or {})
    opened = Open(followed, as_of, ages)
    told = Told.of(run, found)
    drawn = partial(_drawn, as_of=as_of)
    return Report(
        run=run,
        as_of=as_of,
        verdict=told.verdict,
        sentence=sentence(run, told, found, opened),
        agenda=agenda(run, told, found, opened),
        compared=told.compared,
        cards=cards(statements, told, found, opened),
        bridges=tuple(bridge(one) for one in sorted(statements, key=lambda one: one.currency)),
        checks=checks(run, statements, found.counted, found.broken, opened.ids, len(opened)),
        ageing=ages.matrix(),
        trend=trend(run, earlier),
        kinds=tuple(opened.kinds),
        breaks=Mapped(opened.followed, drawn),
        top=tuple(map(drawn, opened.top)),
        largest=opened.largest,
        pending=found.pending,
        warnings=found.warnings,
        settled=found.settled,
        explained=found.explained,
        rejected=found.rejected,
        repaired=tuple(sorted((one for one in resolved if one.repair_state == "done"), key=_resolved_order)),
        agreed=tuple(sorted((one for one in resolved if one.repair_state != "done"), key=_resolved_order)),
        reproduce=words.reproduce(run.shop, run.provider, run.window_start, run.window_end, run.source),
        moved_on=moved_on(run, len(opened)),
    )


def _drawn(followed: Followed, as_of: datetime) -> OpenBreak:
    item, history = followed
    return OpenBreak(item=item, age=break_age(item, as_of), history=history)


def _resolved_order(item: Break) -> tuple[datetime, str]:
    return (item.resolved_at or item.last_seen_at, item.break_id)
