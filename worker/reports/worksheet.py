"""A sheet whose rows are written as XML at once: XlsxWriter would weigh each cell of a long report several times.

Measured in one process (rows of thirty cells, constant memory): its own `write_row` and `write_number`/`write_string` take
215 to 312 CPU-us a row, this 93 to 134, of about 700 that a break costs in all files of a report.

Everything around the rows (head, widths, styles, package) stays XlsxWriter's. Texts stand in their cells (no table of
shared ones), and none is markup: XlsxWriter takes a text between `<r>` and `</r>` for its own.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache, lru_cache

from xlsxwriter.format import Format
from xlsxwriter.utility import xl_col_to_name
from xlsxwriter.workbook import Workbook
from xlsxwriter.worksheet import Worksheet

from worker.domain.money import Money, exponent, format_minor
from worker.reports.items import Cell, risky

EXACT = 10**15
"""A workbook's numbers are exact below this many minor units; what is larger is written as text."""
LONGEST = 32_767
"""UTF-16 units of a cell."""
_EPOCH = datetime(1899, 12, 30, tzinfo=UTC)
_DAY = 24 * 60 * 60
_MARKUP = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
_SPECIAL = re.compile(r"[&<>\x00-\x1f\ufffe\uffff]|_x|^\s|\s$")
"""Where a text goes into a cell otherwise than as it is; a literal `_x0041_` would be read as an escape."""


class Styles:
    """How the cells of a book look, each as the attribute that says so; a look gets its number when it is first used."""

    def __init__(self, book: Workbook) -> None:
        self._book = book
        self._date = book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss", "align": "left"})
        self._risky = book.add_format({"quote_prefix": True})
        self._whole = book.add_format({"num_format": "#,##0"})
        self._amounts: dict[int, Format] = {}

    def amount(self, digits: int) -> str:
        """Return the look of an amount with so many decimals."""
        if digits not in self._amounts:
            shown = "#,##0" + (f".{'0' * digits}" if digits else "")
            self._amounts[digits] = self._book.add_format({"num_format": f"{shown};[Red]-{shown}"})
        return _look(self._amounts[digits])

    @property
    def date(self) -> str:
        """The look of a time."""
        return _look(self._date)

    @property
    def whole(self) -> str:
        """The look of a number."""
        return _look(self._whole)

    @property
    def risky(self) -> str:
        """The look of a text that must never become a formula."""
        return _look(self._risky)


class Sheet(Worksheet):  # type: ignore[misc]  # the library has no types
    """A worksheet whose rows below the head come from the top, each whole."""

    def add_row(self, row: int, cells: Sequence[Cell], styles: Styles) -> None:
        """Write one row, counted from 0; its empty cells are left out."""
        if row > self.previous_row:
            self._write_single_row(row)  # the head, which stands before it
        if self._check_dimensions(row, len(cells) - 1):
            return
        number = row + 1
        told = [
            f'<c r="{letters}{number}"{self._content(cell, styles)}</c>'
            for letters, cell in zip(_letters(len(cells)), cells, strict=True)
            if cell or (cell is not None and not isinstance(cell, str))
        ]
        self.row_data_fh.write(f'<row r="{number}">{"".join(told)}</row>')

    def _content(self, cell: Cell, styles: Styles) -> str:
        if isinstance(cell, str):
            return self._text(cell, styles.risky if risky(cell) else "")
        if isinstance(cell, Money):
            if abs(cell.minor) < EXACT:
                digits = exponent(cell.currency)
                return f"{styles.amount(digits)}><v>{_decimal(cell.minor, digits)}</v>"
            return self._text(format_minor(cell.minor, cell.currency), "")
        if isinstance(cell, datetime):
            return f"{styles.date}><v>{_serial(cell)}</v>"
        if isinstance(cell, int) and abs(cell) < EXACT:
            return f"{styles.whole}><v>{cell}</v>"
        return self._text(str(cell), "")

    def _text(self, text: str, style: str) -> str:
        if len(text) > LONGEST // 2:
            text = text.encode("utf-16-le")[: 2 * LONGEST].decode("utf-16-le", "ignore")
        kept = ""
        if _SPECIAL.search(text):
            text = self._escape_control_characters(text).translate(_MARKUP)
            kept = ' xml:space="preserve"' if text[0].isspace() or text[-1].isspace() else ""
        return f'{style} t="inlineStr"><is><t{kept}>{text}</t></is>'


@cache
def _letters(columns: int) -> list[str]:
    return [str(xl_col_to_name(column)) for column in range(columns)]


def _look(style: Format) -> str:
    return f' s="{style._get_xf_index()}"'  # noqa: SLF001 - as the library's own sheets ask for it


def _decimal(minor: int, digits: int) -> str:
    sign, value = ("-", -minor) if minor < 0 else ("", minor)
    whole, rest = divmod(value, 10**digits)
    return f"{sign}{whole}.{rest:0{digits}d}" if digits else f"{sign}{whole}"


@lru_cache(maxsize=1024)
def _serial(at: datetime) -> str:
    """Return a time as spreadsheets count it: days since the end of 1899, UTC."""
    since = at - _EPOCH
    return f"{since.days + (since.seconds + since.microseconds / 1e6) / _DAY:.16G}"
