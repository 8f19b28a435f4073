"""The report: one model, four formats that agree, and nothing that could leave the file."""

import csv
import hashlib
import io
import itertools
import json
import re
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from tests.unit.reports_sample import (
    BREAKS,
    EARLIER,
    END,
    FINDINGS,
    HISTORY,
    LOST,
    RESOLVED,
    RUN,
    SHORT,
    STATEMENTS,
    STRANGE,
    WAITING,
    finding,
    followed,
)
from worker.domain.errors import InvalidInput, NotFound
from worker.domain.finding import (
    BreakStatus,
    FindingKind,
    Leg,
    Outcome,
    Repair,
    RepairState,
    SettledAs,
    Settlement,
    Verdict,
)
from worker.domain.matching.rejects import UnreadRow, rejected_rows
from worker.domain.money import Money
from worker.reports import csv_export, html, json_export, terminal, words
from worker.reports.charts import sparkline, stack, waterfall
from worker.reports.model import Report, build
from worker.reports.writer import ReportFiles
from worker.services.ports import BreakAction, ObjectStore, ReportWriter, Run

PARTS: dict[str, Any] = {
    "statements": STATEMENTS,
    "findings": FINDINGS,
    "breaks": BREAKS,
    "resolved": RESOLVED,
    "earlier": EARLIER,
}


EMPTY: dict[str, Any] = dict.fromkeys(PARTS, ())


class MemoryStore:
    """An object store in a dictionary; keeps the order of writing."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    def put(self, path: str, content: bytes) -> str:
        self.files[path] = content
        return f"memory:{path}"

    def put_file(self, path: str, source: Path) -> str:
        return self.put(path, source.read_bytes())

    def get(self, path: str) -> bytes:
        try:
            return self.files[path]
        except KeyError:
            raise NotFound(path) from None

    def names(self, prefix: str) -> list[str]:
        return sorted(path for path in self.files if path.startswith(prefix))


class Page(HTMLParser):
    """What a test wants to know of a page: tags with attributes, and the text a reader sees."""

    def __init__(self, content: bytes) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self._text: list[str] = []
        self._hidden = 0
        self.feed(content.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._hidden += tag == "style"

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag == "style"

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self._text.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self._text))

    def having(self, attribute: str) -> list[dict[str, str | None]]:
        return [attrs for _, attrs in self.tags if attribute in attrs]


def sample(**changes: Any) -> Report:
    return build(**(PARTS | {"run": RUN, "history": HISTORY} | changes))


def written(**changes: Any) -> MemoryStore:
    store = MemoryStore()
    run = changes.pop("run", RUN)
    ReportFiles(store).write(run, **PARTS, **changes)
    return store


def test_the_writer_is_the_port_and_writes_three_files_the_page_last() -> None:
    store: ObjectStore = MemoryStore()
    writer: ReportWriter = ReportFiles(store)
    path = writer.write(RUN, **PARTS)
    assert path == "reports/main/stripe/r-20261122-14/report.html"
    assert isinstance(store, MemoryStore)
    assert [name.rsplit("/", 1)[1] for name in store.files] == ["breaks.csv", "report.json", "report.html"]


def test_the_same_run_gives_the_same_bytes_whatever_the_order_of_its_parts() -> None:
    shuffled = MemoryStore()
    ReportFiles(shuffled).write(RUN, **{name: part[::-1] for name, part in PARTS.items()})
    assert shuffled.files == written().files


@pytest.mark.parametrize("part", ["..", "a/b", "", "x\n", " main"])
def test_names_that_are_no_path_parts_are_refused(part: str) -> None:
    with pytest.raises(InvalidInput):
        written(run=replace(RUN, run_id=part))


def test_the_page_names_the_digests_of_its_siblings() -> None:
    files = written().files
    page = Page(files["reports/main/stripe/r-20261122-14/report.html"])
    for name in ("breaks.csv", "report.json"):
        digest = hashlib.sha256(files[f"reports/main/stripe/r-20261122-14/{name}"]).hexdigest()
        assert digest in page.text
    assert {attrs["data-digest"] for attrs in page.having("data-digest")} == {"breaks.csv", "report.json"}


def test_the_page_asks_nothing_of_the_network_and_runs_nothing() -> None:
    content = html.render(sample(), {})
    page = Page(content)
    assert not re.search(rb"https?:|//[a-z]", content.replace(b"<!doctype", b"")), "no address of anywhere"
    assert not [tag for tag, _ in page.tags if tag in {"script", "img", "iframe", "object", "embed", "form"}]
    assert not [attrs for _, attrs in page.tags if any(name.startswith("on") for name in attrs)]
    assert all(str(attrs["href"]).startswith(("#", "data:")) for attrs in page.having("href"))
    assert b"url(" not in content
    assert b"@import" not in content
    policy = [attrs["content"] for attrs in page.having("http-equiv")]
    assert policy == ["default-src 'none'; style-src 'unsafe-inline'; img-src data:"]


def test_counts_and_amounts_of_the_page_equal_those_of_the_json() -> None:
    report = sample()
    page = Page(html.render(report, {}))
    document = json.loads(json_export.render(report))
    on_page = {str(attrs["data-card"]): int(str(attrs["data-count"])) for attrs in page.having("data-card")}
    assert on_page == {name: total["count"] for name, total in document["totals"].items()}
    assert on_page == {"matched": 96, "pending": 4, "warnings": 1, "breaks": 5, "at_risk": 5}
    assert document["totals"]["at_risk"]["amounts"] == [
        {"currency": "EUR", "minor": 21490},
        {"currency": "JPY", "minor": 184000},
        {"currency": "USD", "minor": 4900},
    ]
    listed = [attrs["data-break"] for attrs in page.having("data-break")]
    assert listed == [one["break_id"] for one in document["breaks"]]
    assert len(document["pending"]) == 4


def test_every_link_leads_to_a_break_that_is_there() -> None:
    page = Page(html.render(sample(), {}))
    ids = {attrs["id"] for attrs in page.having("id")}
    links = {str(attrs["href"])[1:] for attrs in page.having("href") if str(attrs["href"]).startswith("#")}
    assert len(links) == 5
    assert links <= ids


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


def test_an_incomplete_run_is_never_calm() -> None:
    run = replace(RUN, verdict="incomplete", incomplete_because=("the provider's ledger broke off after page 3",))
    report = sample(run=run)
    assert report.sentence.startswith("This run is incomplete and proves nothing: the provider's ledger broke off")
    assert not report.sound
    assert "This report does not prove itself." in Page(html.render(report, {})).text


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
    assert report.pending[0] is first


def test_trend_takes_only_finished_runs_of_the_same_books_up_to_this_one() -> None:
    other = replace(EARLIER[0], run_id="x1", provider="adyen")
    later = replace(EARLIER[0], run_id="x2", window_end=END + timedelta(hours=1))
    running = replace(EARLIER[0], run_id="x3", verdict="")
    report = sample(earlier=(other, later, running, *EARLIER[:2], RUN))
    assert [run_id for run_id, _ in report.trend.runs] == ["r-2", "r-1", "r-20261122-14"]
    assert [series.last for series in report.trend.series] == ["90.5 %", "5"]


def test_share_is_rounded_down_so_that_only_all_is_all() -> None:
    almost = replace(RUN, counts={"matched": 99_999, "pending": 1})
    series = sample(run=almost).trend.series[0]
    assert series.last == "99.9 %"


def test_history_and_commands_stand_with_their_break() -> None:
    text = Page(html.render(sample(), {})).text
    assert "repair requested" in text
    assert f"orders breaks show {BREAKS[0].break_id}" in text
    assert "temporal workflow show --workflow-id order/main/450789469" in text
    assert "orders reconcile run --shop main --provider stripe --from 2026-11-22T13:00:00Z --to" in text


def test_a_statement_run_is_reproduced_from_its_file() -> None:
    run = replace(RUN, source="statement:" + "ab" * 32)
    assert sample(run=run).reproduce.endswith("--statement " + "ab" * 32)


HOSTILE = "\"><script>alert(1)</script>{{ 7*7 }}'=cmd"


def test_hostile_names_stay_text_everywhere() -> None:
    nasty = replace(LOST, order_id=HOSTILE, key=HOSTILE, cause=HOSTILE, repair_reference=HOSTILE)
    item = replace(BREAKS[0], finding=nasty)
    report = sample(breaks=(item,), findings=(nasty, replace(STRANGE, cause=HOSTILE)))
    page = Page(html.render(report, {}))
    assert "script" not in {tag for tag, _ in page.tags}
    assert HOSTILE in page.text
    assert all("temporal" not in command for command in html.commands(item))


def test_reports_of_many_breaks_are_capped_in_the_page_but_whole_in_the_files() -> None:
    many = [
        followed(replace(LOST, key=f"order/{n}", order_id=str(n)), BreakStatus.PERSISTING, age=timedelta(hours=5))
        for n in range(html.DETAILS + 7)
    ]
    report = sample(breaks=many, run=replace(RUN, counts=None))
    page = Page(html.render(report, {}))
    assert len(page.having("data-break")) == html.DETAILS
    assert "7 breaks more" in page.text
    assert len(json_export.document(report)["breaks"]) == len(many)


def rows(report: Report) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(csv_export.render(report).decode("utf-8-sig"), newline="")))


def test_csv_holds_every_item_with_minor_units_and_plain_decimals() -> None:
    found = rows(sample())
    assert [row["item"] for row in found] == ["break"] * 5 + ["resolved"] * 2 + ["pending"] * 4 + ["warning"]
    assert (
        found[0]
        | {
            "ours_minor": "0",
            "theirs_minor": "12990",
            "theirs": "129.90",
            "at_risk": "129.90",
            "first_movement_at": "2026-11-22T09:00:00Z",
        }
        == found[0]
    )
    assert [row["at_risk"] for row in found if row["currency"] == "JPY"] == ["184000"]
    refund = next(row for row in found if row["kind"] == "refund_missing")
    assert (refund["ours_minor"], refund["ours"]) == ("-4900", "-49.00")


@given(st.text(max_size=30))
def test_no_text_cell_of_the_csv_is_a_formula(text: str) -> None:
    item = replace(BREAKS[0], finding=replace(LOST, order_id=text, key=text, cause=text), resolution=text)
    content = csv_export.render(build(replace(RUN, counts=None), **(EMPTY | {"breaks": (item,)})))
    (row,) = csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""))
    for column in ("order_id", "key", "cause", "resolution"):
        assert not row[column].startswith(("=", "+", "-", "@", "\t", "\r", "\n"))
        assert row[column] in {text, f"'{text}"}


def printed(report: Report, *, terminal_: bool) -> str:
    out = io.StringIO()
    terminal.show(report, Console(file=out, force_terminal=terminal_, width=140, color_system=None))
    return out.getvalue()


def test_terminal_draws_tables_and_a_pipe_gets_lines() -> None:
    drawn = printed(sample(), terminal_=True)
    assert "Unexplained" in drawn
    assert "╭" in drawn
    lines = printed(sample(), terminal_=False).splitlines()
    assert lines[0].startswith("breaks: 96 of 106 comparisons agree")
    assert [line.split("  ")[0] for line in lines] == (
        ["breaks: " + sample().sentence, "run", "statement", "open items", "statement"]
        + ["break"] * 5
        + ["pending"] * 4
        + ["warning"]
    )
    assert lines[3] == (
        "open items  EUR  opening 34.00  movements -38.08  late -35.50  closing -39.58  opened 6  cleared 0"
    )
    assert "unexplained 0.00" in lines[2]


ROUNDED = finding(
    "450789900",
    FindingKind.MATCHED_WITHIN_TOLERANCE,
    ours=1000,
    theirs=998,
    age=timedelta(hours=1),
    outcome=Outcome.MATCHED,
    at_risk=0,
    cause="the provider captured EUR 0.02 less than we booked, which the rules allow",
)
ROWS = rejected_rows(
    [
        UnreadRow(file="july.csv", line=line, column="net", reason="not a plain decimal amount", read_at=END)
        for line in (12, 7)
    ],
    Leg.PAYMENTS,
)
ALIKE = replace(SHORT, suggestions=("payment/pi_alike", "line/txn_9"))
SETTLED = replace(
    STRANGE,
    key="line/settled",
    settlement=Settlement(how=SettledAs.RESOLVED, by="ada", at=END, reason="the bank confirmed it by letter"),
)


def ruled() -> Report:
    """The sample with what only rules bring about."""
    return sample(
        findings=(*FINDINGS, ROUNDED, *ROWS, SETTLED),
        breaks=(*BREAKS[:2], replace(BREAKS[2], finding=ALIKE), *BREAKS[3:]),
        run=replace(RUN, counts={**(RUN.counts or {}), "matched": 97, "warnings": 4}, verdict="incomplete"),
    )


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
    rows = list(csv.DictReader(io.StringIO(csv_export.render(report).decode("utf-8-sig"), newline="")))
    assert [row["item"] for row in rows[-5:]] == ["warning", "settled", "explained", "rejected", "rejected"]
    assert {row["suggestions"] for row in rows} == {"", "payment/pi_alike line/txn_9"}
    text = printed(report, terminal_=False)
    assert "explained  matched_within_tolerance  payments  order 450789900  EUR -0.02" in text
    assert "rejected  july.csv, line 7, column net: not a plain decimal amount" in text


def test_the_day_a_pending_item_becomes_a_break_stands_in_every_format() -> None:
    report = sample()
    due = "2026-11-22T14:35:00Z"
    assert {words.iso(one.break_on) for one in report.pending if one.break_on} == {due}
    assert {one["break_on"] for one in json.loads(json_export.render(report))["pending"]} == {due}
    rows = list(csv.DictReader(io.StringIO(csv_export.render(report).decode("utf-8-sig"), newline="")))
    assert {row["break_on"] for row in rows if row["item"] == "pending"} == {due}
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


def test_terminal_output_cannot_be_steered_by_names() -> None:
    nasty = replace(LOST, order_id="\x1b[2J[red]\x07")
    report = sample(breaks=(replace(BREAKS[0], finding=nasty),), findings=(nasty,), run=replace(RUN, counts=None))
    for drawn in (True, False):
        text = printed(report, terminal_=drawn)
        assert "\x07" not in text
        assert "\x1b[2J" not in text
        assert "[2J[red]" in text


def settled(reason: str = "the bank's error, refunded by hand", **changes: Any) -> Report:
    """Return the sample with one more difference, which a person settled."""
    made = finding(
        "777", FindingKind.AMOUNT_UNDER, ours=900, theirs=600, age=timedelta(days=2), outcome=Outcome.WARNING
    )
    decision = Settlement(
        how=SettledAs.IGNORED, by="alice", at=END - timedelta(hours=3), reason=reason, until=END + timedelta(days=9)
    )
    counts = dict(RUN.counts or {})
    counts["warnings"] = counts.get("warnings", 0) + 1
    findings = (*PARTS["findings"], replace(made, settlement=decision))
    return sample(findings=findings, run=replace(RUN, counts=counts), **changes)


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
    (row,) = [row for row in rows(report) if row["item"] == "settled"]
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
    (row,) = [row for row in rows(settled("=1+1")) if row["item"] == "settled"]
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


def test_runs_are_unchanged_by_their_report() -> None:
    before = replace(RUN)
    sample()
    assert before == RUN
    assert isinstance(RUN, Run)
