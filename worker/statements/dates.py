"""Dates of small numbers: does `04/07/2026` mean April or July? A whole file decides, or nobody does."""

import re
from collections.abc import Iterable
from datetime import date

from worker.domain.errors import InvalidStatement
from worker.statements.told import DateOrder

_DATE = re.compile(r"(\d{1,2})([./-])(\d{1,2})\2(\d{4}|\d{2})", re.ASCII)
_YEAR_FIRST = re.compile(r"(\d{4})([./-])(\d{1,2})\2(\d{1,2})", re.ASCII)


def decide(texts: Iterable[str], told: DateOrder | None, *, usual: DateOrder | None = None) -> DateOrder:
    """Return the order of day and month in a file; `usual` is the one of its language, where that has only one.

    A number above 12 is proof; where nothing is proved, what was told holds, then the language's usual order, then
    the point as separator (`07.04.2026` is written day first everywhere). Raises InvalidStatement when the
    dates prove both, contradict what was told, or leave it open and it matters.
    """
    proofs: dict[DateOrder, str] = {}
    matters = ""
    dotted = False
    for text in texts:
        found = _DATE.fullmatch(text)
        if found is None:
            continue
        first, second = int(found[1]), int(found[3])
        dotted = dotted or found[2] == "."
        if first > 12 >= second:
            proofs.setdefault(DateOrder.DAY_FIRST, text)
        elif second > 12 >= first:
            proofs.setdefault(DateOrder.MONTH_FIRST, text)
        elif first != second and first <= 12:
            matters = matters or text
    if len(proofs) == 2:
        raise InvalidStatement(f"dates contradict each other: {' and '.join(sorted(proofs.values()))}")
    proved = next(iter(proofs), None)
    if proved and told not in {None, proved}:
        raise InvalidStatement(f"dates are said to be {told}, but {proofs[proved]} is not")
    chosen = proved or told or usual or (DateOrder.DAY_FIRST if dotted else None)
    if chosen is None and matters:
        raise InvalidStatement(
            f"{matters} may be read in two ways and nothing in the file decides; "
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
