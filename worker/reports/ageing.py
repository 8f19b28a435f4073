"""Status by age: how long open items have been waiting, counted from the oldest movement behind them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from worker.domain.finding import Break, BreakStatus, Finding
from worker.domain.matching.ageing import BUCKETS, bucket
from worker.domain.money import Money
from worker.reports import words
from worker.reports.amounts import at_risk, by_currency, exposure
from worker.reports.charts import Bar, stack


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """Items of one status and one age."""

    count: int
    amounts: tuple[Money, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AgeRow:
    """One status over all ages; `total` sums the row."""

    code: str
    label: str
    cells: tuple[Cell, ...]
    total: Cell


@dataclass(frozen=True, slots=True, kw_only=True)
class AgeBar:
    """How one currency's amount at risk is spread over the ages."""

    total: Money
    segments: tuple[tuple[str, Money, Bar], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ageing:
    """The matrix and its bars."""

    buckets: tuple[str, ...]
    rows: tuple[AgeRow, ...]
    bars: tuple[AgeBar, ...]


def finding_age(finding: Finding, as_of: datetime) -> timedelta:
    """Return the age of the oldest record behind a finding; zero when it has none."""
    times = [fact.at for fact in (*finding.ours, *finding.theirs)]
    return max(as_of - min(times), timedelta()) if times else timedelta()


def break_age(item: Break, as_of: datetime) -> timedelta:
    """Return how long ago the first movement behind a break happened."""
    return max(as_of - item.first_movement_at, timedelta())


def ageing(breaks: Sequence[Break], pending: Sequence[Finding], as_of: datetime) -> Ageing:
    """Sort open breaks by status and age, with the pending items as the first row."""
    waiting = [(bucket(finding_age(finding, as_of)), exposure(finding)) for finding in pending]
    rows = [_row("pending", "Within grace", waiting)]
    aged = [(item.status, bucket(break_age(item, as_of)), at_risk(item)) for item in breaks]
    rows += [
        _row(status, words.STATUS[status], [(age, money) for one, age, money in aged if one is status])
        for status in (BreakStatus.NEW, BreakStatus.PERSISTING, BreakStatus.REOPENED)
    ]
    everything = [(age, money) for _, age, money in aged]
    rows.append(_row("open", "Open breaks", everything))
    bars = []
    for total in by_currency(money for _, money in everything):
        parts = [
            sum(money.minor for age, money in everything if age == name and money.currency == total.currency)
            for name in BUCKETS
        ]
        segments = tuple(
            (name, Money(part, total.currency), bar)
            for name, part, bar in zip(BUCKETS, parts, stack(parts), strict=True)
        )
        bars.append(AgeBar(total=total, segments=segments))
    return Ageing(
        buckets=tuple(BUCKETS),
        rows=tuple(row for row in rows if row.total.count or row.code == "open"),
        bars=tuple(bar for bar in bars if bar.total.minor),
    )


def _row(code: str, label: str, items: Sequence[tuple[str, Money]]) -> AgeRow:
    cells = tuple(_cell([money for age, money in items if age == name]) for name in BUCKETS)
    return AgeRow(code=code, label=label, cells=cells, total=_cell([money for _, money in items]))


def _cell(amounts: Sequence[Money]) -> Cell:
    return Cell(count=len(amounts), amounts=by_currency(amounts))
