"""Whether a workflow task may wait for a step: by how it went lately, and by how many are under way."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.activities.pace import SEEN_SECONDS, Pace

QUICK, SLOW, MOST = 2.0, 2.5, 3


class Watch:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Steps:
    """A pace and its clock."""

    def __init__(self, quick_seconds: float = QUICK, most: int = MOST) -> None:
        self.watch = Watch()
        self.pace = Pace(quick_seconds=quick_seconds, most=most, clock=self.watch)

    def done(self, seconds: float, times: int = 1, *, promised: bool = False, fails: bool = False) -> None:
        for _ in range(times):
            with suppress(ZeroDivisionError), self.pace.measured(promised=promised):
                self.watch.now += seconds
                if fails:
                    raise ZeroDivisionError


@pytest.fixture
def steps() -> Steps:
    return Steps()


def test_what_nothing_is_known_of_may_be_waited_for(steps: Steps) -> None:
    assert steps.pace.promise()


def test_where_no_task_is_to_wait_nothing_is_promised() -> None:
    assert not Steps(quick_seconds=0).pace.promise()


@pytest.mark.parametrize("fails", [False, True])
def test_one_slow_step_is_chance_and_three_are_not(steps: Steps, *, fails: bool) -> None:
    steps.done(0.1, times=9)
    for _ in range(2):
        steps.done(0.1 if fails else SLOW, fails=fails)
    assert steps.pace.promise()
    steps.done(0.1 if fails else SLOW, fails=fails)
    assert not steps.pace.promise()


def test_it_is_quick_again_once_the_slow_ones_are_long_ago_or_outnumbered(steps: Steps) -> None:
    steps.done(SLOW, times=3)
    assert not steps.pace.promise()
    steps.done(0.1, times=14)
    assert steps.pace.promise()

    again = Steps()
    again.done(SLOW, times=3)
    again.watch.now += SEEN_SECONDS
    assert again.pace.promise()


def test_steps_that_hang_are_noticed_before_they_end() -> None:
    steps = Steps(most=9)
    with steps.pace.measured(promised=False), steps.pace.measured(promised=False), steps.pace.measured(promised=False):
        steps.watch.now += QUICK
        assert steps.pace.promise()
        steps.watch.now += 0.1
        assert not steps.pace.promise()


def test_no_more_are_waited_for_than_can_be_done_at_once(steps: Steps) -> None:
    with steps.pace.measured(promised=False):
        assert [steps.pace.promise() for _ in range(3)] == [True, True, False]


def test_a_promise_is_redeemed_by_the_step_and_forgotten_without_it(steps: Steps) -> None:
    assert [steps.pace.promise() for _ in range(MOST + 1)] == [True] * MOST + [False]
    steps.done(0.1, promised=True)
    assert steps.pace.promise()
    assert not steps.pace.promise()
    steps.watch.now += 11
    assert [steps.pace.promise() for _ in range(MOST + 1)] == [True] * MOST + [False]


@given(st.lists(st.tuples(st.floats(0, 5), st.booleans(), st.booleans()), max_size=40))
def test_after_a_quick_minute_it_is_always_open(past: list[tuple[float, bool, bool]]) -> None:
    steps = Steps()
    for seconds, promised, fails in past:
        if promised:
            steps.pace.promise()
        steps.done(seconds, promised=promised, fails=fails)
    steps.watch.now += SEEN_SECONDS + 1
    assert steps.pace.promise()
