"""The verdict's order, the buckets of age, and the scope's invariants."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from tests.unit.matching_books import CUT, HORIZON, SCOPE, WINDOW_START, clean
from worker.domain.errors import InvalidInput
from worker.domain.finding import Finding, Outcome, Statement, StatementLine, Verdict
from worker.domain.matching.ageing import BUCKETS, bucket
from worker.domain.matching.verdict import verdict


def weighing(*outcomes: Outcome) -> list[Finding]:
    return [replace(clean(1).payments()[0], outcome=outcome) for outcome in outcomes]


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        ((), Verdict.RECONCILED),
        ((Outcome.MATCHED,), Verdict.RECONCILED),
        ((Outcome.MATCHED, Outcome.PENDING), Verdict.PENDING),
        ((Outcome.PENDING, Outcome.WARNING), Verdict.WARNINGS),
        ((Outcome.WARNING, Outcome.PENDING, Outcome.BREAK), Verdict.BREAKS),
    ],
)
def test_the_worst_outcome_decides(outcomes: tuple[Outcome, ...], expected: Verdict) -> None:
    assert verdict(weighing(*outcomes), [], ()) is expected
    assert verdict(weighing(*outcomes), [], ["the shop could not be read"]) is Verdict.INCOMPLETE


def test_a_residual_is_incomplete_even_when_currencies_cancel() -> None:
    over = Statement(currency="EUR", ours_minor=0, theirs_minor=5, lines=())
    under = Statement(currency="USD", ours_minor=5, theirs_minor=0, lines=())
    assert verdict(weighing(Outcome.MATCHED), [over, under], ()) is Verdict.INCOMPLETE
    line = StatementLine(code="timing", label="", count=1, amount_minor=5)
    assert verdict(weighing(Outcome.MATCHED), [replace(over, lines=(line,))], ()) is Verdict.RECONCILED


@pytest.mark.parametrize(
    ("age", "expected"),
    [
        (timedelta(seconds=-1), "0-1d"),
        (timedelta(0), "0-1d"),
        (timedelta(days=1) - timedelta(microseconds=1), "0-1d"),
        (timedelta(days=1), "1-3d"),
        (timedelta(days=3), "3-7d"),
        (timedelta(days=7) - timedelta(microseconds=1), "3-7d"),
        (timedelta(days=7), ">7d"),
        (timedelta(days=400), ">7d"),
    ],
)
def test_buckets_hold_their_lower_edge(age: timedelta, expected: str) -> None:
    assert bucket(age) == expected
    assert expected in BUCKETS


def test_the_scope_is_half_open() -> None:
    assert SCOPE.in_window(WINDOW_START)
    assert not SCOPE.in_window(CUT)
    assert SCOPE.judged(HORIZON)
    assert not SCOPE.judged(HORIZON - timedelta(microseconds=1))
    assert HORIZON - SCOPE.read_from == SCOPE.payment_grace


@pytest.mark.parametrize(
    "change",
    [
        {"window_end": WINDOW_START},
        {"horizon_start": WINDOW_START + timedelta(seconds=1)},
        {"window_start": datetime(2026, 3, 9)},
        {"order_grace": timedelta(seconds=-1)},
    ],
)
def test_a_scope_out_of_order_is_refused(change: dict[str, datetime | timedelta]) -> None:
    with pytest.raises(InvalidInput):
        replace(SCOPE, **change)  # type: ignore[arg-type]
