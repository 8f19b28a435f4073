"""What must stand in every format of the report: decisions of people and of rules, days of grace, owners."""

import json
from dataclasses import replace

from tests.unit.reports_reading import (
    Page,
    items_of,
    printed,
    ruled,
    sample,
    settled,
)
from tests.unit.reports_sample import (
    BREAKS,
    END,
    STATEMENTS,
)
from worker.reports import html, json_export, words
from worker.services.ports import BreakAction


def test_what_rules_explain_suggest_and_reject_stands_in_every_format() -> None:
    report = ruled()
    assert report.sound
    assert [len(some) for some in (report.explained, report.rejected, report.warnings, report.settled)] == [1, 2, 1, 1]
    assert [row.cause.split(":")[0] for row in report.rejected] == [
        "july.csv, line 7, column net",
        "july.csv, line 12, column net",
    ]
    page = Page(html.render(report, {}))
    for said in (
        "Agree within the tolerance",
        "which the rules allow",
        "july.csv, line 12, column net: not a plain decimal amount",
        "Of the same amount, for a person to judge: payment/pi_alike , line/txn_9",
        "Settled by people",
    ):
        assert said in page.text, said
    told = json.loads(json_export.render(report))
    assert [one["kind"] for one in told["explained"]] == ["matched_within_tolerance"]
    assert [one["kind"] for one in told["rejected_rows"]] == ["rejected_row"] * 2
    assert ["payment/pi_alike", "line/txn_9"] in [one["suggestions"] for one in told["breaks"]]
    assert [one["settlement"]["reason"] for one in told["settled"]] == ["the bank confirmed it by letter"]
    told_rows = items_of(report)
    assert [row["item"] for row in told_rows[-5:]] == ["warning", "settled", "explained", "rejected", "rejected"]
    assert {row["suggestions"] for row in told_rows} == {"", "payment/pi_alike line/txn_9"}
    text = printed(report, terminal_=False)
    assert "explained  matched_within_tolerance  payments  order 450789900  EUR -0.02" in text
    assert "rejected  july.csv, line 7, column net: not a plain decimal amount" in text


def test_the_day_a_pending_item_becomes_a_break_stands_in_every_format() -> None:
    report = sample()
    due = "2026-11-22T14:35:00Z"
    assert {words.iso(one.break_on) for one in report.pending if one.break_on} == {due}
    assert {one["break_on"] for one in json.loads(json_export.render(report))["pending"]} == {due}
    told_rows = items_of(report)
    assert {row["break_on"] for row in told_rows if row["item"] == "pending"} == {due}
    assert printed(report, terminal_=False).count(f"until {due}") == 4
    assert "22 Nov 2026, 14:35" in Page(html.render(report, {})).text


def test_open_items_roll_forward_in_the_report_or_are_said_not_to() -> None:
    report = sample()
    (roll,) = [one["open_items"] for one in json.loads(json_export.render(report))["statements"] if one["open_items"]]
    moved = sum(line["amount_minor"] for line in roll["lines"])
    assert roll["opening"]["amount_minor"] + moved == roll["closing"]["amount_minor"]
    assert (roll["previous_run"], roll["residual_minor"]) == ("r-20261122-13", 0)
    page = Page(html.render(report, {}))
    assert [attrs["data-row"] for attrs in page.having("data-row")] == ["opening", "movements", "late", "closing"]
    assert "does not roll forward" not in page.text
    assert STATEMENTS[0].roll is not None
    broken = replace(STATEMENTS[0], roll=replace(STATEMENTS[0].roll, opening_minor=3500))
    report = sample(statements=(broken, STATEMENTS[1]))
    assert not report.sound
    page = Page(html.render(report, {}))
    assert "✗ does not roll forward" in page.text
    assert "This report does not prove itself. The open items in EUR roll forward from the run before: no" in page.text
    assert "failed  The open items in EUR" in printed(report, terminal_=False)


def test_what_people_settled_says_who_when_and_why_everywhere() -> None:
    report = settled()
    before = sample()
    assert report.sound is before.sound
    assert (report.warnings, report.breaks) == (before.warnings, before.breaks)
    assert "1 difference settled by people" in report.sentence
    page = Page(html.render(report, {}))
    assert [tag["data-settled"] for tag in page.having("data-settled")] == ["ignored"]
    said = "Ignored by alice, 22 Nov 2026, 11:00, until 1 Dec 2026, 14:00"
    assert said in page.text
    assert "By hand" in page.text
    for drawn in (True, False):
        text = " ".join(printed(report, terminal_=drawn).split())
        assert "alice" in text
        assert "refunded by hand" in text
    (row,) = [row for row in items_of(report) if row["item"] == "settled"]
    assert (row["settled_by"], row["settled_as"], row["settled_until"]) == ("alice", "ignored", "2026-12-01T14:00:00Z")
    assert (row["difference_minor"], row["resolution"]) == ("-300", "the bank's error, refunded by hand")
    (one,) = json_export.document(report)["settled"]
    assert one["settlement"] == {
        "how": "ignored",
        "by": "alice",
        "at": "2026-11-22T11:00:00Z",
        "reason": "the bank's error, refunded by hand",
        "until": "2026-12-01T14:00:00Z",
    }
    assert json_export.document(report)["totals"]["settled"]["count"] == 1


def test_a_reason_is_text_and_no_markup_formula_or_command() -> None:
    report = settled("<b>=1+1\x1b[2J[red]")
    assert "<b>=1" not in html.render(report, {}).decode()
    assert "\x1b[2J" not in printed(report, terminal_=True) + printed(report, terminal_=False)
    (row,) = [row for row in items_of(settled("=1+1")) if row["item"] == "settled"]
    assert row["resolution"] == "'=1+1"


def test_an_open_break_shows_its_owner_its_links_and_peoples_reasons() -> None:
    item = replace(BREAKS[0], owner="bob", links=("order/17",))
    remark = BreakAction(at=END, actor="alice", action="assigned", run_id="", detail="nobody -> bob", reason="knows it")
    report = sample(breaks=(item, *BREAKS[1:]), history={item.break_id: [remark]})
    text = Page(html.render(report, {})).text
    for words_ in ("Owner bob", "Linked to order/17", "nobody -> bob: knows it"):
        assert words_ in text
    (told,) = [one for one in json_export.document(report)["breaks"] if one["break_id"] == item.break_id]
    assert (told["owner"], told["links"], told["history"][0]["reason"]) == ("bob", ["order/17"], "knows it")
