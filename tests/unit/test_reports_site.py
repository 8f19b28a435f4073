"""The pages over all runs: what each day came to, what was open, every run listed, whoever wrote last."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.reports_reading import MemoryStore, Page
from tests.unit.reports_sample import EARLIER, END, RUN
from worker.domain.finding import Verdict
from worker.reports import site
from worker.reports.calendar import calendar, day_of
from worker.reports.standing import lines_of
from worker.reports.writer import INDEX, ReportFiles
from worker.services.ports import Run
from worker.services.reporting import ReportingService


def ran(name: str, *, ended: timedelta = timedelta(), verdict: str = "reconciled", **changes: Any) -> Run:
    """Return a run whose window and work ended so long before the sample's end."""
    end = END - ended
    values: dict[str, Any] = {
        "run_id": name,
        "window_start": end - timedelta(hours=1),
        "window_end": end,
        "started_at": end + timedelta(seconds=1),
        "finished_at": end + timedelta(seconds=4),
        "verdict": verdict,
        "counts": {"matched": 7, "breaks_open": 0},
        "report": f"reports/main/stripe/{name}/report.html",
    }
    return replace(RUN, **(values | changes))


def test_a_day_is_what_its_last_run_says_and_marked_where_an_earlier_one_found_breaks() -> None:
    runs = [
        ran("late", verdict="reconciled"),
        ran("early", ended=timedelta(hours=6), verdict="breaks"),
        ran("waiting", ended=timedelta(days=1), verdict="reconciled"),
        ran("waited", ended=timedelta(days=1, hours=2), verdict="pending"),
    ]
    (month,) = calendar(runs)
    days = {day.date: day for week in month.weeks for day in week if day is not None}
    assert len(days) == 30
    today, before = days[date(2026, 11, 22)], days[date(2026, 11, 21)]
    assert (today.verdict, today.worst, today.runs, today.marked) == (Verdict.RECONCILED, Verdict.BREAKS, 2, True)
    assert (before.verdict, before.marked) == (Verdict.RECONCILED, False)
    assert today.report == "reports/main/stripe/late/report.html"
    assert days[date(2026, 11, 20)].verdict is None


def test_a_window_that_ends_at_midnight_answers_for_the_day_before() -> None:
    midnight = END.replace(hour=0)
    assert day_of(replace(RUN, window_end=midnight)) == date(2026, 11, 21)


@given(st.lists(st.integers(0, 900), max_size=40))
@settings(max_examples=40)
def test_every_run_of_the_months_shown_is_in_its_calendar_once(ages: list[int]) -> None:
    runs = [ran(f"r{n}", ended=timedelta(days=age)) for n, age in enumerate(ages)]
    shown = calendar(runs)
    assert len(shown) <= 12
    counted = sum(day.runs for month in shown for week in month.weeks for day in week if day is not None)
    firsts = {month.first for month in shown}
    assert counted == sum(day_of(run).replace(day=1) in firsts for run in runs)
    assert all(len(week) == 7 for month in shown for week in month.weeks)


def test_amounts_over_time_take_each_day_s_end_and_leave_out_what_was_not_counted() -> None:
    runs = [
        ran("a", counts={"breaks_open": 1, "at_risk_minor_EUR": 500}),
        ran("b", ended=timedelta(hours=3), counts={"breaks_open": 9, "at_risk_minor_EUR": 99_900}),
        ran("c", ended=timedelta(days=1)),
        ran("d", ended=timedelta(days=2), counts={"breaks_open": 3}),
        ran("e", ended=timedelta(days=3), counts={"breaks_open": 2, "at_risk_minor_EUR": 4200}),
    ]
    lines = {line.label: line for line in lines_of(runs)}
    assert (lines["Open breaks"].first, lines["Open breaks"].last, lines["Open breaks"].highest) == ("2", "1", "3")
    euros = lines["At risk in EUR"]
    assert (euros.first, euros.last, euros.highest) == ("EUR 42.00", "EUR 5.00", "EUR 42.00")
    assert euros.start == date(2026, 11, 19)


def test_the_index_lists_every_run_that_ended_links_its_report_and_counts_the_standing() -> None:
    other = ran("x", shop="second", provider="adyen", verdict="breaks", counts={"breaks_open": 2}, report="")
    running = ran("y", verdict="", finished_at=None)
    page = Page(site.render([RUN, *EARLIER, other, running]))
    listed = [attrs["data-run"] for attrs in page.having("data-run")]
    assert set(listed) == {run.run_id for run in (RUN, *EARLIER, other)}
    assert len(listed) == len(set(listed))
    linked = site.render([ran("z")]).decode()
    assert 'href="main/stripe/z/report.html"' in linked
    standing = [(attrs["data-standing"], attrs["data-open"]) for attrs in page.having("data-standing")]
    assert standing == [("breaks", "5"), ("breaks", "2")]
    assert "what is at risk was not counted" in page.text


def test_the_index_asks_nothing_runs_nothing_and_keeps_hostile_names_text() -> None:
    name = '"><script>alert(1)</script>{{ 7*7 }}'
    page = Page(site.render([ran("a", shop=name), ran("b", provider=name)]))
    assert not [tag for tag, _ in page.tags if tag in {"script", "img", "iframe", "object", "embed"}]
    assert not [key for _, attrs in page.tags for key in attrs if key.startswith("on") or key == "style"]
    assert name in page.text
    (policy,) = [str(attrs["content"]) for attrs in page.having("http-equiv")]
    assert "script-src" not in policy
    assert "default-src 'none'" in policy


def test_an_index_of_nothing_says_so() -> None:
    assert "No run has ended yet." in Page(site.render([])).text


def test_a_month_of_hourly_runs_and_a_year_of_daily_ones_keep_every_page_below_a_megabyte_and_list_every_run() -> None:
    ages = [timedelta(hours=hours) for hours in range(24 * 31)] + [timedelta(days=days) for days in range(32, 365)]
    runs = [ran(f"r{number}", ended=age) for number, age in enumerate(ages)]
    store = MemoryStore()
    ReportFiles(store).write_index(runs)
    assert max(map(len, store.files.values())) < 1_000_000
    of_months = b"".join(content for name, content in store.files.items() if name.startswith("reports/months/"))
    listed = re.findall(r'data-run="(\w+)"', of_months.decode())
    assert sorted(listed) == sorted(run.run_id for run in runs)
    assert 'href="../main/stripe/r0/report.html"' in store.files["reports/months/2026-11.html"].decode()
    linked = {str(attrs["href"]) for attrs in Page(store.files[INDEX]).having("href")}
    assert {name.removeprefix("reports/") for name in store.files if "/months/" in name} <= linked


def test_the_same_runs_give_the_same_bytes_in_any_order() -> None:
    runs = [RUN, *EARLIER]
    assert site.render(runs) == site.render(runs[::-1])


def test_only_the_month_of_the_run_is_written_anew_and_what_is_missing() -> None:
    store = MemoryStore()
    runs = [ran("a"), ran("b", ended=timedelta(days=40)), ran("c", ended=timedelta(days=80))]
    writer = ReportFiles(store)
    writer.write_index(runs)
    months = [name for name in store.files if "/months/" in name]
    assert len(months) == 3
    del store.files[months[1]]
    store.files[months[2]] = b"left alone"
    writer.write_index(runs, runs[0])
    assert store.files[months[1]]
    assert store.files[months[2]] == b"left alone"


class Books:
    """A database that holds runs and nothing else."""

    def __init__(self, *stored: Run) -> None:
        self.stored = list(stored)
        self.runs = self

    def transact(self, work: Callable[[Any], Any]) -> Any:
        return work(self)

    def recent(self, _: str | None, limit: int) -> list[Run]:
        return sorted(self.stored, key=lambda run: run.started_at, reverse=True)[:limit]


class Slow(ReportFiles):
    """A writer during whose first writing another run ends and has its index written."""

    def __init__(self, store: MemoryStore, meanwhile: Callable[[], object]) -> None:
        super().__init__(store)
        self.meanwhile: Callable[[], object] | None = meanwhile

    def write_index(self, runs: Any, latest: Run | None = None) -> str:
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            meanwhile()
        return super().write_index(runs, latest)


@pytest.mark.parametrize("month_apart", [timedelta(hours=1), timedelta(days=40)], ids=["same month", "two months"])
def test_two_runs_that_end_at_once_are_both_in_the_index_whoever_writes_last(month_apart: timedelta) -> None:
    """The slow one read before the other ended, and writes after it: it must notice, and write again."""
    store = MemoryStore()
    mine, theirs = ran("mine"), ran("theirs", ended=month_apart)
    books: Any = Books(mine)

    def other_ends() -> None:
        books.stored.append(theirs)
        ReportingService(books, ReportFiles(store)).write_index(theirs)

    ReportingService(books, Slow(store, other_ends)).write_index(mine)
    assert {attrs["data-run"] for attrs in Page(store.files[INDEX]).having("data-run")} == {"mine", "theirs"}
    of_months = [content for name, content in store.files.items() if "/months/" in name]
    listed = {attrs["data-run"] for content in of_months for attrs in Page(content).having("data-run")}
    assert listed == {"mine", "theirs"}
