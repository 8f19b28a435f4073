"""The report as a workbook: real numbers and times, so that people can sum and filter; nothing in it is a formula.

Written row by row, so that a long run stays within memory, and with the time of the run as its own, so that the same run
gives the same bytes.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

from worker.reports import items, summary
from worker.reports.cells import Cell, Columns
from worker.reports.model import Report
from worker.reports.spreadsheet import Spreadsheet
from worker.reports.worksheet import Rows, note, numbered

MOST_ROWS = 1_048_575
"""Of a sheet, below its head. The rest is in items.csv, and the last row says so."""
HUGE = 250_000
"""Breaks from which a sheet may become longer than 2 GiB, at nearly 8 KB a row."""
_WIDTHS = {"label": 34, "detail": 46, "cause": 60, "kind_in_words": 28, "resolution": 30, "key": 26, "suggestions": 26}


def write(
    report: Report,
    path: Path,
    breaks: Iterable[Sequence[Cell]] | None = None,
    others: Iterable[Sequence[Cell]] | None = None,
) -> None:
    """Write report.xlsx to `path`: the sums, the open breaks, everything else.

    Whoever needs the rows for something else as well gives them, in the order of `items.COLUMNS`; all are gone through.
    """
    run = report.run
    about = {"title": f"Reconciliation of {run.shop} and {run.provider}", "subject": f"Run {run.run_id}"}
    huge = len(report.breaks) > HUGE
    with Spreadsheet(path, **about, created=report.as_of) as book:
        _sheet(book, "Summary", summary.COLUMNS, summary.rows(report))
        found = items.break_rows(report.breaks) if breaks is None else breaks
        _sheet(book, "Breaks", items.COLUMNS, found, huge=huge)
        rest = items.other_rows(report) if others is None else others
        _sheet(book, "Other items", items.COLUMNS, rest, huge=huge)


def _sheet(
    book: Spreadsheet, name: str, columns: Columns, rows: Iterable[Sequence[Cell]], *, huge: bool = False
) -> None:
    """Write a table: frozen head, filter, columns as wide as what they hold usually is."""
    table = Rows(columns)
    widths = {column: float(_WIDTHS.get(column, max(12, len(column) + 4))) for column in table.shown}
    with book.sheet(name, widths, huge=huge) as add:
        for number, row in numbered(rows, MOST_ROWS):
            add(note(number, "more rows than a sheet holds: see items.csv") if row is None else table.xml(number, row))
