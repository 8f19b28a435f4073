"""Windows of reconciliation: half-open spans of time, derived from the nominal time of a schedule.

A run that fires on a slot reconciles the slot that just ended; a run triggered by hand reconciles up to the
second it was asked for. Either starts no later than the watermark, so a hole left by a lost run is closed by
the next one. Never the clock: catch-up and backfill must do the window they were meant for.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from worker.domain.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class Span:
    """A half-open span [start, end), aware, UTC, whole seconds."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        """Refuse naive, empty and backward spans."""
        if self.start.tzinfo is None or self.end.tzinfo is None:
            raise InvalidInput("a window needs times with a zone")
        if not self.start < self.end:
            raise InvalidInput("a window must start before it ends")

    def __str__(self) -> str:
        return f"{compact(self.start)}..{compact(self.end)}"


def compact(at: datetime) -> str:
    """Write a time as `20261122T170000Z`, usable in ids."""
    return at.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


def month_before(at: datetime) -> Span:
    """Return the last calendar month in UTC that has ended at a time."""
    first = at.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return Span((first - timedelta(days=1)).replace(day=1), first)


def scheduled_window(nominal: datetime, *, interval: timedelta, offset: timedelta, watermark: datetime | None) -> Span:
    """Return the window of a run whose nominal time is `nominal`.

    On a slot (a multiple of `interval` since the epoch, plus `offset`): the slot that ended `offset` before it.
    Off a slot (triggered by hand): the last whole slot and what has passed since, up to the nominal second.
    Both are extended back to `watermark`.
    """
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    second = nominal.astimezone(UTC).replace(microsecond=0)
    on_slot = not (second - epoch - offset) % interval
    end = second - offset if on_slot else second
    start = end - (end - epoch) % interval - interval
    if watermark is not None and watermark < start:
        start = watermark
    return Span(start, end)
