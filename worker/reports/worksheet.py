"""Rows of a worksheet as XML: real numbers and times, and texts that stand in their cells as they are.

What is the same in every row of a table is put together once: how the cells of a column begin and look, and the words that
come again. Measured in one process (rows of thirty cells, compressed): 33 CPU-us a row, where XlsxWriter in the mode that
keeps memory flat takes 215 to 312 by its public ways, and took 103 with rows of ours written past them.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from functools import cache, lru_cache

from worker.contract.currencies import EXPONENTS
from worker.domain.money import exponent, format_minor
from worker.reports.cells import Cell, Columns, Holds, risky

EXACT = 10**15
"""A workbook's numbers are exact below this many minor units; what is larger is written as text."""
LONGEST = 32_767
"""UTF-16 units of a cell."""
HEAD, WHOLE, TIME, RISKY, AMOUNT = 1, 2, 3, 4, 5
"""Looks of cells: numbers of formats in the styles of the book. Of amounts there is one for each number of decimals."""
DECIMALS = tuple(sorted({2, *EXPONENTS.values()}))
_LOOKS = {digits: AMOUNT + number for number, digits in enumerate(DECIMALS)}
_EPOCH = datetime(1899, 12, 30, tzinfo=UTC)
_DAY = 24 * 60 * 60
_MARKUP = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
_SPECIAL = re.compile(r"[&<>\x00-\x1f\ufffe\uffff]|_x|^\s|\s$")
"""Where a text goes into a cell otherwise than as it is."""
_ESCAPE = re.compile(r"_(?=x[0-9a-fA-F]{4}_)")
"""A literal `_x0041_` would be read as an escape."""
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\ufffe\uffff]")


class Rows:
    """The rows of a table below its head."""

    def __init__(self, columns: Columns) -> None:
        """Prepare a table; of `columns`, those in minor units are left out: a number is exact, and stands there once."""
        words = _Words()
        told: dict[Holds, Callable[..., str]] = {
            Holds.WORD: words.__getitem__,
            Holds.TEXT: _text,
            Holds.NUMBER: _number,
            Holds.TIME: _time,
        }
        names = list(columns)
        self.shown = [name for name in names if not name.endswith("_minor")]
        self._currency = names.index("currency")
        self._plain, self._amounts = [], []
        for place, name in enumerate(self.shown):
            index, held = names.index(name), columns[name]
            if held is Holds.AMOUNT:
                self._amounts.append((place, letters(place), index, names.index(f"{name}_minor")))
            else:
                self._plain.append((place, letters(place), index, told[held]))

    def xml(self, number: int, row: Sequence[Cell]) -> str:
        """Return a row, counted from 1; its empty cells are left out."""
        cells = [""] * len(self.shown)
        for place, column, index, told in self._plain:
            cell = row[index]
            if cell is not None and cell != "":
                cells[place] = f'<c r="{column}{number}"{told(cell)}'
        currency = row[self._currency]
        if currency:
            look = _look(str(currency))
            for place, column, index, exact in self._amounts:
                minor = row[exact]
                if not isinstance(minor, int):
                    continue
                exactly = abs(minor) < EXACT
                content = f"{look}{row[index]}</v></c>" if exactly else _text(format_minor(minor, str(currency)))
                cells[place] = f'<c r="{column}{number}"{content}'
        return f'<row r="{number}">{"".join(cells)}</row>'


class _Words(dict[str, str]):
    """Cells of words of ours, which are few."""

    def __missing__(self, word: str) -> str:
        self[word] = told = _text(word)
        return told


def head(names: Iterable[str]) -> str:
    """Return the first row."""
    cells = (
        f'<c r="{letters(place)}1" s="{HEAD}" t="inlineStr"><is><t>{name}</t></is></c>'
        for place, name in enumerate(names)
    )
    return f'<row r="1">{"".join(cells)}</row>'


def note(number: int, text: str) -> str:
    """Return a row that says something about the table."""
    return f'<row r="{number}"><c r="A{number}"{_text(text)}</row>'


def letters(place: int) -> str:
    """Return the name of a column, counted from 0: `A`, `Z`, `AA`."""
    before, last = divmod(place, 26)
    return (letters(before - 1) if before else "") + chr(ord("A") + last)


def numbered(rows: Iterable[Sequence[Cell]], most: int) -> Iterator[tuple[int, Sequence[Cell] | None]]:
    """Yield the rows with their numbers, the first below the head; None in the place of those beyond `most`, once.

    Those beyond are gone through all the same: whoever they pass takes them.
    """
    for number, row in enumerate(rows, 2):
        if number <= most:
            yield number, row
        elif number == most + 1:
            yield number, None


def _text(text: str) -> str:
    look = f' s="{RISKY}"' if risky(text) else ""
    if len(text) > LONGEST // 2:
        text = text.encode("utf-16-le")[: 2 * LONGEST].decode("utf-16-le", "ignore")
    kept = ""
    if _SPECIAL.search(text):
        text = _CONTROL.sub(_code, _ESCAPE.sub("_x005F_", text)).translate(_MARKUP)
        kept = ' xml:space="preserve"' if text[0].isspace() or text[-1].isspace() else ""
    return f'{look} t="inlineStr"><is><t{kept}>{text}</t></is></c>'


def _code(found: re.Match[str]) -> str:
    return f"_x{ord(found[0]):04X}_"


def _number(number: int) -> str:
    return f' s="{WHOLE}"><v>{number}</v></c>' if abs(number) < EXACT else _text(str(number))


@cache
def _look(currency: str) -> str:
    return f' s="{_LOOKS[exponent(currency)]}"><v>'


@lru_cache(maxsize=1024)
def _time(at: datetime) -> str:
    """Return a time as spreadsheets count it: days since the end of 1899, UTC."""
    since = at - _EPOCH
    return f' s="{TIME}"><v>{since.days + (since.seconds + since.microseconds / 1e6) / _DAY:.16G}</v></c>'
