"""One row of a statement, its cells by column name. A cell that cannot be read rejects its row, with a reason.

Numbers and times are read strictly: what a lenient reader would guess (`1,234`, `1e5`, a date without a time)
is refused, because a guess about money is an error nobody sees.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

from worker.domain.errors import InvalidInput
from worker.domain.money import format_minor, parse_major

LONGEST = 128
"""Characters of an id, as the database holds it."""
FIRST_YEAR, LAST_YEAR = 1990, 2099
"""Beyond them a date is a slip, not a payment."""
_AMOUNT = re.compile(r"[+-]?[0-9]{1,13}(\.[0-9]{1,8})?", re.ASCII)
_MOMENT = re.compile(
    r"(\d{4}-\d{2}-\d{2})[ T](\d{2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?) ?(Z|UTC|[+-]\d{2}:?\d{2})?", re.ASCII
)
_CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)


class RowRejected(Exception):
    """A row cannot be read; stays inside this package and becomes a `RejectedRow`."""

    def __init__(self, column: str, reason: str) -> None:
        super().__init__(reason)
        self.column = column
        self.reason = reason


class Cells:
    """The cells of one row. `columns` maps lower-case names to positions."""

    def __init__(self, columns: Mapping[str, int], cells: tuple[str, ...], provider: str) -> None:
        self._columns = columns
        self._cells = cells
        self._provider = provider

    def text(self, column: str) -> str:
        """Return a cell without surrounding space; empty when the file has no such column."""
        at = self._columns.get(column)
        return self._cells[at].strip() if at is not None else ""

    def required(self, column: str) -> str:
        """Return a cell that must not be empty. Raises RowRejected."""
        found = self.identifier(column)
        if not found:
            raise RowRejected(column, "is empty")
        return found

    def identifier(self, column: str) -> str:
        """Return a cell that names something. Raises RowRejected when it cannot be a name."""
        found = self.text(column)
        if len(found) > LONGEST:
            raise RowRejected(column, f"is longer than {LONGEST} characters")
        if not found.isprintable():
            raise RowRejected(column, "holds characters that cannot be printed")
        return found

    def currency(self, column: str) -> str:
        """Return an ISO 4217 code in capitals. Raises RowRejected."""
        found = self.text(column).upper()
        if not _CURRENCY.fullmatch(found):
            raise RowRejected(column, f"is no currency: {_shown(found)}")
        return found

    def amount(self, column: str, currency: str, *, required: bool = False) -> int:
        """Return a decimal in major units as minor units; an empty cell is 0 unless `required`. Raises RowRejected."""
        found = self.text(column)
        if not found and not required:
            return 0
        if not _AMOUNT.fullmatch(found):
            raise RowRejected(column, f"is no decimal amount: {_shown(found)}")
        try:
            return parse_major(found, currency, self._provider)
        except InvalidInput as error:
            raise RowRejected(column, str(error)) from None

    def moment(self, column: str, zone: tzinfo = UTC) -> datetime:
        """Return a date and time as UTC; `zone` holds where the cell names none. Raises RowRejected."""
        found = self.text(column)
        match = _MOMENT.fullmatch(found)
        if match is None:
            raise RowRejected(column, f"is no date and time: {_shown(found)}")
        day, clock, offset = match.groups()
        try:
            at = datetime.fromisoformat(f"{day}T{clock}")
            at = at.replace(tzinfo=_offset(offset) if offset else zone)
            at = at.astimezone(UTC)
        except (ValueError, OverflowError):
            raise RowRejected(column, f"is no date and time: {_shown(found)}") from None
        if not FIRST_YEAR <= at.year <= LAST_YEAR:
            raise RowRejected(column, f"lies outside the years {FIRST_YEAR} to {LAST_YEAR}: {_shown(found)}")
        return at

    def zone(self, column: str) -> tzinfo:
        """Return the time zone a cell names (abbreviation or IANA name). Raises RowRejected."""
        found = self.required(column)
        hours = _ABBREVIATIONS.get(found.upper())
        if hours is not None:
            return timezone(timedelta(hours=hours))
        try:
            return ZoneInfo(found)
        except (ValueError, OSError, LookupError):
            raise RowRejected(column, f"names no time zone known here: {_shown(found)}") from None


_ABBREVIATIONS = {
    "UTC": 0,
    "GMT": 0,
    "BST": 1,
    "CEST": 2,
    "EDT": -4,
    "EST": -5,
    "CDT": -5,
    "CST": -6,
    "MDT": -6,
    "MST": -7,
    "PDT": -7,
    "PST": -8,
    "SGT": 8,
    "JST": 9,
    "AEST": 10,
    "AEDT": 11,
}
"""Abbreviations that statements use and the IANA database does not know, or knows as something else. CET is not
among them: the database's CET follows summer time, as statements that write CET all year mean it."""


def _offset(text: str) -> tzinfo:
    if text in {"Z", "UTC"}:
        return UTC
    hours, minutes = int(text[1:3]), int(text[-2:])
    span = timedelta(hours=hours, minutes=minutes)
    return timezone(-span if text[0] == "-" else span)


def net_must_be(gross_minor: int, fee_minor: int, net_minor: int, currency: str, column: str, provider: str) -> None:
    """Raise RowRejected unless gross - fee = net."""
    if gross_minor - fee_minor != net_minor:
        gross, fee, net = (format_minor(minor, currency, provider) for minor in (gross_minor, fee_minor, net_minor))
        raise RowRejected(column, f"gross {gross} less fee {fee} is not net {net}")


def _shown(text: str) -> str:
    return repr(text[:40])
