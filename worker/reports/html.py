"""The report as HTML: report.html, and beside it as many pages of breaks as it takes to keep each file small.

Every page is complete in itself: it opens from a mail attachment or a bucket, prints, and follows the reader's light or
dark setting. A break keeps its address for good: `report.html#b-{break_id}`; where the break stands on another page,
the report's only script leads there.
"""

import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO

from markupsafe import Markup

from worker.reports import break_html
from worker.reports.charts import HEIGHT, WIDTH
from worker.reports.model import OpenBreak, Report
from worker.reports.page import page

FIRST_BYTES = 400_000
"""Of the breaks that report.html itself shows: with all else it stays below a megabyte."""
PAGE_BYTES = 800_000
DETAILED = 10_000
"""Breaks shown with their records, on however many pages; the rest stands in the siblings."""
EXPLAINED_AT = {
    "matched": "proof",
    "breaks": "kinds",
    "at_risk": "top",
    "pending": "pending",
    "warnings": "warnings",
    "settled": "settled",
    "explained": "explained",
    "rejected": "rejected",
}
"""Which part of the report says what the figure of a card is made of."""
PLACES = {
    "top": "Most at risk",
    "breaks": "All breaks",
    "warnings": "Warnings",
    "pending": "Within grace",
    "rejected": "Rows not read",
    "again": "How to run it again",
}
"""What the parts are called that a task leads to."""
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


class Drawing:
    """Breaks as they are drawn, laid out on pages of bounded size in the report's order.

    What is drawn waits in a file: page 1 can only be written when all others are known.
    """

    def __init__(self, report: Report, drawn: IO[bytes]) -> None:
        self._unfolded = len(report.breaks) <= 2
        self._drawn = drawn
        self._pages: list[BreakPage] = []
        self._ids: list[str] = []
        self._first, self._begin, self._size = 1, 0, 0

    def passing(self, breaks: Iterable[OpenBreak]) -> Iterator[OpenBreak]:
        """Yield the breaks, each as soon as it is drawn; of those beyond `DETAILED` none is."""
        for rank, one in enumerate(breaks):
            if rank < DETAILED:
                self._add(one.item.break_id, break_html.drawn(one, unfolded=self._unfolded).encode())
            yield one

    def pages(self) -> list[BreakPage]:
        """Return the pages when all breaks have passed; one at least."""
        self._drawn.flush()
        return [*self._pages, self._page()]

    def _add(self, name: str, fragment: bytes) -> None:
        if self._ids and self._size + len(fragment) > (PAGE_BYTES if self._pages else FIRST_BYTES):
            self._pages.append(self._page())
            self._first, self._begin = self._first + len(self._ids), self._begin + self._size
            self._ids, self._size = [], 0
        self._ids.append(name)
        self._size += self._drawn.write(fragment)

    def _page(self) -> BreakPage:
        return BreakPage(len(self._pages) + 1, self._first, self._ids, self._drawn, self._begin, self._size)


@contextmanager
def paged(report: Report) -> Iterator[list[BreakPage]]:
    """Draw the breaks and lay them out on pages."""
    with tempfile.TemporaryFile(prefix="orders-report-") as drawn:
        drawing = Drawing(report, drawn)
        for _ in drawing.passing(report.breaks[:DETAILED]):
            pass
        yield drawing.pages()


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
        explained_at=EXPLAINED_AT,
        places_named=PLACES,
        listed=LISTED,
        detailed=DETAILED,
        chart_width=WIDTH,
        chart_height=HEIGHT,
    )


def _places(report: Report, pages: Sequence[BreakPage]) -> dict[str, str]:
    """Return the page of each break that report.html leads to, but for those that stand on it itself."""
    wanted = {one.item.break_id for one in report.top} | {one.largest.break_id for one in report.kinds}
    return {name: some.name for some in pages[1:] for name in some.ids if name in wanted}


def render_page(report: Report, one: BreakPage, pages: Sequence[BreakPage]) -> bytes:
    """Return a further page of breaks."""
    return page("breaks.html.j2", report=report, run=report.run, one=one, pages=pages)
