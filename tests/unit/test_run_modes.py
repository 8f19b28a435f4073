"""What a run covers by its mode, and its rules kept as a document."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from types import SimpleNamespace

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from worker.cli import reconcile_backfill
from worker.cli.reconcile_backfill import length, windows
from worker.contract.reconciliation import Mode, Reconcile, ReconciliationResult, Window
from worker.domain.errors import InvalidInput
from worker.domain.finding import Outcome
from worker.domain.matching.rules import Compared, FeeSchedule, Grace, Moved, Reference, Rules, Tolerance
from worker.domain.matching.rules_codec import decode_rules, encode_rules
from worker.domain.window import Span, month_before
from worker.services.ports import Run, source_of
from worker.services.reconciliation import _mode

amounts = st.integers(0, 10**12)
spans = st.timedeltas(timedelta(0), timedelta(days=400))
weights = st.sampled_from([Outcome.MATCHED, Outcome.WARNING, Outcome.BREAK])
times = st.datetimes(datetime(1990, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))
rules = st.builds(
    Rules,
    provider=st.text(max_size=8),
    references=st.lists(st.sampled_from(Reference), min_size=1, max_size=3).map(tuple),
    compared=st.sampled_from(Compared),
    date_window=spans,
    tolerances=st.dictionaries(
        st.sampled_from(["EUR", "JPY"]), st.builds(Tolerance, absolute_minor=amounts, relative_bp=amounts)
    ),
    graces=st.lists(
        st.builds(
            Grace,
            moved=st.none() | st.sampled_from(Moved),
            method=st.text(max_size=4),
            internal=st.none() | spans,
            external=st.none() | spans,
        ),
        max_size=3,
    ).map(tuple),
    fees=st.lists(st.builds(FeeSchedule, basis_points=amounts, fixed_minor=amounts), max_size=2).map(tuple),
    fee_variance=weights,
    fx_difference=weights,
    reversed_after_fulfilment=weights,
    payouts_by=st.text(max_size=5),
    payout_grace=spans,
    bank_names=st.lists(st.text(max_size=5), max_size=2).map(tuple),
)


@given(rules)
def test_rules_are_the_same_after_they_were_a_document(some: Rules) -> None:
    assert decode_rules(encode_rules(some)) == some


def test_a_grace_for_everything_is_written_as_the_release_before_knew_it() -> None:
    (written,) = encode_rules(Rules(graces=(Grace(method="card", internal=timedelta(days=1)),)))["graces"]
    assert set(written) == {"method", "internal"}


def test_a_rule_this_code_does_not_know_is_refused_and_one_that_is_missing_has_its_default() -> None:
    document = encode_rules(Rules(provider="stripe"))
    del document["bank_names"]
    assert decode_rules(document) == Rules(provider="stripe")
    with pytest.raises(InvalidInput, match="lunar_phase"):
        decode_rules({**document, "lunar_phase": "full"})


@given(times)
def test_the_month_before_is_whole_and_the_last_that_has_ended(at: datetime) -> None:
    month = month_before(at)
    assert month.start.day == month.end.day == 1
    assert month.end <= at
    assert timedelta(days=28) <= month.end - month.start <= timedelta(days=31)
    assert month_before(month.end - timedelta(seconds=1)).end == month.start
    assert (month.start.hour, month.end.hour, month.end.microsecond) == (0, 0, 0)


@given(times, st.integers(1, 10**6), st.integers(1, 10**5))
def test_the_windows_of_a_backfill_are_the_period_without_hole_or_overlap(at: datetime, long: int, every: int) -> None:
    period = Span(at, at + timedelta(seconds=min(long, 500 * every)))
    made = list(windows(period, timedelta(seconds=every)))
    assert (made[0].start, made[-1].end) == (period.start, period.end)
    assert all(one.end == other.start for one, other in pairwise(made))
    assert all(one.end - one.start == timedelta(seconds=every) for one in made[:-1])


def test_lengths_of_windows_are_read_and_others_refused() -> None:
    assert [length(text) for text in ("15m", "1h", "2d")] == [
        timedelta(minutes=15),
        timedelta(hours=1),
        timedelta(days=2),
    ]
    for text in ("", "0h", "1w", "h", "-1d", "1.5h"):
        with pytest.raises(Exception, match="no length of a window"):
            length(text)


@pytest.mark.parametrize("mode", Mode)
def test_a_run_knows_its_mode_by_where_it_was_read_from(mode: Mode) -> None:
    at = datetime(2026, 11, 1, tzinfo=UTC)
    run = Run(
        run_id="r",
        shop="main",
        provider="stripe",
        window_start=at,
        window_end=at,
        source=source_of(mode),
        requested_by="someone",
        workflow_id="w",
        started_at=at,
    )
    assert (run.mode, run.of_api) == (mode, True)


def test_a_mode_that_is_none_or_of_a_file_is_refused() -> None:
    asked = Reconcile(shop="main", provider="stripe")
    assert _mode(asked) is Mode.FULL
    with pytest.raises(InvalidInput, match="use full, light, close"):
        _mode(Reconcile(shop="main", provider="stripe", mode="quick"))
    with pytest.raises(InvalidInput, match="as a whole"):
        _mode(Reconcile(shop="main", provider="stripe", mode="light", statement_sha256="a" * 64))


class Past:
    """Windows and what their runs answer; `complete` holds the runs that are stored."""

    def __init__(self, verdicts: dict[int, str]) -> None:
        self.verdicts = verdicts
        self.asked: list[int] = []
        self.complete: dict[int, str] = {}
        self.noted: list[tuple[str, str, str]] = []

    def record(self, _config: object, action: str, subject: str, *, reason: str, **_more: str) -> None:
        self.noted.append((action, subject, reason))

    def stored(self, _config: object, span: Span, _mode: Mode) -> object:
        hour = span.start.hour
        return SimpleNamespace(verdict=self.complete[hour], run_id="r") if hour in self.complete else None

    def run(self, _config: object, span: Span, _mode: str, _actor: str, *, progress: bool) -> ReconciliationResult:
        assert not progress
        hour = span.start.hour
        self.asked.append(hour)
        verdict = self.verdicts.get(hour, "reconciled")
        if verdict != "incomplete":
            self.complete[hour] = verdict
        return ReconciliationResult(
            run_id=f"r-{hour}",
            verdict=verdict,
            window=Window(start="", end=""),
            incomplete_because=("the shop is away",),
        )


def test_a_backfill_ends_at_an_incomplete_run_goes_on_there_and_does_nothing_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    past = Past({1: "breaks", 2: "incomplete"})
    config = SimpleNamespace(provider=SimpleNamespace(name="stripe"))
    monkeypatch.setattr(reconcile_backfill, "load", lambda: config)
    monkeypatch.setattr(reconcile_backfill, "record", past.record)
    monkeypatch.setattr(reconcile_backfill, "_stored", past.stored)
    monkeypatch.setattr(reconcile_backfill, "_run", past.run)

    def backfill(*more: str) -> Result:
        period = ("--from", "2026-11-01T00:00:00Z", "--to", "2026-11-01T05:00:00Z", "--every", "1h")
        return CliRunner().invoke(reconcile_backfill.backfill, [*period, *more])

    assert "would run" in backfill("--dry-run").output
    assert (past.asked, past.noted) == ([], [])
    ended = backfill("--reason", "new books")
    assert past.noted == [("backfilled", "reconcile/stripe", "new books")]
    assert (ended.exit_code, past.asked) == (4, [0, 1, 2])
    assert "the shop is away" in ended.output
    assert (backfill("--continue").exit_code, past.asked) == (4, [0, 1, 2, 2, 3, 4])
    past.verdicts[2] = "reconciled"
    assert (backfill().exit_code, past.asked[6:]) == (1, [2])
    assert (backfill().exit_code, past.asked[7:]) == (1, [])
    assert (backfill("--again").exit_code, past.asked[7:]) == (1, [0, 1, 2, 3, 4])
