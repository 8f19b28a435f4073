"""The page of a report: nothing leaves it, nothing hostile runs in it, everything linked is there, however much there is."""

import base64
import hashlib
import itertools
import json
import re
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.unit.reports_reading import EMPTY, PARTS, Page, sample
from tests.unit.reports_sample import BREAKS, LOST, RUN, STRANGE, fact, followed
from worker.domain.finding import BreakStatus, RepairState
from worker.reports import html, json_export
from worker.reports.break_html import RECORDS, commands
from worker.services.ports import BreakAction

MEGABYTE = 1_000_000
HISTORY = (BreakAction(at=RUN.started_at, actor="reconciliation", action="found", run_id=RUN.run_id),)


def digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def test_the_page_asks_nothing_of_the_network_and_runs_nothing() -> None:
    content = html.render(sample(), {})
    page = Page(content)
    assert not re.search(rb"https?:|//[a-z]", content.replace(b"<!doctype", b"")), "no address of anywhere"
    assert not [tag for tag, _ in page.tags if tag in {"script", "img", "iframe", "object", "embed", "form"}]
    assert not [name for _, attrs in page.tags for name in attrs if name.startswith("on") or name == "style"]
    assert all(str(attrs["href"]).startswith(("#", "data:", "../../../index.html")) for attrs in page.having("href"))
    assert b"url(" not in content
    assert b"@import" not in content


def test_the_policy_allows_the_page_s_own_style_and_nothing_else() -> None:
    content = html.render(sample(), {}).decode()
    (policy,) = [attrs["content"] for attrs in Page(content.encode()).having("http-equiv")]
    (style,) = re.findall(r"<style>(.*?)</style>", content, re.DOTALL)
    assert policy == (
        f"default-src 'none'; style-src '{digest(style)}'; img-src data:; base-uri 'none'; form-action 'none'"
    )


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


def test_every_link_leads_to_something_that_is_there() -> None:
    page = Page(html.render(sample(), {}))
    ids = [str(attrs["id"]) for attrs in page.having("id")]
    assert len(ids) == len(set(ids))
    links = {str(attrs["href"])[1:] for attrs in page.having("href") if str(attrs["href"]).startswith("#")}
    assert links <= set(ids)
    assert {f"b-{item.break_id}" for item in BREAKS} <= links


def test_history_and_commands_stand_with_their_break() -> None:
    text = Page(html.render(sample(), {})).text
    assert "repair requested" in text
    assert f"orders breaks show {BREAKS[0].break_id}" in text
    assert "temporal workflow show --workflow-id order/main/450789469" in text
    assert "orders reconcile run --shop main --provider stripe --from 2026-11-22T13:00:00Z --to" in text


HOSTILE = "\"><script>alert(1)</script>{{ 7*7 }}'=cmd"


def test_hostile_names_stay_text_everywhere() -> None:
    nasty = replace(LOST, order_id=HOSTILE, key=HOSTILE, cause=HOSTILE, repair_reference=HOSTILE)
    item = replace(BREAKS[0], finding=nasty)
    report = sample(breaks=(item,), findings=(nasty, replace(STRANGE, cause=HOSTILE)))
    page = Page(html.render(report, {}))
    assert "script" not in {tag for tag, _ in page.tags}
    assert HOSTILE in page.text
    assert all("temporal" not in command for _, command in commands(item))


def test_ten_thousand_breaks_make_pages_below_a_megabyte_and_each_break_is_on_one() -> None:
    history = {}
    some = []
    for n in range(10_000):
        item = followed(
            replace(LOST, key=f"order/{n}", order_id=str(n), theirs_minor=n + 1, at_risk_minor=n + 1),
            BreakStatus.PERSISTING,
            age=timedelta(hours=5 + n % 300),
        )
        some.append(item)
        history[item.break_id] = HISTORY
    report = sample(
        **(EMPTY | {"breaks": some, "earlier": PARTS["earlier"]}),
        run=replace(RUN, counts={"breaks_open": len(some)}),
        history=history,
    )
    with html.paged(report) as laid_out:
        pages = {one.name: html.render_page(report, one, laid_out) for one in laid_out[1:]}
        pages["report.html"] = html.render(report, dict.fromkeys(pages, "0" * 64), laid_out)
    assert max(map(len, pages.values())) < MEGABYTE
    assert len(pages) > 10
    ranks = {}
    for name, content in pages.items():
        for found in re.findall(rb'id="b-([0-9a-f]{16})"', content):
            assert found not in ranks
            ranks[found] = name
    assert set(ranks) == {item.break_id.encode() for item in some}
    first = Page(pages["report.html"])
    leading = {str(attrs["href"]): str(attrs["data-holds"]).split() for attrs in first.having("data-holds")}
    for found, name in ranks.items():
        if name != "report.html":
            assert found.decode()[:8] in leading[name]
    listed = [
        found.decode()
        for name in sorted(pages, key=lambda name: "" if name == "report.html" else name)
        for found in re.findall(rb'data-break="([0-9a-f]{16})"', pages[name])
    ]
    amounts = {item.break_id: item.finding.at_risk_minor for item in some}
    assert all(amounts[left] > amounts[right] for left, right in itertools.pairwise(listed))
    assert set(leading) <= {str(attrs["data-digest"]) for attrs in first.having("data-digest")}


def test_the_script_of_a_paged_report_is_the_one_its_policy_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(html, "FIRST_BYTES", 1)
    content = html.render(sample(), {}).decode()
    (script,) = re.findall(r"<script>(.*?)</script>", content, re.DOTALL)
    (policy,) = [str(attrs["content"]) for attrs in Page(content.encode()).having("http-equiv")]
    assert f"script-src '{digest(script)}'" in policy


def test_breaks_beyond_what_pages_show_are_named_and_stand_in_the_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(html, "DETAILED", 3)
    page = Page(html.render(sample(), {}))
    assert len(page.having("data-break")) == 3
    assert "2 breaks more: see items.csv" in page.text


def test_one_break_with_very_many_records_does_not_burst_its_page() -> None:
    records = tuple(fact("charge", f"ch_{n}", 1, "EUR", RUN.started_at) for n in range(5_000))
    item = replace(BREAKS[0], finding=replace(LOST, theirs=records))
    content = html.render(sample(breaks=(item,)), {})
    assert len(content) < 200_000
    assert f"{5_000 - RECORDS:,} records more" in Page(content).text


def test_a_repair_that_did_not_help_is_offered_to_a_person() -> None:
    failed = replace(BREAKS[0], repair_state=RepairState.FAILED)
    assert [command for _, command in commands(failed) if "repairs retry" in command]
    assert not [command for _, command in commands(BREAKS[0]) if "repairs retry" in command]
