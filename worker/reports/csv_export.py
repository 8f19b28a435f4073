"""The tables of a report as CSV: items.csv, a row an item, and summary.csv, a row a sum.

Amounts come twice, in minor units (exact) and as a plain decimal (readable); times are ISO 8601 in UTC.
Text that a spreadsheet would run as a formula gets a leading apostrophe. UTF-8 with BOM, since the usual
spreadsheet otherwise guesses the code page; lines end in CRLF (RFC 4180).
"""

import codecs
import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import TextIO

from worker.reports import items, summary
from worker.reports.cells import Cell, Columns, Holds, guarded, placed
from worker.reports.model import Report
from worker.reports.words import iso


class Table:
    """A table that is being written to a text file, its head first."""

    def __init__(self, file: TextIO, columns: Columns) -> None:
        self._write = csv.writer(file, lineterminator="\r\n").writerow
        self._write(columns)
        self._texts, self._times = placed(columns, Holds.TEXT), placed(columns, Holds.TIME)

    def add(self, row: Sequence[Cell]) -> None:
        """Write a row; an empty cell stays empty."""
        cells = list(row)
        for index in self._texts:
            cell = cells[index]
            if cell:
                cells[index] = guarded(str(cell))
        for index in self._times:
            cell = cells[index]
            if isinstance(cell, datetime):
                cells[index] = iso(cell)
        self._write(cells)

    def passing(self, rows: Iterable[items.Row]) -> Iterator[items.Row]:
        """Yield the rows, each as soon as it is written."""
        for row in rows:
            self.add(row)
            yield row


def item_table(file: TextIO) -> Table:
    """Begin items.csv."""
    return Table(file, items.COLUMNS)


def opened(path: Path) -> TextIO:
    """Open a table to write."""
    return path.open("w", encoding="utf-8-sig", newline="")


def summary_csv(report: Report) -> bytes:
    """Return summary.csv."""
    text = io.StringIO(newline="")
    table = Table(text, summary.COLUMNS)
    for row in summary.rows(report):
        table.add(row)
    return codecs.BOM_UTF8 + text.getvalue().encode()
