"""A table in a worksheet: what a column holds says how its cells are written, whatever stands in them.

Numbers and times are real ones, and a text is never a formula: every cell is written by the method of what it is.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import cache, lru_cache, partial

from xlsxwriter.format import Format
from xlsxwriter.workbook import Workbook
from xlsxwriter.worksheet import Worksheet

from worker.domain.money import exponent, format_minor
from worker.reports.cells import Cell, Columns, Holds, risky

EXACT = 10**15
"""A workbook's numbers are exact below this many minor units; what is larger is written as text."""
LONGEST = 32_767
"""UTF-16 units of a cell."""
_EPOCH = datetime(1899, 12, 30, tzinfo=UTC)
_DAY = 24 * 60 * 60
_MARKUP = "<r>"
"""A text that begins so may be taken for the library's own markup, which would come out of its cell as something else."""
Put = Callable[[int, Cell], None]


class Styles:
    """How the cells of a book look."""

    def __init__(self, book: Workbook) -> None:
        self.head = book.add_format({"bold": True, "bottom": 1, "text_wrap": False})
        self.time = book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss", "align": "left"})
        self.risky = book.add_format({"quote_prefix": True})
        self.whole = book.add_format({"num_format": "#,##0"})
        self.amount = cache(partial(_amount, book))
        """By the number of decimals."""


class Table:
    """The rows of a worksheet below its head."""

    def __init__(self, sheet: Worksheet, columns: Columns, styles: Styles) -> None:
        """Begin a table; of `columns`, those in minor units are left out: a number is exact, and stands there once."""
        self._sheet = sheet
        self._styles = styles
        names = list(columns)
        self.shown = [name for name in names if not name.endswith("_minor")]
        self._currency = names.index("currency")
        put = {Holds.WORD: self._text, Holds.TEXT: self._text, Holds.NUMBER: self._number, Holds.TIME: self._time}
        self._plain, self._amounts = [], []
        for place, name in enumerate(self.shown):
            index, held = names.index(name), columns[name]
            if held is Holds.AMOUNT:
                self._amounts.append((place, index, names.index(f"{name}_minor")))
            else:
                self._plain.append((place, index, put[held]))
        for place, name in enumerate(self.shown):
            sheet.write_string(0, place, name, styles.head)

    def add(self, number: int, row: Sequence[Cell]) -> None:
        """Write a row, the first below the head being 1; its empty cells are left out."""
        for place, index, put in self._plain:
            cell = row[index]
            if cell is not None and cell != "":
                put(number, place, cell)
        currency = str(row[self._currency] or "")
        for place, index, exact in self._amounts:
            minor = row[exact]
            if isinstance(minor, int) and currency:
                if abs(minor) < EXACT:
                    # A cell's number is a float by its format; so few digits come back as they were.
                    amount = self._styles.amount(exponent(currency))
                    self._sheet.write_number(number, place, float(str(row[index])), amount)
                else:
                    self._text(number, place, format_minor(minor, currency))

    def note(self, number: int, text: str) -> None:
        """Write a row that says something about the table."""
        self._text(number, 0, text)

    def _text(self, number: int, place: int, cell: Cell) -> None:
        text = str(cell)
        if len(text) > LONGEST // 2:
            text = text.encode("utf-16-le")[: 2 * LONGEST].decode("utf-16-le", "ignore")
        if text.startswith(_MARKUP):
            text = f" {text}"
        self._sheet.write_string(number, place, text, self._styles.risky if risky(text) else None)

    def _number(self, number: int, place: int, cell: Cell) -> None:
        if isinstance(cell, int) and abs(cell) < EXACT:
            self._sheet.write_number(number, place, cell, self._styles.whole)
        else:
            self._text(number, place, cell)

    def _time(self, number: int, place: int, cell: Cell) -> None:
        if isinstance(cell, datetime):
            self._sheet.write_number(number, place, _serial(cell), self._styles.time)


def _amount(book: Workbook, digits: int) -> Format:
    shown = "#,##0" + (f".{'0' * digits}" if digits else "")
    return book.add_format({"num_format": f"{shown};[Red]-{shown}"})


@lru_cache(maxsize=1024)
def _serial(at: datetime) -> float:
    """Return a time as spreadsheets count it: days since the end of 1899, UTC."""
    since = at - _EPOCH
    return since.days + (since.seconds + since.microseconds / 1e6) / _DAY
