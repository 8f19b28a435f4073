"""A calendar of verdicts: what each day came to, and whether breaks were found on the way."""

import calendar as gregorian
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, timedelta
from itertools import groupby

from worker.domain.finding import Verdict
from worker.services.ports import Run

MONTHS = 12
"""Shown at most, the newest last."""
_BAD = (Verdict.INCOMPLETE, Verdict.BREAKS)
_WORST_FIRST = (Verdict.INCOMPLETE, Verdict.BREAKS, Verdict.WARNINGS, Verdict.PENDING, Verdict.RECONCILED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """One day of a month; without runs it has no verdict."""

    date: date
    verdict: Verdict | None = None
    """Of the day's last run."""
    worst: Verdict | None = None
    runs: int = 0
    report: str = ""
    """Of the day's last run."""

    @property
    def marked(self) -> bool:
        """Whether an earlier run of the day found breaks or was incomplete, and its last was not."""
        return self.worst is not self.verdict and self.worst in _BAD


@dataclass(frozen=True, slots=True, kw_only=True)
class Month:
    """A month as weeks from Monday to Sunday; days of other months are None."""

    first: date
    weeks: tuple[tuple[Day | None, ...], ...]


def day_of(run: Run) -> date:
    """Return the day a run answers for: the last one of its window (whose end is excluded), in UTC."""
    return (run.window_end.astimezone(UTC) - timedelta(microseconds=1)).date()


def calendar(runs: Sequence[Run]) -> list[Month]:
    """Return the months from the first day with a run to the last, `MONTHS` at most."""
    ordered = sorted(runs, key=lambda run: (day_of(run), run.window_end, run.started_at, run.run_id))
    days = {day: _day(day, list(some)) for day, some in groupby(ordered, day_of)}
    if not days:
        return []
    first, last = min(days).replace(day=1), max(days).replace(day=1)
    found = [last]
    while found[-1] > first and len(found) < MONTHS:
        found.append((found[-1] - timedelta(days=1)).replace(day=1))
    return [_month(one, days) for one in reversed(found)]


def _day(day: date, runs: Sequence[Run]) -> Day:
    last = runs[-1]
    verdicts = [Verdict(run.verdict) for run in runs]
    return Day(
        date=day,
        verdict=verdicts[-1],
        worst=min(verdicts, key=_WORST_FIRST.index),
        runs=len(runs),
        report=last.report,
    )


def _month(first: date, days: dict[date, Day]) -> Month:
    weeks = gregorian.Calendar().monthdatescalendar(first.year, first.month)
    return Month(
        first=first,
        weeks=tuple(
            tuple(days.get(day, Day(date=day)) if day.month == first.month else None for day in week) for week in weeks
        ),
    )
