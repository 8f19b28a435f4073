"""When a service of the worker sleeps: never with work in sight, never by accident, and always when there is none."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.waker.decision import Decision, Service, Waiting, Work, decide

NOW = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
AFTER = timedelta(minutes=15)
LONG_AGO = NOW - timedelta(days=3)
IDLE = Work(recent=0, under_way=0)
NOTHING = Waiting()
AWAKE = Service(desired=1, running=1, rolling=False, deployed_at=LONG_AGO)
ASLEEP = replace(AWAKE, desired=0, running=0)

counts = st.integers(0, 5)
services = st.builds(
    Service,
    desired=counts,
    running=counts,
    rolling=st.booleans(),
    deployed_at=st.integers(0, 60).map(lambda minutes: NOW - timedelta(minutes=minutes)),
)
waitings = st.builds(Waiting, tasks=counts, moving=st.booleans())
works = st.builds(Work, recent=counts, under_way=st.none() | counts)


def decided(service: Service, waiting: Waiting = NOTHING, work: Work = IDLE, awake: int = 1) -> Decision:
    return decide(service, waiting, work, awake=awake, after=AFTER, now=NOW)


@given(service=services, waiting=waitings, work=works, awake=st.integers(1, 5))
def test_it_sleeps_only_when_all_that_could_be_work_is_known_to_be_none(
    service: Service, waiting: Waiting, work: Work, awake: int
) -> None:
    decision = decided(service, waiting, work, awake)
    if decision.desired == 0:
        assert (waiting.tasks, waiting.moving, work.recent, work.under_way) == (0, False, 0, 0)
        assert service.running == service.desired
        assert not service.rolling
        assert NOW - service.deployed_at >= AFTER


@given(service=services, waiting=waitings, work=works, awake=st.integers(1, 5))
def test_work_in_sight_wakes_who_sleeps(service: Service, waiting: Waiting, work: Work, awake: int) -> None:
    sleeping = replace(service, desired=0)
    if waiting.tasks or waiting.moving or work.recent:
        assert decided(sleeping, waiting, work, awake).desired == awake
    elif NOW - sleeping.deployed_at >= AFTER:
        assert decided(sleeping, waiting, work, awake).desired is None, "and nothing else does"


@given(service=services, waiting=waitings, work=works, awake=st.integers(1, 5))
def test_it_never_fights_with_autoscaling(service: Service, waiting: Waiting, work: Work, awake: int) -> None:
    """It adds no task to a service that has some, and takes none from one that autoscaling holds above its fewest."""
    decision = decided(service, waiting, work, awake)
    if service.desired > 0:
        assert decision.desired in {None, 0}
    if service.desired > awake:
        assert decision.desired is None


@given(service=services, waiting=waitings, work=works, awake=st.integers(1, 5))
def test_a_decision_that_was_carried_out_stands(service: Service, waiting: Waiting, work: Work, awake: int) -> None:
    """Asked again about the same world it changes nothing: it cannot flap."""
    decision = decided(service, waiting, work, awake)
    if decision.desired is not None:
        there = replace(service, desired=decision.desired, running=decision.desired)
        assert decided(there, waiting, work, awake).desired is None


def test_an_idle_service_sleeps_and_an_idle_sleeper_is_left_alone() -> None:
    assert decided(AWAKE) == Decision(desired=0, because="nothing to do for 15 minutes")
    assert decided(ASLEEP) == Decision(desired=None, because="asleep")


def test_a_new_release_is_started_once_to_see_whether_it_starts() -> None:
    new = replace(ASLEEP, deployed_at=NOW - timedelta(minutes=1))
    assert decided(new) == Decision(desired=1, because="a release is new")
    assert decided(replace(new, desired=1, running=1)).desired is None
    assert decided(replace(new, deployed_at=NOW - AFTER)).desired is None


@pytest.mark.parametrize(
    ("service", "work", "because"),
    [
        (AWAKE, Work(recent=0, under_way=1), "steps are under way"),
        (AWAKE, Work(recent=0, under_way=None), "what is under way is not known"),
        (replace(AWAKE, running=0), IDLE, "its tasks are being changed"),
        (replace(AWAKE, rolling=True), IDLE, "its tasks are being changed"),
        (replace(AWAKE, desired=2, running=2), IDLE, "autoscaling has more tasks than the fewest"),
    ],
)
def test_it_says_why_it_stays_awake(service: Service, work: Work, because: str) -> None:
    assert decided(service, work=work) == Decision(desired=None, because=because)
