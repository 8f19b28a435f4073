"""Words and geometry of the report: every class has its word, every bar lies within its chart."""

import itertools
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.domain.finding import (
    BreakStatus,
    FindingKind,
    Leg,
    Repair,
    RepairState,
    SettledAs,
    Verdict,
)
from worker.reports import words
from worker.reports.charts import sparkline, stack, waterfall


def test_every_member_of_every_enum_has_its_word() -> None:
    assert set(words.SETTLED) == set(SettledAs)
    assert set(words.KIND) == set(FindingKind)
    assert set(words.LEG) == set(words.THEIR_SIDE) == set(Leg)
    assert set(words.STATUS) == set(BreakStatus)
    assert set(words.REPAIR) == set(Repair)
    assert set(words.REPAIR_STATE) == set(RepairState)
    assert set(words.VERDICT) == set(words.TONE) == set(Verdict)
    assert [verdict for verdict, tone in words.TONE.items() if tone == "good"] == [Verdict.RECONCILED]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.4, "0.4 s"),
        (59, "59 s"),
        (60, "1 min"),
        (3600, "1 h"),
        (5400, "1 h 30 min"),
        (90_000, "1 d 1 h"),
        (172_800, "2 d"),
    ],
)
def test_durations_in_words(seconds: float, said: str) -> None:
    assert words.duration(timedelta(seconds=seconds)) == said


@given(st.integers(-(10**9), 10**9), st.lists(st.integers(-(10**9), 10**9), max_size=8))
def test_every_bar_of_a_waterfall_lies_within_the_chart(start: int, steps: list[int]) -> None:
    chart = waterfall(start, steps, start + sum(steps))
    assert len(chart.bars) == len(steps) + 2 == len(chart.joints) + 1
    for bar in chart.bars:
        assert bar.x >= 0
        assert bar.width > 0
        assert bar.x + bar.width <= 100.01
    assert all(0 <= joint <= 100 for joint in chart.joints)


@given(st.lists(st.integers(0, 10**12), min_size=1, max_size=6))
def test_a_stacked_bar_fills_its_width_without_gaps(parts: list[int]) -> None:
    bars = stack(parts)
    assert sum(bar.width for bar in bars) == pytest.approx(100 if sum(parts) else 0, abs=0.1)
    for left, right in itertools.pairwise(bars):
        assert right.x == pytest.approx(left.x + left.width, abs=0.01)


def test_a_sparkline_needs_two_points() -> None:
    assert sparkline([1.0], 0, 1) is None
    assert sparkline([1.0, 1.0], 1, 1) is not None
