"""Which months are to be closed: each is due once, and what was missed or ended `incomplete` is due again.

A month is closed by a complete run over exactly it, whoever asked for that. A run that is lost leaves its month open, and
so does one that could not read everything; either is tried again by a ladder, and after its last rung once a month.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from worker.domain.finding import Verdict
from worker.domain.window import Span, month_before

LONGEST = timedelta(days=1)
"""How long the run of a close may take: one that has not ended by then is dead, and its month is open."""
LEFT_TO_THE_SCHEDULE = timedelta(hours=1)
"""How long after a month was due its own schedule has to close it, before another run sees to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseRule:
    """When the months of a shop and provider are closed, and when again what did not succeed."""

    day_of_month: int
    """Of the month after."""
    offset: timedelta
    """After that day's midnight, UTC."""
    again: tuple[timedelta, ...] = ()
    """How long after a first, second ... try that did not close it a month is tried again."""
    most_months: int = 12
    """How many months back one that is open is still looked after."""

    def due(self, month: Span) -> datetime:
        """Return when a month is to be closed."""
        return month.end + timedelta(days=self.day_of_month - 1) + self.offset

    def last_due(self, at: datetime) -> Span:
        """Return the newest month that was due at a time."""
        month = month_before(at)
        return month if self.due(month) <= at else month_before(month.start)

    def next_due(self, after: datetime) -> datetime:
        """Return when the first month later than a time is due."""
        return self.due(month_after(self.last_due(after)))


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseTry:
    """A run that closed a month, or was to."""

    run_id: str
    span: Span
    started_at: datetime
    finished_at: datetime | None
    verdict: str
    scheduled: bool

    @property
    def closed(self) -> bool:
        """Whether it came to a complete answer."""
        return self.finished_at is not None and self.verdict != Verdict.INCOMPLETE

    def under_way(self, now: datetime) -> bool:
        """Tell whether it may still come to one."""
        return self.finished_at is None and now - self.started_at < LONGEST


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenMonth:
    """A month that was due and is not closed."""

    span: Span
    due_at: datetime
    tries: int
    """How many runs were to close it and did not."""
    again_at: datetime
    """When it may be tried (again)."""
    under_way: str = ""
    """The run that closes it now."""

    def __str__(self) -> str:
        return f"{self.span.start:%Y-%m}"

    @property
    def text(self) -> str:
        """What is known of it, in a sentence."""
        due = f"{self} was due to be closed on {_said(self.due_at)}"
        if self.under_way:
            return f"{due}: run {self.under_way} is at it"
        if not self.tries:
            return f"{due}: no run came to it, the next one of a schedule starts it"
        tried = "one run did not close it" if self.tries == 1 else f"{self.tries} runs did not close it"
        return f"{due}: {tried}, the next try comes after {_said(self.again_at)}"


def month_after(month: Span) -> Span:
    """Return the calendar month that follows."""
    return Span(month.end, (month.end + timedelta(days=31)).replace(day=1))


def is_month(span: Span) -> bool:
    """Tell whether a span is one calendar month in UTC."""
    return span == month_before(span.end)


def open_months(rule: CloseRule, reached: datetime, tries: Iterable[CloseTry], now: datetime) -> list[OpenMonth]:
    """Return the months from `reached` on that were due and are not closed, oldest first.

    `tries` holds all runs of closing of that time.
    """
    made: defaultdict[Span, list[CloseTry]] = defaultdict(list)
    for one in tries:
        made[one.span].append(one)
    months = ((month, made[month]) for month in _due_months(rule, reached, now))
    return [_open(rule, month, of_month, now) for month, of_month in months if not any(one.closed for one in of_month)]


def closed_until(rule: CloseRule, reached: datetime, tries: Iterable[CloseTry], now: datetime) -> datetime:
    """Return up to when every month is closed."""
    done = {one.span for one in tries if one.closed}
    for month in _due_months(rule, reached, now):
        if month not in done:
            return month.start
        reached = month.end
    return reached


def begun_at(rule: CloseRule, tries: Iterable[CloseTry], now: datetime) -> datetime:
    """Return from when on months are to be closed, where that was never kept: the first one the schedule took up.

    Without any it is the month that is not due yet: whoever begins with a close does not want the years before.
    """
    taken_up = [one.span.start for one in tries if one.scheduled and is_month(one.span)]
    return min(taken_up, default=rule.last_due(now).end)


def earliest(rule: CloseRule, now: datetime) -> datetime:
    """Return the start of the oldest month that is still looked after."""
    month = rule.last_due(now)
    for _ in range(rule.most_months - 1):
        month = month_before(month.start)
    return month.start


def _said(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"


def _due_months(rule: CloseRule, reached: datetime, now: datetime) -> Iterator[Span]:
    end = rule.last_due(now).end
    start = max(reached, earliest(rule, now))
    while start < end:
        month = month_after(month_before(start))
        yield month
        start = month.end


def _open(rule: CloseRule, month: Span, tries: Sequence[CloseTry], now: datetime) -> OpenMonth:
    due = rule.due(month)
    last = max((one.finished_at or one.started_at for one in tries), default=due)
    rung = len(tries) - 1
    again = due if not tries else last + rule.again[rung] if rung < len(rule.again) else rule.next_due(last)
    running = next((one.run_id for one in tries if one.under_way(now)), "")
    return OpenMonth(
        span=month, due_at=due, tries=len(tries) - bool(running), again_at=max(again, due), under_way=running
    )
