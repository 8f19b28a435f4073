"""The report as HTML: report.html, and beside it as many pages of breaks as it takes to keep each file small.

Every page is complete in itself: it opens from a mail attachment or a bucket, prints, and follows the reader's light or
dark setting. A break keeps its address for good: `report.html#b-{break_id}`; where the break stands on another page,
the report's only script leads there.
"""

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import IO

from markupsafe import Markup

from worker.reports.charts import HEIGHT, WIDTH
from worker.reports.model import Report
from worker.reports.page import environment, page

FIRST_BYTES = 400_000
"""Of the breaks that report.html itself shows: with all else it stays below a megabyte."""
PAGE_BYTES = 800_000
DETAILED = 10_000
"""Breaks shown with their records, on however many pages; the rest stands in the siblings."""
LISTED = 200
"""Pending, warned and resolved items shown each; the rest stands in the siblings."""


@dataclass(frozen=True, slots=True)
class BreakPage:
    """A run of breaks that share a page."""

    number: int
    """1 is report.html itself."""
    first: int
    """Rank of its first break, from 1."""
    ids: Sequence[str]
    drawn: IO[bytes]
    """Where the breaks of all pages wait, drawn."""
    begin: int
    size: int

    @property
    def name(self) -> str:
        """The file's name beside the report."""
        return "report.html" if self.number == 1 else f"breaks-{self.number:03}.html"

    @property
    def last(self) -> int:
        """Rank of its last break."""
        return self.first + len(self.ids) - 1

    @property
    def holds(self) -> str:
        """The beginnings of its breaks' ids, by which the report's script finds the page of one."""
        return " ".join(name[:8] for name in self.ids)

    @property
    def breaks(self) -> Markup:
        """Its breaks, drawn one after the other."""
        drawn = os.pread(self.drawn.fileno(), self.size, self.begin)
        return Markup(drawn.decode())  # noqa: S704 - what the template made


@contextmanager
def paged(report: Report) -> Iterator[list[BreakPage]]:
    """Lay the breaks (`DETAILED` at most) out on pages of bounded size, in the report's order; one page at least.

    What is drawn waits in a file: page 1 can only be written when all others are known.
    """
    with tempfile.TemporaryFile(prefix="orders-report-") as drawn:
        yield _laid_out(report, drawn)


def _laid_out(report: Report, drawn: IO[bytes]) -> list[BreakPage]:
    pages: list[BreakPage] = []
    ids: list[str] = []
    first, begin, size = 1, 0, 0

    def page() -> BreakPage:
        return BreakPage(len(pages) + 1, first, ids, drawn, begin, size)

    for name, fragment in _fragments(report):
        if ids and size + len(fragment) > (PAGE_BYTES if pages else FIRST_BYTES):
            pages.append(page())
            first, begin = first + len(ids), begin + size
            ids, size = [], 0
        ids.append(name)
        size += drawn.write(fragment)
    drawn.flush()
    return [*pages, page()]


def _fragments(report: Report) -> Iterator[tuple[str, bytes]]:
    parts = environment().get_template("parts.j2").make_module({"few": len(report.breaks) <= 2})
    draw = parts.detail  # type: ignore[attr-defined]  # a macro of the template
    for one in islice(report.breaks, DETAILED):
        yield one.item.break_id, draw(one).encode()


def render(report: Report, digests: Mapping[str, str], pages: Sequence[BreakPage] = ()) -> bytes:
    """Return report.html. `digests`: SHA-256 (hex) of each sibling file by its name; `pages`: as `paged` gave them."""
    if not pages:
        with paged(report) as laid_out:
            return render(report, digests, laid_out)
    return page(
        "report.html.j2",
        script="find_break.js" if len(pages) > 1 else "",
        report=report,
        run=report.run,
        digests=digests,
        pages=pages,
        places=_places(report, pages),
        listed=LISTED,
        detailed=DETAILED,
        chart_width=WIDTH,
        chart_height=HEIGHT,
    )


def _places(report: Report, pages: Sequence[BreakPage]) -> dict[str, str]:
    """Return the page on which each of the top breaks stands, empty where it is report.html itself."""
    wanted = {one.item.break_id for one in report.top}
    return {name: some.name for some in pages[1:] for name in some.ids if name in wanted}


def render_page(report: Report, one: BreakPage, pages: Sequence[BreakPage]) -> bytes:
    """Return a further page of breaks."""
    return page("breaks.html.j2", report=report, run=report.run, one=one, pages=pages)
