"""How each pair of books stands: its newest run, and what was open and at risk from day to day."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from worker.contract.reconciliation import Mode
from worker.domain.finding import Verdict
from worker.domain.money import Money
from worker.reports.calendar import day_of
from worker.reports.charts import Sparkline, sparkline
from worker.reports.trend import open_at_risk
from worker.services.ports import Run

DAYS = 366
"""Drawn at most, the newest last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """A shop and a provider, and their runs, newest first."""

    shop: str
    provider: str
    runs: tuple[Run, ...]

    @property
    def key(self) -> tuple[str, str]:
        """What tells it from others."""
        return (self.shop, self.provider)

    @property
    def latest(self) -> Run:
        """The newest run that compared everything, or the newest where there is none."""
        return next((run for run in self.runs if run.mode is Mode.FULL), self.runs[0])

    @property
    def verdict(self) -> Verdict:
        """That of the newest run."""
        return Verdict(self.latest.verdict)

    @property
    def open_breaks(self) -> int:
        """Left open by the newest run."""
        return (self.latest.counts or {}).get("breaks_open", 0)

    @property
    def at_risk(self) -> tuple[Money, ...] | None:
        """What they put at risk; None where the run's release did not count it."""
        return amounts_at_risk(self.latest)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One figure from day to day."""

    label: str
    start: date
    end: date
    first: str
    last: str
    highest: str
    chart: Sparkline


def amounts_at_risk(run: Run) -> tuple[Money, ...] | None:
    """Return what a run's open breaks put at risk, by currency; None where its release did not count it."""
    known = open_at_risk(run.counts)
    return None if known is None else tuple(Money(known[currency], currency) for currency in sorted(known))


def books_of(runs: Sequence[Run]) -> list[Book]:
    """Return the books that have runs, by name; `runs` newest first."""
    keys = sorted({(run.shop, run.provider) for run in runs})
    return [
        Book(
            shop=shop,
            provider=provider,
            runs=tuple(run for run in runs if (run.shop, run.provider) == (shop, provider)),
        )
        for shop, provider in keys
    ]


def lines_of(runs: Sequence[Run]) -> list[Line]:
    """Return the open breaks and, for each currency, the amount at risk at each day's end; none for a single day."""
    last: dict[date, Run] = {}
    for run in sorted(runs, key=lambda run: (run.window_end, run.started_at, run.run_id)):
        last[day_of(run)] = run
    days = sorted(last)[-DAYS:]
    known = [(day, amounts) for day in days if (amounts := open_at_risk(last[day].counts)) is not None]
    drawn = [_line("Open breaks", [(day, (last[day].counts or {}).get("breaks_open", 0)) for day in days], "")]
    drawn += [
        _line(f"At risk in {currency}", [(day, amounts.get(currency, 0)) for day, amounts in known], currency)
        for currency in sorted({currency for _, amounts in known for currency in amounts})
    ]
    return [line for line in drawn if line]


def _line(label: str, points: Sequence[tuple[date, int]], currency: str) -> Line | None:
    numbers = [number for _, number in points]
    chart = sparkline([float(number) for number in numbers], 0.0, float(max([*numbers, 1])))
    if chart is None:
        return None

    def said(number: int) -> str:
        return str(Money(number, currency)) if currency else f"{number:,}"

    return Line(
        label=label,
        start=points[0][0],
        end=points[-1][0],
        first=said(numbers[0]),
        last=said(numbers[-1]),
        highest=said(max(numbers)),
        chart=chart,
    )
