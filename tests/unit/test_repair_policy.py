"""The rule of repairs: who may be repaired, how often, when; every attempt once, and the last word is a person's."""

import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.reports_sample import LOST, followed
from worker.domain.finding import Break, BreakStatus, Repair, RepairState
from worker.domain.repair_policy import (
    Attempt,
    AttemptOutcome,
    Decision,
    RepairMode,
    RepairPolicy,
    decide,
    event_id,
)

NOW = datetime(2026, 11, 22, 14, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
BROKEN = followed(LOST, BreakStatus.NEW, age=timedelta(hours=5))
ladders = st.lists(st.integers(1, 10**6), min_size=1, max_size=6).map(
    lambda waits: tuple(timedelta(seconds=wait) for wait in waits)
)
policies = st.builds(RepairPolicy, ladder=ladders, most_attempts=st.integers(1, 9))


def judged(policy: RepairPolicy, item: Break, *attempts: Attempt, at: datetime = NOW, run_id: str = "run") -> Decision:
    return decide(policy, item, attempts, run_id=run_id, now=at)


def walked(policy: RepairPolicy, item: Break, gaps: list[timedelta]) -> tuple[list[Attempt], list[RepairState]]:
    """Let runs come after these gaps while the break stays open; return the attempts and the states."""
    attempts: list[Attempt] = []
    states, now = [], NOW
    for number, gap in enumerate([timedelta(0), *gaps]):
        now += gap
        decision = decide(policy, item, attempts, run_id=f"run-{number}", now=now)
        states.append(decision.state)
        item = replace(item, repair_state=decision.state, repair_next_at=decision.next_at)
        if decision.attempt is not None:
            done = replace(decision.attempt, outcome=AttemptOutcome.DELIVERED, finished_at=now)
            attempts.append(done)
    return attempts, states


@given(policies, st.lists(st.timedeltas(timedelta(seconds=1), timedelta(days=3)), max_size=40))
def test_attempts_keep_the_ladder_and_end_with_a_person(policy: RepairPolicy, gaps: list[timedelta]) -> None:
    attempts, states = walked(policy, BROKEN, gaps)
    assert [attempt.number for attempt in attempts] == list(range(1, len(attempts) + 1))
    assert len(attempts) <= policy.most_attempts
    for number, (earlier, later) in enumerate(itertools.pairwise(attempts), start=1):
        assert later.claimed_at - earlier.claimed_at >= policy.ladder[min(number, len(policy.ladder)) - 1]
    assert len({attempt.event_id for attempt in attempts}) == len(attempts)
    if RepairState.FAILED in states:
        assert len(attempts) == policy.most_attempts
        assert set(states[states.index(RepairState.FAILED) :]) == {RepairState.FAILED}, "never tried again"


@given(policies)
def test_a_break_that_nothing_helps_uses_the_whole_ladder_and_fails(policy: RepairPolicy) -> None:
    gaps = [policy.wait_after(number) for number in range(1, policy.most_attempts + 1)]
    attempts, states = walked(policy, BROKEN, gaps)
    assert len(attempts) == policy.most_attempts
    assert states == [RepairState.REQUESTED] * policy.most_attempts + [RepairState.FAILED]


@given(
    st.sampled_from(RepairMode),
    st.integers(0, 10**9),
    st.integers(0, 10**9),
    st.dictionaries(st.sampled_from(["EUR", "USD", "JPY"]), st.integers(0, 10**9)),
)
def test_nothing_is_done_but_in_mode_on_and_below_the_limit(
    mode: RepairMode, at_risk: int, theirs: int, limits: dict[str, int]
) -> None:
    finding = replace(LOST, currency="EUR", ours_minor=0, theirs_minor=theirs, at_risk_minor=at_risk)
    decision = judged(RepairPolicy(mode=mode, limits=limits), replace(BROKEN, finding=finding))
    amount = max(at_risk, theirs)
    over = bool(limits) and amount > 0 and amount > limits.get("EUR", -1)
    expected = {
        RepairMode.OFF: RepairState.NONE,
        RepairMode.DRY: RepairState.REFUSED if over else RepairState.WOULD,
        RepairMode.ON: RepairState.REFUSED if over else RepairState.REQUESTED,
    }[mode]
    assert decision.state is expected
    assert (decision.attempt is not None) == (expected is RepairState.REQUESTED)


def test_a_limit_is_kept_to_the_minor_unit_and_named() -> None:
    item = replace(BROKEN, finding=replace(LOST, currency="EUR", ours_minor=0, theirs_minor=0, at_risk_minor=5000))
    assert judged(RepairPolicy(limits={"EUR": 5000}), item).state is RepairState.REQUESTED
    refused = judged(RepairPolicy(limits={"EUR": 4999}), item)
    assert (refused.state, refused.reason) == (
        RepairState.REFUSED,
        f"{item.finding.repair} refused: EUR 50.00 is over the limit of EUR 49.99",
    )
    assert "no limit is set for EUR" in judged(RepairPolicy(limits={"USD": 10**9}), item).reason


def first_attempt(run_id: str = "run") -> Attempt:
    attempt = judged(RepairPolicy(), BROKEN, run_id=run_id).attempt
    assert attempt is not None
    return attempt


def test_an_attempt_that_was_cut_off_is_finished_by_its_own_run_at_once_and_by_others_after_its_time() -> None:
    attempt = first_attempt()
    asked = replace(BROKEN, repair_state=RepairState.REQUESTED, repair_attempts=1, repair_next_at=attempt.next_at)
    assert judged(RepairPolicy(), asked, attempt, at=NOW + MINUTE).attempt == attempt
    other = judged(RepairPolicy(), asked, attempt, at=NOW + MINUTE, run_id="other")
    assert (other.attempt, other.next_at) == (None, attempt.next_at), "its own run may still be at it"
    assert judged(RepairPolicy(), asked, attempt, at=attempt.next_at, run_id="other").attempt == attempt


def test_the_event_of_an_attempt_is_named_by_break_and_number_alone() -> None:
    one, other = first_attempt("one"), first_attempt("other")
    assert one.event_id == other.event_id == event_id(BROKEN.break_id, 1)
    assert len({event_id(name, number) for name in ("a", "b", "a1") for number in (1, 2, 11)}) == 9


def test_another_repair_of_the_same_break_has_a_ladder_of_its_own_but_no_event_twice() -> None:
    done = replace(first_attempt(), outcome=AttemptOutcome.DELIVERED)
    progressed = replace(BROKEN, finding=replace(LOST, repair=Repair.DELIVER_REFUND), repair_attempts=1)
    decision = judged(RepairPolicy(most_attempts=1), progressed, done, at=NOW + MINUTE)
    assert decision.attempt is not None
    assert decision.attempt.number == 2


def test_a_person_begins_a_new_round() -> None:
    policy = RepairPolicy(most_attempts=1)
    done = replace(first_attempt(), outcome=AttemptOutcome.DELIVERED)
    later = done.next_at
    assert judged(policy, BROKEN, done, at=later).state is RepairState.FAILED
    again = judged(policy, replace(BROKEN, repair_round=2, repair_attempts=1), done, at=later)
    assert again.attempt is not None
    assert (again.attempt.number, again.attempt.round) == (2, 2)


@pytest.mark.parametrize(
    "wrong", [{"ladder": ()}, {"ladder": (timedelta(0),)}, {"most_attempts": 0}, {"limits": {"EUR": -1}}]
)
def test_a_policy_that_means_nothing_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"ladder|attempt|limit"):
        RepairPolicy(**wrong)  # type: ignore[arg-type]
