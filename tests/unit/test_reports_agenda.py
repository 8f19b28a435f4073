"""The first screen of a report: whether the books agree, what to do now, and ways to what every figure is made of."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.reports_reading import EMPTY, Page, printed, ruled, sample, settled
from tests.unit.reports_sample import BREAKS, RUN, WAITING
from worker.domain.finding import RepairState, Verdict
from worker.reports import html, json_export, summary
from worker.reports.amounts import by_currency
from worker.reports.model import Report, build
from worker.reports.words import ANSWER


def tasks(report: Report) -> dict[str, str]:
    return {task.code: task.text for task in report.agenda}


def test_people_are_told_what_nothing_mends_and_what_needs_them_not() -> None:
    assert tasks(sample()) == {
        "breaks": "Look into 4 breaks that nothing mends by itself, the largest amount first. Nobody has taken them on.",
        "warnings": "Look at 1 warning: no money is known to be missing.",
        "mending": "1 repair is under way: the next run tells whether it helped.",
        "pending": "4 items wait for the other side, within their grace."
        " The first counts as a break from 22 Nov 2026, 14:35 UTC on.",
    }


def test_what_is_to_be_done_stands_in_every_format() -> None:
    report = ruled()
    asked = [(task.code, task.text) for task in report.agenda]
    assert [(one["code"], one["text"]) for one in json_export.document(report)["agenda"]] == asked
    assert [(row[1], row[-1]) for row in summary.rows(report) if row[0] == "agenda"] == asked
    lines = printed(report, terminal_=False).splitlines()
    assert [tuple(line.split("  ")[1:]) for line in lines if line.startswith(("to do  ", "goes on  "))] == asked
    drawn = " ".join(printed(report, terminal_=True).split())
    assert all(text in drawn for _, text in asked)


def test_where_all_agree_nothing_is_to_be_done() -> None:
    report = build(replace(RUN, verdict="reconciled", counts={"matched": 96}), **EMPTY)
    assert tasks(report) == {"nothing": "Nothing is to be done."}
    waiting = build(replace(RUN, verdict="pending", counts={"matched": 96}), **(EMPTY | {"findings": WAITING[:1]}))
    assert list(tasks(waiting)) == ["nothing", "pending"]
    assert tasks(waiting)["pending"].startswith("1 item waits for the other side, within its grace. It counts")


def test_a_run_that_is_incomplete_must_be_made_complete_before_all_else() -> None:
    said = replace(RUN, verdict="incomplete", incomplete_because=("the bank could not be read", "2 rows are no rows"))
    first, second, *_ = sample(run=said).agenda
    assert first.text == "Mend this and run it again: the bank could not be read."
    assert second.text == "Mend this and run it again: 2 rows are no rows."
    assert sample(run=replace(RUN, verdict="", finished_at=None)).agenda[0].code == "complete"


@given(st.lists(st.tuples(st.sampled_from(RepairState), st.booleans()), max_size=5))
def test_every_open_break_is_somebodys_or_mended(states: list[tuple[RepairState, bool]]) -> None:
    found = [
        replace(item, repair_state=state, owner="kim" if owned else "")
        for item, (state, owned) in zip(BREAKS, states, strict=False)
    ]
    told = tasks(build(RUN, **(EMPTY | {"breaks": found})))
    stuck = sum(item.repair_state in {RepairState.FAILED, RepairState.REFUSED} for item in found)
    mending = sum(item.repair_state is RepairState.REQUESTED for item in found)
    left = [item for item in found if item.repair_state in set(RepairState) - {"failed", "refused", "requested"}]
    counted = {code: int(told[code].removeprefix("Look into ").split()[0]) for code in told if code != "nothing"}
    expected = {"stuck": stuck, "breaks": len(left), "mending": mending}
    assert counted == {code: number for code, number in expected.items() if number}
    assert ("nothing" in told) == (not stuck and not left)
    assert ("Nobody has taken" in told.get("breaks", "")) == any(not item.owner for item in left)


def test_the_kinds_are_all_breaks_and_all_that_is_at_risk() -> None:
    report = sample()
    assert sum(one.risk.count for one in report.kinds) == len(report.breaks)
    at_risk = next(card for card in report.cards if card.code == "at_risk")
    assert by_currency(money for one in report.kinds for money in one.risk.amounts) == at_risk.amounts
    page = Page(html.render(report, {}))
    assert [attrs["data-kind"] for attrs in page.having("data-kind")] == [one.code for one in report.kinds]


@pytest.mark.parametrize("make", [sample, ruled, settled, lambda: build(RUN, **EMPTY)], ids=range(4))
def test_every_way_on_the_page_leads_somewhere(make: Any) -> None:
    page = Page(html.render(make(), {}))
    there = {str(attrs["id"]) for attrs in page.having("id")}
    ways = {str(attrs["href"])[1:] for attrs in page.having("href") if str(attrs["href"]).startswith("#")}
    assert {"proof", "main"} <= ways
    assert ways <= there


@pytest.mark.parametrize("verdict", Verdict)
def test_the_answer_comes_first(verdict: Verdict) -> None:
    text = Page(html.render(sample(run=replace(RUN, verdict=verdict.value)), {})).text
    assert 0 < text.index(ANSWER[verdict]) < text.index("What to do now") < text.index("Proof From")
