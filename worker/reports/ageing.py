"""Status by age: how long open items have been waiting, counted from the oldest movement behind them."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from worker.domain.finding import Break, BreakStatus, Finding
from worker.domain.matching.ageing import BUCKETS, bucket
from worker.domain.money import Money
from worker.reports import words
from worker.reports.amounts import Sums, by_currency
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


class Ages:
    """Open items by status and age, added up one by one."""

    def __init__(self) -> None:
        self._cells: dict[tuple[str, str], Sums] = {}

    def add(self, code: str, age: timedelta, money: Money) -> None:
        """Count an item: a break by its status, or one that is `pending`."""
        self._cells.setdefault((code, bucket(age)), Sums()).add(money)

    def matrix(self) -> Ageing:
        """Return the matrix, with the pending items as its first row, and the bars of the breaks."""
        statuses = (BreakStatus.NEW, BreakStatus.PERSISTING, BreakStatus.REOPENED)
        rows = [self._row("pending", "Within grace", ["pending"])]
        rows += [self._row(status, words.STATUS[status], [status]) for status in statuses]
        rows.append(self._row("open", "Open breaks", statuses))
        return Ageing(
            buckets=tuple(BUCKETS),
            rows=tuple(row for row in rows if row.total.count or row.code == "open"),
            bars=tuple(bar for bar in map(_bar(rows[-1]), rows[-1].total.amounts) if bar.total.minor),
        )

    def _row(self, code: str, label: str, of: Sequence[str]) -> AgeRow:
        cells = [self._sum((one, name) for one in of) for name in BUCKETS]
        total = self._sum((one, name) for one in of for name in BUCKETS)
        return AgeRow(code=code, label=label, cells=tuple(cells), total=total)

    def _sum(self, places: Iterable[tuple[str, str]]) -> Cell:
        some = [self._cells[place] for place in places if place in self._cells]
        amounts = by_currency(money for one in some for money in one.amounts)
        return Cell(count=sum(one.count for one in some), amounts=amounts)


def _bar(row: AgeRow) -> Callable[[Money], AgeBar]:
    def made(total: Money) -> AgeBar:
        parts = [sum(one.minor for one in cell.amounts if one.currency == total.currency) for cell in row.cells]
        segments = tuple(
            (name, Money(part, total.currency), bar)
            for name, part, bar in zip(BUCKETS, parts, stack(parts), strict=True)
        )
        return AgeBar(total=total, segments=segments)

    return made
