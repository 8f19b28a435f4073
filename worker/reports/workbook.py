"""The report as a workbook: real numbers and dates, so that people can sum and filter; nothing in it is a formula.

Written row by row (XlsxWriter's constant-memory mode), so that a long run stays within memory, and with the time of the
run as its own, so that the same run gives the same bytes.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import xlsxwriter

from worker.domain.money import Money, exponent, format_minor
from worker.reports import items, summary
from worker.reports.items import Cell, risky
from worker.reports.model import Report

MOST_ROWS = 1_048_575
"""Of a sheet, below its head. The rest is in items.csv, and the last row says so."""
EXACT = 10**15
"""A workbook's numbers are exact below this many minor units; what is larger is written as text."""
LONGEST = 32_767
"""Characters of a cell."""
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
        self._date = self._book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss", "align": "left"})
        self._text = self._book.add_format({"quote_prefix": True})
        self._whole = self._book.add_format({"num_format": "#,##0"})
        self._amounts: dict[int, Any] = {}

    def sheet(self, name: str, columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> None:
        """Write a table: frozen head, filter, columns as wide as what they hold usually is."""
        sheet = self._book.add_worksheet(name)
        sheet.freeze_panes(1, 0)
        for index, column in enumerate(columns):
            sheet.set_column(index, index, _WIDTHS.get(column, max(12, len(column) + 4)))
            sheet.write_string(0, index, column, self._head)
        last = 0
        for last, row in enumerate(_bounded(rows), 1):
            for index, cell in enumerate(row):
                if cell is not None and cell != "":
                    self._write(sheet, last, index, cell)
        sheet.autofilter(0, 0, max(last, 1), len(columns) - 1)
        sheet.set_landscape()
        sheet.repeat_rows(0)
        sheet.fit_to_pages(1, 0)

    def close(self) -> None:
        """Finish the file."""
        self._book.close()

    def _write(self, sheet: Any, row: int, column: int, cell: Cell) -> None:
        if isinstance(cell, Money):
            if abs(cell.minor) < EXACT:
                digits = exponent(cell.currency)
                sheet.write_number(row, column, Decimal(cell.minor).scaleb(-digits), self._amount(digits))
            else:
                sheet.write_string(row, column, format_minor(cell.minor, cell.currency))
        elif isinstance(cell, datetime):
            sheet.write_datetime(row, column, cell.astimezone(UTC).replace(tzinfo=None), self._date)
        elif isinstance(cell, int):
            if abs(cell) < EXACT:
                sheet.write_number(row, column, cell, self._whole)
            else:
                sheet.write_string(row, column, str(cell))
        elif isinstance(cell, str):
            sheet.write_string(row, column, cell[:LONGEST], self._text if risky(cell) else None)

    def _amount(self, digits: int) -> Any:
        if digits not in self._amounts:
            shown = "#,##0" + (f".{'0' * digits}" if digits else "")
            self._amounts[digits] = self._book.add_format({"num_format": f"{shown};[Red]-{shown}"})
        return self._amounts[digits]


def _bounded(rows: Iterable[Sequence[Cell]]) -> Iterator[Sequence[Cell]]:
    for number, row in enumerate(rows, 1):
        if number == MOST_ROWS:
            yield ("more rows than a sheet holds: see items.csv",)
            return
        yield row


COLUMNS = tuple(column for column in items.COLUMNS if not column.endswith("_minor"))
"""Amounts stand here once: a number is exact, and what would not be is text."""
_TAKEN = tuple(items.COLUMNS.index(column) for column in COLUMNS)


def _items(report: Report, *, breaks: bool) -> Iterator[Sequence[Cell]]:
    return (tuple(row[index] for index in _TAKEN) for row in items.rows(report) if (row[0] == "break") is breaks)


def write(report: Report, path: Path) -> None:
    """Write report.xlsx to `path`: the sums, the open breaks, everything else."""
    book = Workbook(path, report)
    book.sheet("Summary", summary.COLUMNS, summary.rows(report))
    book.sheet("Breaks", COLUMNS, _items(report, breaks=True))
    book.sheet("Other items", COLUMNS, _items(report, breaks=False))
    book.close()
