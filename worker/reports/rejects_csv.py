"""The rejected rows of a statement file as CSV, for whoever asks the provider for a better file.

Text that a spreadsheet would run as a formula gets a leading apostrophe; UTF-8 with BOM, CRLF, as in `csv_export`.
"""

import csv
import io
from collections.abc import Iterable

from worker.reports.cells import guarded
from worker.services.ports import RejectedRow, StatementFile

COLUMNS = ("file", "sha256", "line", "column", "reason")


def render(file: StatementFile, rejects: Iterable[RejectedRow]) -> bytes:
    """Return one row per rejected row: file, line (counted from 1, header included), column, reason."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for row in rejects:
        writer.writerow((guarded(file.name), file.sha256, row.line, guarded(row.column), guarded(row.reason)))
    return text.getvalue().encode("utf-8-sig")
