"""Figures for CloudWatch: the lines are what the format asks for, and say what the alarms wait for."""

import dataclasses
import io
import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.test_housekeeping import a_break
from worker import cloudwatch
from worker.config import ScheduleConfig
from worker.domain.finding import Break
from worker.observability import emf
from worker.observability.emf import Figures
from worker.observability.metrics import Backlog
from worker.temporal.schedule_control import RecentRun, ScheduleView

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
NAMES = st.text("abcXYZ", min_size=1, max_size=9)


@given(
    values=st.dictionaries(
        NAMES.map("m_{}".format),
        st.tuples(st.integers(0, 10**9), st.sampled_from(["Count", "Seconds"])),
        min_size=1,
        max_size=5,
    ),
    dimensions=st.dictionaries(NAMES.map("d_{}".format), st.text(min_size=1, max_size=20), max_size=3),
)
def test_a_line_is_one_json_object_that_declares_what_it_holds(
    values: dict[str, tuple[float, str]], dimensions: dict[str, str]
) -> None:
    stream = io.StringIO()
    emf.write("orders-dev", [Figures(values=values, dimensions=dimensions)] * 2, NOW, stream)
    lines = stream.getvalue().split("\n")
    assert lines[2] == ""
    assert lines[0] == lines[1]
    document = json.loads(lines[0])
    (directive,) = document["_aws"]["CloudWatchMetrics"]
    assert document["_aws"]["Timestamp"] == NOW.timestamp() * 1000
    assert directive["Namespace"] == "orders-dev"
    assert {(metric["Name"], document[metric["Name"]], metric["Unit"]) for metric in directive["Metrics"]} == {
        (name, value, unit) for name, (value, unit) in values.items()
    }
    assert {name: document[name] for name in directive["Dimensions"][0]} == dimensions
    assert len(document) == 1 + len(values) + len(dimensions)


def waiting(queue: str, kind: str, tasks: int, oldest: float, pollers: int) -> Backlog:
    return Backlog(queue=queue, kind=kind, tasks=tasks, oldest_seconds=oldest, pollers=pollers)


def test_a_queue_is_both_its_kinds_of_tasks() -> None:
    found = cloudwatch.of_queues(
        [
            waiting("orders", "workflow", 30, 5.0, 2),
            waiting("orders", "activity", 10, 70.0, 4),
            waiting("events", "workflow", 7, 1.0, 0),
        ]
    )
    told = {each.dimensions["Queue"]: {name: value for name, (value, _) in each.values.items()} for each in found}
    assert told == {
        "orders": {"BacklogCount": 40, "BacklogAgeSeconds": 70.0, "BacklogPerPoller": 10.0},
        "events": {"BacklogCount": 7, "BacklogAgeSeconds": 1.0, "BacklogPerPoller": 7.0},
    }


def aged(at_risk_minor: int, age: timedelta) -> Break:
    item = a_break("EUR", at_risk_minor, NOW - age)
    return dataclasses.replace(item, shop="main")


def test_a_break_is_at_risk_when_there_is_money_in_it_for_long() -> None:
    breaks = [aged(500, 2 * cloudwatch.OVERDUE), aged(500, HOUR), aged(0, 2 * cloudwatch.OVERDUE)]
    found = cloudwatch.of_breaks(breaks, ["main", "quiet"], NOW)
    told = {each.dimensions["Shop"]: (each.values["OpenBreaks"][0], each.values["BreaksAtRisk"][0]) for each in found}
    assert told == {"main": (3, 1), "quiet": (0, 0)}


DECLARED = ScheduleConfig(
    id="reconcile-main-stripe",
    shop="main",
    provider="stripe",
    interval_seconds=3600,
    offset_seconds=0,
    overlap="buffer_one",
    catchup_seconds=3600,
    jitter_seconds=0,
)


def view(last: datetime | None, *, paused: bool = False) -> ScheduleView:
    recent = () if last is None else (RecentRun(scheduled_at=last, started_at=last, workflow_id="w"),)
    return ScheduleView(
        id=DECLARED.id,
        shop="main",
        provider="stripe",
        mode="full",
        interval_seconds=3600,
        offset_seconds=0,
        paused=paused,
        note="",
        next_times=(),
        recent=recent,
        running=(),
        total=len(recent),
        missed_catchup=0,
        overlap_skipped=0,
    )


@pytest.mark.parametrize(
    ("views", "began", "expected"),
    [
        ([view(NOW - HOUR)], NOW - 9 * HOUR, 0),
        ([view(NOW - 3 * HOUR)], NOW - 9 * HOUR, 1),
        ([view(NOW - 3 * HOUR, paused=True)], NOW - 9 * HOUR, 0),
        ([view(NOW - 3 * HOUR)], NOW - HOUR, 0),
        ([view(None)], NOW - HOUR, 0),
        ([view(None)], NOW - 3 * HOUR, 1),
        ([], NOW - 3 * HOUR, 1),
    ],
    ids=["in time", "late", "paused", "we just came", "no run yet", "never a run", "not there"],
)
def test_a_schedule_misses_what_it_should_have_run(views: list[ScheduleView], began: datetime, expected: int) -> None:
    assert cloudwatch.missed(views, [DECLARED], began, NOW) == expected


CLOSE = dataclasses.replace(DECLARED, mode="close", interval_seconds=0, day_of_month=4, offset_seconds=6 * 3600)


@pytest.mark.parametrize(
    ("views", "began", "expected"),
    [
        ([view(datetime(2026, 11, 4, 6, tzinfo=UTC))], NOW - HOUR, 0),
        ([view(datetime(2026, 10, 4, 6, tzinfo=UTC))], datetime(2026, 10, 9, tzinfo=UTC), 1),
        ([view(datetime(2026, 10, 4, 6, tzinfo=UTC))], NOW - HOUR, 0),
        ([view(None)], NOW - HOUR, 0),
        ([view(None)], datetime(2026, 11, 4, 5, tzinfo=UTC), 1),
        ([], NOW - HOUR, 0),
    ],
    ids=["in time", "late", "we just came", "not yet due", "never a run", "not there, not yet due"],
)
def test_a_month_s_close_is_missed_a_day_after_it_was_due(
    views: list[ScheduleView], began: datetime, expected: int
) -> None:
    assert cloudwatch.missed(views, [CLOSE], began, NOW) == expected


def test_the_environment_s_own_figures_have_no_dimension() -> None:
    line = json.loads(
        emf.line("n", cloudwatch.of_work(missed_schedules=1, failed=2, dead=3, stuck=4, dead_webhooks=5), NOW)
    )
    assert line["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [[]]
    names = ("SchedulesMissed", "ReconciliationRunsFailed", "DeadLetters", "StuckWork", "DeadWebhooks")
    assert [line[name] for name in names] == [1, 2, 3, 4, 5]
