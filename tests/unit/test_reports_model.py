"""The report as data: what it says, what it sums, and what it finds wrong with itself."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.unit.reports_reading import EMPTY, Page, sample
from tests.unit.reports_sample import (
    BREAKS,
    EARLIER,
    END,
    FINDINGS,
    RESOLVED,
    RUN,
    STATEMENTS,
    WAITING,
    finding,
)
from worker.domain.finding import (
    FindingKind,
    Outcome,
    Verdict,
)
from worker.domain.money import Money
from worker.reports import html
from worker.reports.model import build
from worker.reports.trend import open_at_risk
from worker.services.ports import Run


def test_the_verdict_says_it_in_a_sentence() -> None:
    assert sample().sentence == (
        "96 of 106 comparisons agree; EUR 214.90, JPY 184,000 and USD 49.00 at risk in 5 breaks; "
        "4 still within their grace; 1 warning to look at."
    )


def test_a_clean_run_says_so() -> None:
    run = replace(RUN, verdict="reconciled", counts={"matched": 12})
    report = sample(run=run, findings=(), breaks=(), resolved=())
    assert report.sentence == "All 12 comparisons agree."
    assert report.sound
    page = Page(html.render(report, {}))
    assert "All breaks" not in page.text
    assert [attrs["data-verdict"] for attrs in page.having("data-verdict")] == ["reconciled"]


def test_a_run_without_anything_to_compare_renders() -> None:
    run = replace(RUN, verdict="reconciled", counts={})
    report = build(run, **EMPTY)
    assert report.sentence == "Nothing was there to compare."
    assert "No money moved in this window." in Page(html.render(report, {})).text


def test_a_run_that_found_none_says_that_open_breaks_lie_outside_of_it() -> None:
    run = replace(RUN, verdict="reconciled", counts={})
    report = build(run, **{**EMPTY, "breaks": BREAKS[:1]})
    assert report.sentence.startswith("Nothing was there to compare; ")
    assert report.sentence.endswith(" at risk in 1 break, which lies outside what this run compared.")
    assert "outside" not in sample().sentence


def test_an_incomplete_run_is_never_calm() -> None:
    run = replace(RUN, verdict="incomplete", incomplete_because=("the provider's ledger broke off after page 3",))
    report = sample(run=run)
    assert report.sentence.startswith("This run is incomplete and proves nothing: the provider's ledger broke off")
    assert not report.sound
    text = Page(html.render(report, {})).text
    assert "Whether the books agree is not known." in text
    assert "Mend this and run it again: the provider's ledger broke off after page 3." in text


def test_an_unfinished_run_counts_as_incomplete() -> None:
    report = sample(run=replace(RUN, verdict="", finished_at=None))
    assert report.verdict is Verdict.INCOMPLETE
    assert report.as_of == RUN.started_at


def test_a_residual_is_said_at_the_top_and_drawn_as_its_own_row() -> None:
    off = replace(STATEMENTS[0], theirs_minor=STATEMENTS[0].theirs_minor + 1)
    report = sample(statements=(off,))
    assert not report.sound
    assert [row.amount for row in report.bridges[0].rows if row.role == "residual"] == [Money(1, "EUR")]
    page = Page(html.render(report, {})).text
    assert page.index("does not prove itself") < page.index("Proof")
    assert "EUR 0.01 unexplained" in page


def test_bridge_rows_lead_from_ours_to_theirs() -> None:
    for bridge in sample().bridges:
        first, *steps, last = [row.amount.minor for row in bridge.rows]
        assert first + sum(steps) == last
        assert bridge.ties


def test_counts_that_do_not_equal_what_is_listed_are_reported() -> None:
    report = sample(run=replace(RUN, counts={"matched": 96, "pending": 9, "warnings": 1, "breaks": 5}))
    failed = [check for check in report.checks if not check.holds]
    assert [check.detail for check in failed] == ["pending 9 but 4 listed, warnings 1, breaks 5"]


def test_a_break_finding_that_nobody_follows_is_reported() -> None:
    report = sample(breaks=BREAKS[1:], run=replace(RUN, counts=None))
    assert [check.detail for check in report.checks if not check.holds] == ["5 found, 4 followed"]


def test_a_report_written_after_later_runs_says_whose_breaks_it_lists() -> None:
    report = sample(breaks=BREAKS[1:])
    assert report.moved_on
    assert report.sound
    assert "This run left 5 breaks open; these are open now." in Page(html.render(report, {})).text


def test_matched_findings_bring_their_amounts() -> None:
    agreed = finding("1", FindingKind.MATCHED, ours=500, theirs=500, age=timedelta(1), outcome=Outcome.MATCHED)
    card = sample(findings=(*FINDINGS, agreed)).cards[0]
    assert (card.code, card.count, card.amounts) == ("matched", 1, (Money(500, "EUR"),))


def test_breaks_are_sorted_by_amount_within_their_currency() -> None:
    assert [(one.at_risk.currency, one.at_risk.minor) for one in sample().breaks] == [
        ("EUR", 12990),
        ("EUR", 5950),
        ("EUR", 2550),
        ("JPY", 184000),
        ("USD", 4900),
    ]


def test_resolved_breaks_given_as_open_are_not_listed_as_open() -> None:
    assert len(sample(breaks=(*BREAKS, *RESOLVED)).breaks) == len(BREAKS)


def test_the_age_matrix_adds_up_to_the_cards() -> None:
    report = sample()
    rows = {row.code: row for row in report.ageing.rows}
    cards = {card.code: card for card in report.cards}
    assert rows["open"].total.count == cards["breaks"].count == sum(cell.count for cell in rows["open"].cells)
    assert rows["open"].total.amounts == cards["at_risk"].amounts
    assert rows["pending"].total.amounts == cards["pending"].amounts
    assert [cell.count for cell in rows["open"].cells] == [2, 1, 1, 1]
    for bar in report.ageing.bars:
        assert sum(part.minor for _, part, _ in bar.segments) == bar.total.minor
        assert sum(one.width for _, _, one in bar.segments) == pytest.approx(100)


def test_repaired_and_agreeing_again_are_told_apart() -> None:
    report = sample()
    assert [item.finding.order_id for item in report.repaired] == ["450789301"]
    assert [item.finding.order_id for item in report.agreed] == ["450789302"]
    assert "deliver the lost payment event again" in Page(html.render(report, {})).text


def test_pending_items_come_in_the_order_they_become_breaks() -> None:
    first = replace(WAITING[3], break_on=END + timedelta(minutes=1))
    report = sample(findings=(*WAITING[:3], first))
    assert report.pending[:1] == [first]


def test_trend_takes_only_finished_runs_of_the_same_books_up_to_this_one() -> None:
    other = replace(EARLIER[0], run_id="x1", provider="adyen")
    later = replace(EARLIER[0], run_id="x2", window_end=END + timedelta(hours=1))
    running = replace(EARLIER[0], run_id="x3", verdict="")
    report = sample(earlier=(other, later, running, *EARLIER[:2], RUN))
    assert [past.run_id for past in report.trend.runs] == ["r-2", "r-1", "r-20261122-14"]
    assert [(series.label, series.last) for series in report.trend.series] == [
        ("Share that agrees", "90.5 %"),
        ("Open breaks", "5"),
        ("At risk in EUR", "EUR 214.90"),
        ("At risk in JPY", "JPY 184,000"),
        ("At risk in USD", "USD 49.00"),
    ]


def test_share_is_rounded_down_so_that_only_all_is_all() -> None:
    almost = replace(RUN, counts={"matched": 99_999, "pending": 1})
    series = sample(run=almost).trend.series[0]
    assert series.last == "99.9 %"


def test_a_statement_run_is_reproduced_from_its_file() -> None:
    run = replace(RUN, source="statement:" + "ab" * 32)
    assert sample(run=run).reproduce.endswith("--statement " + "ab" * 32)


def test_runs_are_unchanged_by_their_report() -> None:
    before = replace(RUN)
    sample()
    assert before == RUN
    assert isinstance(RUN, Run)


def test_runs_of_a_release_that_did_not_count_what_is_at_risk_are_left_out_of_its_line() -> None:
    older = replace(EARLIER[0], counts={"matched": 4, "breaks_open": 2})
    clean = replace(EARLIER[1], counts={"matched": 4, "breaks_open": 0})
    assert open_at_risk(older.counts) is None
    assert open_at_risk(clean.counts) == {}
    (line,) = [one for one in sample(earlier=(older, clean)).trend.series if one.label == "At risk in EUR"]
    assert (line.first, line.last) == ("EUR 0.00", "EUR 214.90")
