"""The report as a workbook: real numbers and times, so that people can sum and filter; nothing in it is a formula.

Written row by row (XlsxWriter's constant-memory mode), so that a long run stays within memory, and with the time of the
run as its own, so that the same run gives the same bytes.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC
from pathlib import Path

import xlsxwriter

from worker.reports import items, summary
from worker.reports.cells import Cell, Columns
from worker.reports.model import Report
from worker.reports.worksheet import Styles, Table

MOST_ROWS = 1_048_575
"""Of a sheet, below its head. The rest is in items.csv, and the last row says so."""
_WIDTHS = {"label": 34, "detail": 46, "cause": 60, "kind_in_words": 28, "resolution": 30, "key": 26, "suggestions": 26}


class Workbook:
    """A file that is being written; sheets one after the other, rows from the top."""

    def __init__(self, path: Path, report: Report) -> None:
        self._book = xlsxwriter.Workbook(str(path), {"constant_memory": True, "tmpdir": str(path.parent)})
        run = report.run
        self._book.set_properties(
            {
                "title": f"Reconciliation of {run.shop} and {run.provider}",
                "subject": f"Run {run.run_id}",
                "created": report.as_of.astimezone(UTC).replace(tzinfo=None, microsecond=0),
            }
        )
        self._styles = Styles(self._book)

    def sheet(self, name: str, columns: Columns, rows: Iterable[Sequence[Cell]]) -> None:
        """Write a table: frozen head, filter, columns as wide as what they hold usually is."""
        sheet = self._book.add_worksheet(name)
        sheet.freeze_panes(1, 0)
        table = Table(sheet, columns, self._styles)
        for place, column in enumerate(table.shown):
            sheet.set_column(place, place, _WIDTHS.get(column, max(12, len(column) + 4)))
        number = 0
        for number, row in enumerate(rows, 1):
            # Those beyond are gone through all the same: whoever they pass takes them.
            if number < MOST_ROWS:
                table.add(number, row)
            elif number == MOST_ROWS:
                table.note(number, "more rows than a sheet holds: see items.csv")
        sheet.autofilter(0, 0, min(max(number, 1), MOST_ROWS), len(table.shown) - 1)
        sheet.set_landscape()
        sheet.repeat_rows(0)
        sheet.fit_to_pages(1, 0)

    def close(self) -> None:
        """Finish the file."""
        self._book.close()


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
    book.sheet("Breaks", items.COLUMNS, items.break_rows(report.breaks) if breaks is None else breaks)
    book.sheet("Other items", items.COLUMNS, items.other_rows(report) if others is None else others)
    book.close()
