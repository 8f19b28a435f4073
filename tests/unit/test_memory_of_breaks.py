"""What a run found may be any number: concluding it and reporting it take the memory of some thousand, not of all."""

import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from operator import attrgetter
from types import SimpleNamespace
from typing import Any

from tests.unit.reports_sample import LOST, RUN, followed
from worker.domain.finding import Break, BreakStatus, Finding, Leg
from worker.domain.finding_codec import finding_text
from worker.domain.matching.lifecycle import Course
from worker.domain.matching.scope import Scope
from worker.domain.matching.suggestions import suggestions_of
from worker.reports.model import build
from worker.services.findings import Findings
from worker.services.spool import Spool
from worker.services.weighing import Standing, Weighing

FEW, MANY = 1_200, 3_600
MOST = 1_400_000
"""Bytes that some thousand more may take more. Held in memory they take some megabytes, with evidence of their own 12 MB."""

BARE = 1_000_000
"""Bytes that as many more findings take without evidence: what counts and sums holds them so, as it always did."""


def findings(number: int) -> Iterator[Finding]:
    return (replace(LOST, key=f"order/{n}", order_id=f"order-{n}", theirs_minor=n + 1) for n in range(number))


def breaks(number: int) -> Iterator[Break]:
    for one in findings(number):
        yield followed(one, BreakStatus.PERSISTING, age=timedelta(hours=5))


def concluded(number: int) -> None:
    known: Any = SimpleNamespace(
        breaks=SimpleNamespace(each_open=lambda *_: breaks(number // 2), by_ids=lambda _ids: {}),
    )
    found = Findings(RUN.shop, RUN.provider)
    for position, keys in suggestions_of(map(found.add, map(finding_text, findings(number))), in_order=Spool):
        found.suggest(position, keys)
    found.sort(attrgetter("key", "currency"))
    weighing = Weighing(known, RUN, found, RUN.started_at)
    hour = timedelta(hours=1)
    scope = Scope(
        window_start=RUN.window_start,
        window_end=RUN.window_end,
        horizon_start=RUN.window_start - 24 * hour,
        payment_grace=hour,
        shipment_grace=hour,
        order_grace=hour,
    )
    course = Course(
        shop=RUN.shop,
        provider=RUN.provider,
        now=RUN.window_end + hour,
        scope=scope,
        incomplete=False,
        legs_read=frozenset({Leg.PAYMENTS}),
    )
    standing = Standing()
    stored = sum(fate.after is not None for fate in standing.counting(weighing.fates(course)))
    assert stored == standing.open == number
    assert standing.of_status == {BreakStatus.NEW: number - number // 2, BreakStatus.PERSISTING: number // 2}
    assert sum(1 for _ in weighing.findings()) == number


def reported(number: int) -> None:
    nothing: Sequence[Any] = ()
    report = build(
        RUN, statements=nothing, findings=findings(number), breaks=breaks(number), resolved=nothing, earlier=nothing
    )
    assert sum(1 for _ in report.breaks) == len(report.breaks) == number


def peak(work: Callable[[int], None], number: int) -> int:
    tracemalloc.start()
    try:
        work(number)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_concluding_takes_no_more_memory_for_more_breaks() -> None:
    concluded(10)  # what is made once is no growth
    assert peak(concluded, MANY) - peak(concluded, FEW) < MOST + BARE


def test_a_report_takes_no_more_memory_for_more_breaks() -> None:
    reported(10)
    assert peak(reported, MANY) - peak(reported, FEW) < MOST
