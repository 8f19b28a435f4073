"""Windows of reconciliation tile time: no second is skipped, none is asked for a time that has not passed."""

from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.domain.errors import InvalidInput
from worker.domain.window import Span, compact, scheduled_window

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
seconds = st.integers(1, 14 * 86_400)
"""Intervals: from a second to two weeks."""
moments = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))
slots = st.builds(
    lambda since, interval, offset: (since // interval, timedelta(seconds=interval), timedelta(seconds=offset)),
    st.integers(10**9, 4 * 10**9),
    seconds,
    st.integers(0, 30 * 86_400),
)
"""The number of a slot since the epoch, the interval, and an offset that may exceed the interval."""


@given(slots, st.integers(1, 5))
def test_consecutive_slots_tile_time(slot: tuple[int, timedelta, timedelta], runs: int) -> None:
    number, interval, offset = slot
    windows = [
        scheduled_window(EPOCH + index * interval + offset, interval=interval, offset=offset, watermark=None)
        for index in range(number, number + runs + 1)
    ]
    assert all(window.end - window.start == interval for window in windows)
    assert all(before.end == after.start for before, after in pairwise(windows))
    assert windows[0].end == EPOCH + number * interval, "the slot that ended `offset` before"


@given(slots, st.integers(0, 999_999))
def test_fractions_of_a_second_do_not_matter(slot: tuple[int, timedelta, timedelta], microseconds: int) -> None:
    number, interval, offset = slot
    nominal = EPOCH + number * interval + offset
    later = nominal + timedelta(microseconds=microseconds)
    both = [scheduled_window(at, interval=interval, offset=offset, watermark=None) for at in (nominal, later)]
    assert both[0] == both[1]


@given(moments, seconds, st.integers(0, 86_400), st.none() | moments)
def test_a_window_is_whole_seconds_and_covers_at_least_an_interval(
    nominal: datetime, interval: int, offset: int, watermark: datetime | None
) -> None:
    mark = watermark.replace(microsecond=0) if watermark else None
    step, shift = timedelta(seconds=interval), timedelta(seconds=offset)
    window = scheduled_window(nominal, interval=step, offset=shift, watermark=mark)
    assert window.end - window.start >= step
    assert window.end <= nominal, "nothing that has not happened yet"
    assert (window.start.microsecond, window.end.microsecond) == (0, 0)
    assert mark is None or window.start <= mark, "no hole between watermark and window"


@given(moments, seconds, st.integers(0, 86_400))
def test_a_run_by_hand_goes_up_to_the_second_it_was_asked_for(nominal: datetime, interval: int, offset: int) -> None:
    step, shift = timedelta(seconds=interval), timedelta(seconds=offset)
    second = nominal.replace(microsecond=0)
    window = scheduled_window(nominal, interval=step, offset=shift, watermark=None)
    if (second - EPOCH - shift) % step:
        assert window.end == second
        assert (window.start - EPOCH) % step == timedelta(0), "from the start of a slot"
        assert window.start + step <= second < window.start + 2 * step, "the last whole slot, and what passed since"
    else:
        assert window.end == second - shift


@given(slots, st.integers(0, 10**6))
def test_the_watermark_closes_a_hole_and_never_makes_one(
    slot: tuple[int, timedelta, timedelta], behind_seconds: int
) -> None:
    number, interval, offset = slot
    nominal = EPOCH + number * interval + offset
    plain = scheduled_window(nominal, interval=interval, offset=offset, watermark=None)
    behind = timedelta(seconds=behind_seconds)
    extended = scheduled_window(nominal, interval=interval, offset=offset, watermark=plain.start - behind)
    assert extended == Span(plain.start - behind, plain.end)
    ahead = scheduled_window(nominal, interval=interval, offset=offset, watermark=plain.start + behind)
    assert ahead == plain, "what is done already is done again rather than cut off"


@given(st.lists(st.booleans(), min_size=1, max_size=20))
def test_runs_that_were_lost_leave_no_hole(ran: list[bool]) -> None:
    """With the watermark moved as complete runs do, the windows of the runs that happened cover all time."""
    interval, offset = timedelta(hours=1), timedelta(minutes=5)
    start = datetime(2026, 3, 29, tzinfo=UTC)
    watermark = start
    for hour, happened in enumerate([*ran, True], start=1):
        if not happened:
            continue
        nominal = start + hour * interval + offset
        window = scheduled_window(nominal, interval=interval, offset=offset, watermark=watermark)
        assert window.start <= watermark
        watermark = max(watermark, window.end)
    assert watermark == start + (len(ran) + 1) * interval


def test_a_run_by_hand_in_words() -> None:
    at = datetime(2026, 11, 22, 17, 20, 30, 999, tzinfo=UTC)
    window = scheduled_window(at, interval=timedelta(hours=1), offset=timedelta(minutes=5), watermark=None)
    assert str(window) == "20261122T160000Z..20261122T172030Z"


def test_any_zone_is_the_same_instant() -> None:
    tokyo = timezone(timedelta(hours=9))
    at = datetime(2026, 11, 22, 17, 5, tzinfo=UTC)
    hour, five = timedelta(hours=1), timedelta(minutes=5)
    there = scheduled_window(at.astimezone(tokyo), interval=hour, offset=five, watermark=None)
    assert there == scheduled_window(at, interval=hour, offset=five, watermark=None)
    assert compact(at.astimezone(tokyo)) == "20261122T170500Z"


@pytest.mark.parametrize(
    ("start", "end", "problem"),
    [
        (datetime(2026, 1, 1), datetime(2026, 1, 2, tzinfo=UTC), "zone"),
        (datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2), "zone"),
        (datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC), "start before"),
        (datetime(2026, 1, 2, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC), "start before"),
    ],
)
def test_naive_empty_and_backward_spans_are_refused(start: datetime, end: datetime, problem: str) -> None:
    with pytest.raises(InvalidInput, match=problem):
        Span(start, end)
