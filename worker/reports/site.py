"""The pages over all runs: an index with how things stand, a calendar of verdicts, amounts over time, and the newest runs.

With the reports beside them they make a folder or bucket a small static site. They are derived from the runs alone, so
the same runs give the same bytes; "now" is when the newest of them ended.
"""

from collections.abc import Sequence

from worker.reports.calendar import Month, calendar
from worker.reports.charts import HEIGHT, WIDTH
from worker.reports.page import page
from worker.reports.standing import Book, Line, books_of, lines_of
from worker.services.ports import Run

MONTHS = "months"
LISTED = 250
"""Runs that the index itself lists; the pages of months list all of theirs."""
DRAWN = 12
"""Books whose calendar and amounts are drawn; all of them are listed."""


def month_of(run: Run) -> str:
    """Return the month under which a run is filed: that of its start, in UTC."""
    return f"{run.started_at:%Y-%m}"


def month_page(month: str) -> str:
    """Return the path of a month's page below the folder of reports."""
    return f"{MONTHS}/{month}.html"


def months(runs: Sequence[Run]) -> list[str]:
    """Return the months that have runs, newest first."""
    return sorted({month_of(run) for run in finished(runs)}, reverse=True)


def finished(runs: Sequence[Run]) -> list[Run]:
    """Return the runs that have answered, newest first."""
    done = [run for run in runs if run.verdict]
    return sorted(done, key=lambda run: (run.finished_at or run.started_at, run.run_id), reverse=True)


def render(runs: Sequence[Run]) -> bytes:
    """Return the index as UTF-8."""
    done = finished(runs)
    books = books_of(done)
    calendars: list[tuple[Book, list[Month], list[Line]]] = [
        (book, calendar(book.runs), lines_of(book.runs)) for book in books[:DRAWN]
    ]
    return page(
        "index.html.j2",
        filters=_filters(len(books)),
        runs=done[:LISTED],
        total=len(done),
        books=books,
        places={book.key: number for number, book in enumerate(books, 1)},
        calendars=calendars,
        months=months(done),
        month="",
        up="",
        chart_width=WIDTH,
        chart_height=HEIGHT,
    )


def render_month(month: str, runs: Sequence[Run]) -> bytes:
    """Return the page of a month as UTF-8: all runs of it."""
    done = finished(runs)
    of_month = [run for run in done if month_of(run) == month]
    books = books_of(of_month)
    return page(
        "month.html.j2",
        filters=_filters(len(books)),
        runs=of_month,
        total=len(of_month),
        books=books,
        places={book.key: number for number, book in enumerate(books, 1)},
        months=months(done),
        month=month,
        up="../",
    )


def _filters(books: int) -> str:
    """Return the rules by which a chosen book hides the rows of the others: filters that need no script."""
    return "".join(
        f'body:has(#book-{number}:checked) tr[data-book]:not([data-book="{number}"]){{display:none}}'
        for number in range(1, books + 1)
    )
