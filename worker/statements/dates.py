"""Dates of small numbers: does `04/07/2026` mean April or July? A whole file decides, or nobody does."""

import re
from datetime import date

from worker.domain.errors import InvalidStatement
from worker.statements.told import DateOrder

_DATE = re.compile(r"(\d{1,2})([./-])(\d{1,2})\2(\d{4}|\d{2})", re.ASCII)
_YEAR_FIRST = re.compile(r"(\d{4})([./-])(\d{1,2})\2(\d{1,2})", re.ASCII)


class Deciding:
    """Finds out the order of day and month in a file, from all of its dates."""

    def __init__(self, told: DateOrder | None, *, usual: DateOrder | None = None) -> None:
        """`usual` is the order of the file's language, where that has only one."""
        self._told = told
        self._usual = usual
        self._proofs: dict[DateOrder, str] = {}
        self._matters = ""
        self._dotted = False
        self._before = ""

    def look(self, text: str) -> None:
        """Take the next date."""
        if text == self._before:
            return
        self._before = text
        found = _DATE.fullmatch(text)
        if found is None:
            return
        first, second = int(found[1]), int(found[3])
        self._dotted = self._dotted or found[2] == "."
        if first > 12 >= second:
            self._proofs.setdefault(DateOrder.DAY_FIRST, text)
        elif second > 12 >= first:
            self._proofs.setdefault(DateOrder.MONTH_FIRST, text)
        elif first != second and first <= 12:
            self._matters = self._matters or text

    def decided(self) -> DateOrder:
        """Return the order.

        A number above 12 is proof; where nothing is proved, what was told holds, then the language's usual order, then
        the point as separator (`07.04.2026` is written day first everywhere). Raises InvalidStatement when the
        dates prove both, contradict what was told, or leave it open and it matters.
        """
        proofs, told = self._proofs, self._told
        if len(proofs) == 2:
            raise InvalidStatement(f"dates contradict each other: {' and '.join(sorted(proofs.values()))}")
        proved = next(iter(proofs), None)
        if proved and told not in {None, proved}:
            raise InvalidStatement(f"dates are said to be {told}, but {proofs[proved]} is not")
        chosen = proved or told or self._usual or (DateOrder.DAY_FIRST if self._dotted else None)
        if chosen is None and self._matters:
            raise InvalidStatement(
                f"{self._matters} may be read in two ways and nothing in the file decides; "
                f"say which comes first (--dates {DateOrder.DAY_FIRST}|{DateOrder.MONTH_FIRST})"
            )
        return chosen or DateOrder.DAY_FIRST


def read_day(text: str, order: DateOrder) -> date | None:
    """Return a date written in that order, or with its year first; None when it is none."""
    found = _YEAR_FIRST.fullmatch(text)
    if found:
        year, month, day = found[1], found[3], found[4]
    else:
        found = _DATE.fullmatch(text)
        if found is None:
            return None
        day, month = (found[1], found[3]) if order is DateOrder.DAY_FIRST else (found[3], found[1])
        year = found[4] if len(found[4]) == 4 else f"20{found[4]}"
    try:
        return date(int(year), int(month), int(day))
    except ValueError:
        return None
