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

from worker.domain.money import Money, format_minor
from worker.reports import items, summary
from worker.reports.items import Cell, guarded
from worker.reports.model import Report
from worker.reports.words import iso


class ItemTable:
    """items.csv in a text file, written while its rows pass on to something else."""

    def __init__(self, file: TextIO) -> None:
        self._writer = csv.writer(file, lineterminator="\r\n")
        self._writer.writerow(items.COLUMNS)

    def passing(self, rows: Iterable[Sequence[Cell]]) -> Iterator[Sequence[Cell]]:
        """Yield the rows, each as soon as it is written."""
        for row in rows:
            self._writer.writerow([_written(cell) for cell in row])
            yield row


def opened(path: Path) -> TextIO:
    """Open a table to write."""
    return path.open("w", encoding="utf-8-sig", newline="")


def summary_chunks(report: Report) -> Iterator[bytes]:
    """Yield summary.csv in pieces."""
    return _chunks(summary.COLUMNS, summary.rows(report))


def _chunks(columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> Iterator[bytes]:
    yield codecs.BOM_UTF8
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(columns)
    for row in rows:
        yield _taken(text)
        writer.writerow([_written(cell) for cell in row])
    yield _taken(text)


def _taken(text: io.StringIO) -> bytes:
    taken = text.getvalue().encode()
    text.seek(0)
    text.truncate()
    return taken


def _written(cell: Cell) -> str | int | None:
    """Return a cell as the writer takes it: it makes a text of a number, and nothing of None."""
    if isinstance(cell, str):
        return guarded(cell)
    if isinstance(cell, Money):
        return format_minor(cell.minor, cell.currency).replace(",", "")
    return iso(cell) if isinstance(cell, datetime) else cell
