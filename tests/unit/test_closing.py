"""Which months are open, when each is tried again, and how far back every month is closed."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from worker.domain.closing import (
    LONGEST,
    CloseRule,
    CloseTry,
    begun_at,
    closed_until,
    earliest,
    is_month,
    month_after,
    open_months,
)
from worker.domain.finding import Verdict
from worker.domain.window import Span, month_before

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
RULE = CloseRule(day_of_month=4, offset=6 * HOUR, again=(6 * HOUR, DAY), most_months=12)
times = st.datetimes(datetime(2001, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))
rules = st.builds(
    CloseRule,
    day_of_month=st.integers(1, 28),
    offset=st.timedeltas(timedelta(0), timedelta(hours=23)),
    again=st.lists(st.timedeltas(HOUR, 20 * DAY), max_size=3).map(tuple),
    most_months=st.integers(1, 10),
)


def tried(month: Span, at: datetime, verdict: Verdict | None, *, scheduled: bool = True) -> CloseTry:
    return CloseTry(
        run_id=f"run-{at:%Y%m%d%H%M}",
        span=month,
        started_at=at,
        finished_at=None if verdict is None else at,
        verdict="" if verdict is None else verdict,
        scheduled=scheduled,
    )


@given(rules, times)
def test_the_last_month_due_is_over_and_the_one_after_it_is_not_due(rule: CloseRule, at: datetime) -> None:
    month = rule.last_due(at)
    assert is_month(month)
    assert rule.due(month) <= at < rule.due(month_after(month)) == rule.next_due(at)
    assert month_before(month_after(month).start) == month


@given(rules, times, st.integers(0, 14), st.data())
def test_closing_what_is_open_oldest_first_leaves_nothing_and_never_a_month_twice(
    rule: CloseRule, now: datetime, months_ago: int, data: st.DataObject
) -> None:
    reached = rule.last_due(now).end
    for _ in range(months_ago):
        reached = month_before(reached).start
    tries: list[CloseTry] = []
    closed: list[Span] = []
    while left := open_months(rule, reached, tries, now):
        assert len(left) + len(closed) == min(months_ago, rule.most_months)
        assert [month.span for month in left] == sorted((month.span for month in left), key=lambda one: one.start)
        # Any may be closed first: a person needs no order.
        month = data.draw(st.sampled_from(left)).span
        tries.append(tried(month, now, Verdict.BREAKS))
        closed.append(month)
        before = closed_until(rule, reached, tries, now)
        assert all(span in closed for span in _months(max(reached, earliest(rule, now)), before))
    assert len(set(closed)) == len(closed)
    assert closed_until(rule, reached, tries, now) == rule.last_due(now).end


def _months(start: datetime, end: datetime) -> list[Span]:
    found = []
    while start < end:
        found.append(month_after(month_before(start)))
        start = found[-1].end
    return found


def test_each_try_waits_longer_and_after_the_last_rung_for_the_next_close() -> None:
    month = Span(datetime(2026, 9, 1, tzinfo=UTC), datetime(2026, 10, 1, tzinfo=UTC))
    due, now = RULE.due(month), datetime(2026, 11, 1, tzinfo=UTC)
    assert due == datetime(2026, 10, 4, 6, tzinfo=UTC)
    made = [tried(month, at, Verdict.INCOMPLETE) for at in (due, due + DAY, due + 3 * DAY)]
    waits = []
    for number in range(4):
        (left,) = open_months(RULE, month.start, made[:number], now)
        assert left.tries == number
        waits.append(left.again_at)
    assert waits == [due, due + 6 * HOUR, due + 2 * DAY, datetime(2026, 11, 4, 6, tzinfo=UTC)]


def test_a_run_that_has_not_ended_keeps_its_month_for_a_day_and_is_dead_then() -> None:
    month = Span(datetime(2026, 9, 1, tzinfo=UTC), datetime(2026, 10, 1, tzinfo=UTC))
    begun = tried(month, RULE.due(month), None)
    (left,) = open_months(RULE, month.start, [begun], begun.started_at + HOUR)
    assert (left.under_way, left.tries) == (begun.run_id, 0)
    assert f"run {begun.run_id} is at it" in left.text
    (left,) = open_months(RULE, month.start, [begun], begun.started_at + LONGEST)
    assert (left.under_way, left.tries) == ("", 1)
    assert left.text == (
        "2026-09 was due to be closed on 2026-10-04 06:00 UTC: one run did not close it, "
        "the next try comes after 2026-10-04 12:00 UTC"
    )


def test_closing_begins_with_the_first_month_its_schedule_took_up_or_with_the_one_that_is_not_due() -> None:
    now = datetime(2026, 11, 29, tzinfo=UTC)
    september, may = month_before(datetime(2026, 10, 1, tzinfo=UTC)), month_before(datetime(2026, 6, 1, tzinfo=UTC))
    assert begun_at(RULE, [], now) == datetime(2026, 11, 1, tzinfo=UTC)
    by_hand = tried(may, now - DAY, Verdict.RECONCILED, scheduled=False)
    assert begun_at(RULE, [by_hand], now) == datetime(2026, 11, 1, tzinfo=UTC)
    assert begun_at(RULE, [by_hand, tried(september, now, Verdict.INCOMPLETE)], now) == september.start
