"""Alerts: one for a rule however many breaks there are, told once a period, closed when the concern is gone."""

import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.reports_sample import LOST, followed
from worker.domain.alert import (
    Alert,
    AlertRule,
    AlertState,
    AlertTrigger,
    Change,
    Concern,
    Situation,
    advance,
    weigh,
)
from worker.domain.finding import Break, BreakStatus, FindingKind, RepairState

NOW = datetime(2026, 11, 22, 14, tzinfo=UTC)
HOUR = timedelta(hours=1)
CONCERN = Concern(subjects=1, run_id="r", verdict="breaks")
BREAKS = AlertRule(name="open", when=AlertTrigger.BREAKS)


def broken(number: int, *, minor: int = 100, currency: str = "EUR", age: timedelta = HOUR, **more: object) -> Break:
    finding = replace(LOST, currency=currency, at_risk_minor=minor)
    item = followed(finding, BreakStatus.NEW, age=timedelta(0))
    return replace(item, break_id=f"{number:016x}", first_seen_at=NOW - age, **more)  # type: ignore[arg-type]


def situation(*breaks: Break, verdict: str = "breaks", missed: int = 0, because: tuple[str, ...] = ()) -> Situation:
    return Situation(
        shop="main",
        provider="stripe",
        run_id="r",
        verdict=verdict,
        incomplete_because=because,
        missed_windows=missed,
        report="",
        breaks=breaks,
    )


def test_thirty_breaks_are_one_concern_that_names_the_largest() -> None:
    found = [broken(n, minor=n, currency="EUR" if n % 2 else "USD") for n in range(1, 31)]
    concern = weigh(BREAKS, situation(*found), NOW)
    assert concern is not None
    assert concern.subjects == 30
    assert concern.at_risk == {"EUR": sum(range(1, 31, 2)), "USD": sum(range(2, 31, 2))}, (
        "never added up over currencies"
    )
    assert [each["at_risk_minor"] for each in concern.top] == [30, 29, 28, 27, 26]
    assert concern.by_kind == {str(LOST.kind): 30}


@pytest.mark.parametrize(
    ("rule", "raised"),
    [
        ({"min_count": 3}, False),
        ({"min_count": 2}, True),
        ({"min_age": 2 * HOUR}, False),
        ({"min_age": HOUR}, True),
        ({"min_at_risk": {"EUR": 201}}, False),
        ({"min_at_risk": {"EUR": 200}}, True),
        ({"min_at_risk": {"USD": 1}}, False),
        ({"min_at_risk": {"USD": 1, "EUR": 1}}, True),
        ({"kinds": frozenset({LOST.kind})}, True),
        ({"kinds": frozenset({FindingKind.DISPUTED})}, False),
        ({"when": AlertTrigger.REPAIR_FAILED}, False),
        ({"when": AlertTrigger.INCOMPLETE}, False),
        ({"when": AlertTrigger.SCHEDULE_MISSED}, False),
    ],
)
def test_a_rule_counts_what_it_says(rule: dict[str, object], *, raised: bool) -> None:
    wanted = replace(BREAKS, **rule)  # type: ignore[arg-type]
    assert (weigh(wanted, situation(broken(1), broken(2)), NOW) is not None) == raised


@pytest.mark.parametrize("state", [RepairState.FAILED, RepairState.REFUSED])
def test_breaks_that_wait_for_a_person_have_a_trigger_of_their_own(state: RepairState) -> None:
    rule = replace(BREAKS, when=AlertTrigger.REPAIR_FAILED)
    concern = weigh(rule, situation(broken(1), broken(2, repair_state=state)), NOW)
    assert concern is not None
    assert [each["break_id"] for each in concern.top] == [f"{2:016x}"]


def test_an_incomplete_run_and_a_missed_window_say_why() -> None:
    incomplete = weigh(
        replace(BREAKS, when=AlertTrigger.INCOMPLETE), situation(verdict="incomplete", because=("no ledger",)), NOW
    )
    missed = weigh(replace(BREAKS, when=AlertTrigger.SCHEDULE_MISSED), situation(missed=3), NOW)
    assert incomplete is not None
    assert missed is not None
    assert incomplete.reasons == ("no ledger",)
    assert (missed.subjects, "3 scheduled windows" in missed.reasons[0]) == (3, True)


def lived(rule: AlertRule, steps: list[tuple[timedelta, bool]]) -> tuple[list[Alert], list[tuple[datetime, Change]]]:
    """Let runs come after these gaps, with or without a concern; return the alerts as stored and what was told."""
    stored: dict[str, Alert] = {}
    told, newest, now = [], None, NOW
    for gap, concerned in steps:
        now += gap
        after, change = advance(rule, newest, CONCERN if concerned else None, shop="main", provider="stripe", now=now)
        if after is not None:
            newest = stored[after.alert_id] = after
        if change is not None:
            told.append((now, change))
    return list(stored.values()), told


steps = st.lists(st.tuples(st.timedeltas(timedelta(seconds=1), timedelta(days=2)), st.booleans()), max_size=50)


@given(steps, st.timedeltas(timedelta(seconds=1), timedelta(days=3)))
def test_one_alert_at_a_time_told_once_a_period_and_closed_exactly_when_it_was_told(
    steps: list[tuple[timedelta, bool]], period: timedelta
) -> None:
    alerts, told = lived(replace(BREAKS, period=period), steps)
    assert sum(alert.state is AlertState.OPEN for alert in alerts) == bool(steps and steps[-1][1])
    raised = [at for at, change in told if change is not Change.CLOSED]
    assert all(later - earlier >= period for earlier, later in itertools.pairwise(raised))
    # Whoever is told of an end was told of a beginning, and never twice of one end.
    ends = [change is Change.CLOSED for _, change in told]
    assert not (ends and ends[0])
    assert not any(one and two for one, two in itertools.pairwise(ends))
    assert sum(alert.notices for alert in alerts) == len(told)


@given(steps, st.timedeltas(timedelta(seconds=1), timedelta(days=3)))
def test_what_stays_open_for_a_period_is_told(steps: list[tuple[timedelta, bool]], period: timedelta) -> None:
    _, told = lived(replace(BREAKS, period=period), [*steps, (timedelta(seconds=1), True), (period, True)])
    now = NOW + sum((gap for gap, _ in steps), timedelta(seconds=1)) + period
    assert told
    assert now - max(at for at, change in told if change is not Change.CLOSED) < period + timedelta(seconds=1)


def test_the_story_of_an_alert() -> None:
    alerts, told = lived(
        replace(BREAKS, period=24 * HOUR),
        [(HOUR, True), (HOUR, True), (HOUR, False), (HOUR, True), (HOUR, False), (30 * HOUR, True), (25 * HOUR, True)],
    )
    assert [change for _, change in told] == [Change.OPENED, Change.CLOSED, Change.OPENED, Change.STILL_OPEN]
    assert [alert.state for alert in alerts] == [AlertState.CLOSED, AlertState.OPEN]


@pytest.mark.parametrize("wrong", [{"period": timedelta(0)}, {"min_count": 0}, {"min_at_risk": {"EUR": -1}}])
def test_a_rule_that_can_never_be_kept_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"period|min_"):
        replace(BREAKS, **wrong)  # type: ignore[arg-type]


def test_dead_letters_of_our_webhooks_have_a_trigger_of_their_own() -> None:
    rule = replace(BREAKS, when=AlertTrigger.DEAD_WEBHOOKS, min_count=2)
    assert weigh(rule, replace(situation(broken(1)), dead_webhooks=1), NOW) is None
    concern = weigh(rule, replace(situation(), dead_webhooks=2), NOW)
    assert concern is not None
    assert (concern.subjects, concern.reasons) == (2, ("dead letters: 2; orders outbound list --state dead",))
