"""The report as a workbook: real numbers and dates, so that people can sum and filter; nothing in it is a formula.

Written row by row (XlsxWriter's constant-memory mode), so that a long run stays within memory, and with the time of the
run as its own, so that the same run gives the same bytes.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC
from operator import itemgetter
from pathlib import Path

import xlsxwriter

from worker.reports import items, summary
from worker.reports.items import Cell
from worker.reports.model import Report
from worker.reports.worksheet import Sheet, Styles

MOST_ROWS = 1_048_575
"""Of a sheet, below its head. The rest is in items.csv, and the last row says so."""
_WIDTHS = {"label": 34, "detail": 46, "cause": 60, "kind_in_words": 28, "resolution": 30, "key": 26, "suggestions": 26}


class Workbook:
    """A file that is being written; sheets one after the other, rows from the top."""

    def __init__(self, path: Path, report: Report) -> None:
        made = {"constant_memory": True, "tmpdir": str(path.parent), "default_date_format": "yyyy-mm-dd hh:mm:ss"}
        self._book = xlsxwriter.Workbook(str(path), made)
        run = report.run
        self._book.set_properties(
            {
                "title": f"Reconciliation of {run.shop} and {run.provider}",
                "subject": f"Run {run.run_id}",
                "created": report.as_of.astimezone(UTC).replace(tzinfo=None, microsecond=0),
            }
        )
        self._head = self._book.add_format({"bold": True, "bottom": 1, "text_wrap": False})
        self._styles = Styles(self._book)

    def sheet(self, name: str, columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> None:
        """Write a table: frozen head, filter, columns as wide as what they hold usually is."""
        sheet = self._book.add_worksheet(name, Sheet)
        sheet.freeze_panes(1, 0)
        for index, column in enumerate(columns):
            sheet.set_column(index, index, _WIDTHS.get(column, max(12, len(column) + 4)))
            sheet.write_string(0, index, column, self._head)
        last = 0
        for last, row in enumerate(_bounded(rows), 1):
            sheet.add_row(last, row, self._styles)
        sheet.autofilter(0, 0, max(last, 1), len(columns) - 1)
        sheet.set_landscape()
        sheet.repeat_rows(0)
        sheet.fit_to_pages(1, 0)

    def close(self) -> None:
        """Finish the file."""
        self._book.close()


def _bounded(rows: Iterable[Sequence[Cell]]) -> Iterator[Sequence[Cell]]:
    for number, row in enumerate(rows, 1):
        if number < MOST_ROWS:
            yield row
        elif number == MOST_ROWS:
            # Those beyond are gone through all the same: whoever they pass takes them.
            yield ("more rows than a sheet holds: see items.csv",)


COLUMNS = tuple(column for column in items.COLUMNS if not column.endswith("_minor"))
"""Amounts stand here once: a number is exact, and what would not be is text."""
_TAKEN = itemgetter(*(items.COLUMNS.index(column) for column in COLUMNS))


def write(
    report: Report,
    path: Path,
    breaks: Iterable[Sequence[Cell]] | None = None,
    others: Iterable[Sequence[Cell]] | None = None,
) -> None:
    """Write report.xlsx to `path`: the sums, the open breaks, everything else.

    Whoever needs the rows for something else as well gives them, in the order of `items.COLUMNS`; all are gone through.
    """
    book = Workbook(path, report)
    book.sheet("Summary", summary.COLUMNS, summary.rows(report))
    book.sheet("Breaks", COLUMNS, map(_TAKEN, items.break_rows(report.breaks) if breaks is None else breaks))
    book.sheet("Other items", COLUMNS, map(_TAKEN, items.other_rows(report) if others is None else others))
    book.close()
