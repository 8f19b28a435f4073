"""The report as HTML: report.html, and beside it as many pages of breaks as it takes to keep each file small.

Every page is complete in itself: it opens from a mail attachment or a bucket, prints, and follows the reader's light or
dark setting. A break keeps its address for good: `report.html#b-{break_id}`; where the break stands on another page,
the report's only script leads there.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from worker.reports.charts import HEIGHT, WIDTH
from worker.reports.model import OpenBreak, Report
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
    breaks: Sequence[OpenBreak]
    fragments: Sequence[Markup]

    @property
    def name(self) -> str:
        """The file's name beside the report."""
        return "report.html" if self.number == 1 else f"breaks-{self.number:03}.html"

    @property
    def last(self) -> int:
        """Rank of its last break."""
        return self.first + len(self.breaks) - 1

    @property
    def holds(self) -> str:
        """The beginnings of its breaks' ids, by which the report's script finds the page of one."""
        return " ".join(one.item.break_id[:8] for one in self.breaks)


def paged(report: Report) -> list[BreakPage]:
    """Lay the breaks (`DETAILED` at most) out on pages of bounded size, in the report's order; one page at least."""
    pages: list[BreakPage] = []
    some: list[OpenBreak] = []
    drawn: list[Markup] = []
    size, first = 0, 1
    for one, fragment, length in _fragments(report):
        if drawn and size + length > (PAGE_BYTES if pages else FIRST_BYTES):
            pages.append(BreakPage(len(pages) + 1, first, some, drawn))
            first += len(some)
            some, drawn, size = [], [], 0
        some.append(one)
        drawn.append(fragment)
        size += length
    return [*pages, BreakPage(len(pages) + 1, first, some, drawn)]


def _fragments(report: Report) -> Iterator[tuple[OpenBreak, Markup, int]]:
    parts = environment().get_template("parts.j2").make_module({"few": len(report.breaks) <= 2})
    draw = parts.detail  # type: ignore[attr-defined]  # a macro of the template
    for one in report.breaks[:DETAILED]:
        fragment = draw(one)
        yield one, fragment, len(fragment.encode())


def render(report: Report, digests: Mapping[str, str], pages: Sequence[BreakPage] = ()) -> bytes:
    """Return report.html. `digests`: SHA-256 (hex) of each sibling file by its name; `pages`: as `paged` gave them."""
    pages = pages or paged(report)
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
    return {one.item.break_id: some.name for some in pages[1:] for one in some.breaks if one.item.break_id in wanted}


def render_page(report: Report, one: BreakPage, pages: Sequence[BreakPage]) -> bytes:
    """Return a further page of breaks."""
    return page("breaks.html.j2", report=report, run=report.run, one=one, pages=pages)
