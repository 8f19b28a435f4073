"""One row of a statement, its cells by column name. A cell that cannot be read rejects its row, with a reason.

Numbers and times are read strictly: what a lenient reader would guess (`1,234`, `1e5`, a date without a time)
is refused, because a guess about money is an error nobody sees.
"""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import TypeVar
from zoneinfo import ZoneInfo

from worker.domain.errors import InvalidInput
from worker.domain.money import exponent, format_minor, parse_major
from worker.statements.numbers import Numbers

LONGEST = 128
"""Characters of an id, as the database holds it."""
LONGEST_TEXT = 1000
"""Characters of a free text that are kept."""
FIRST_YEAR, LAST_YEAR = 1990, 2099
"""Beyond them a date is a slip, not a payment."""
PLAIN = Numbers()
"""A decimal point, no thousands separators: what a program writes that wants to be read by programs."""
_MOMENT = re.compile(
    r"(\d{4})([-/])(\d{1,2})\2(\d{1,2})[ T](\d{2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?) ?(Z|UTC|[+-]\d{2}:?\d{2})?", re.ASCII
)
_DAY = re.compile(r"(\d{4})[-/](\d{1,2})[-/](\d{1,2})(?![\d])", re.ASCII)
WRITTEN = Numbers(grouped=True, symbols=True)
"""As people write them: thousands grouped, a currency symbol before or after."""
_WHOLE = 14
"""Digits before the decimal mark from which an amount is none."""
# What a file says again and again: its currencies, fees, and an amount that is looked at for the line and for a check.
_digits_of = lru_cache(maxsize=1024)(exponent)
_plain_of = lru_cache(maxsize=1024)(Numbers.plain)
_minor_of = lru_cache(maxsize=1024)(parse_major)
_OFFSET = re.compile(r"(?:GMT|UTC)?([+-]\d{2}:?[0-5]\d)", re.ASCII)
T = TypeVar("T", datetime, date)
_CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)


class RowRejected(Exception):
    """A row cannot be read; stays inside this package and becomes a `RejectedRow`."""

    def __init__(self, column: str, reason: str) -> None:
        super().__init__(reason)
        self.column = column
        self.reason = reason


class Cells:
    """The cells of one row. `columns` maps lower-case names to positions; `line` is where the row starts in its file."""

    def __init__(self, columns: Mapping[str, int], cells: tuple[str, ...], provider: str, line: int = 0) -> None:
        self.line = line
        self.numbers = PLAIN
        """How the file writes amounts; set once a format has looked at all of them."""
        self._columns = columns
        self._cells = cells
        self._provider = provider

    def has(self, column: str) -> bool:
        """Whether the file has such a column."""
        return column in self._columns

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

    def passage(self, column: str) -> str:
        """Return a free text: at most as long as the database holds, spaces in one piece, without control characters."""
        return passage(self.text(column))

    def currency(self, column: str) -> str:
        """Return an ISO 4217 code in capitals. Raises RowRejected."""
        found = self.text(column).upper()
        if not _CURRENCY.fullmatch(found):
            raise RowRejected(column, f"is no currency: {shown(found)}")
        return found

    def country(self, column: str) -> str:
        """Return a two-letter country code in capitals; what is none is left out, since only fee schedules look at it."""
        found = self.text(column).upper()
        return found if len(found) == 2 and found.isascii() and found.isalpha() else ""

    def seen_as(self, column: str, currency: str, gross_minor: int) -> int:
        """Return what the customer saw, signed as the gross amount is: some files leave its sign out. Raises RowRejected."""
        found = self.amount(column, currency, required=True, numbers=WRITTEN)
        return -abs(found) if gross_minor < 0 else abs(found)

    def amount(self, column: str, currency: str, *, required: bool = False, numbers: Numbers | None = None) -> int:
        """Return a decimal in major units as minor units; an empty cell is 0 unless `required`. Raises RowRejected."""
        found = self.text(column)
        if not found and not required:
            return 0
        numbers = numbers or self.numbers
        # Nearly all are digits and a mark: a tenth of what the strict reading below takes, of which it is a part.
        whole, mark, rest = found.removeprefix("-").partition(numbers.decimal)
        if whole.isdecimal() and (rest.isdecimal() or not mark) and found.isascii() and len(whole) < _WHOLE:
            digits = _digits_of(currency, self._provider)
            if len(rest) <= digits:
                minor = int(whole + rest.ljust(digits, "0"))
                return -minor if found[0] == "-" else minor
        plain = _plain_of(numbers, found)
        if plain is None:
            raise RowRejected(column, f"is no decimal amount: {shown(found)}")
        try:
            return _minor_of(plain.removeprefix("+"), currency, self._provider)
        except InvalidInput as error:
            raise RowRejected(column, str(error)) from None

    def moment(self, column: str, zone: tzinfo = UTC) -> datetime:
        """Return a date and time as UTC; `zone` holds where the cell names none. Raises RowRejected."""
        found = self.text(column)
        offset = ""
        try:
            if len(found) == 19 and found[4] == found[7] == "-" and found[13] == found[16] == ":" and found[10] in " T":
                at = datetime.fromisoformat(found)
            else:
                match = _MOMENT.fullmatch(found)
                if match is None:
                    raise ValueError
                year, _, month, day, clock, offset = match.groups()
                at = datetime.fromisoformat(f"{year}-{month:0>2}-{day:0>2}T{clock}")
            at = at.replace(tzinfo=_offset(offset) if offset else zone)
            if at.tzinfo is not UTC:
                at = at.astimezone(UTC)
        except (ValueError, OverflowError):
            raise RowRejected(column, f"is no date and time: {shown(found)}") from None
        return self.within(column, at)

    def day(self, column: str) -> date:
        """Return a date, year first; a time behind it is left aside. Raises RowRejected."""
        found = self.text(column)
        match = _DAY.match(found)
        try:
            if match is None:
                raise ValueError
            at = date(*map(int, match.groups()))
        except ValueError:
            raise RowRejected(column, f"is no date: {shown(found)}") from None
        return self.within(column, at)

    def midnight(self, column: str) -> datetime | None:
        """Return a date as its first moment in UTC, None where the cell is empty. Raises RowRejected."""
        if not self.text(column):
            return None
        return datetime.combine(self.day(column), time(), UTC)

    @staticmethod
    def within(column: str, at: T) -> T:
        """Return a time that can be meant. Raises RowRejected."""
        if not FIRST_YEAR <= at.year <= LAST_YEAR:
            raise RowRejected(column, f"lies outside the years {FIRST_YEAR} to {LAST_YEAR}: {shown(str(at))}")
        return at

    def zone(self, column: str) -> tzinfo:
        """Return the time zone a cell names (abbreviation or IANA name). Raises RowRejected."""
        found = self.required(column)
        zone = zone_named(found)
        if zone is None:
            raise RowRejected(column, f"names no time zone known here: {shown(found)}")
        return zone


@lru_cache(maxsize=256)
def zone_named(text: str) -> tzinfo | None:
    """Return the time zone of an abbreviation, an offset or an IANA name; None where there is none."""
    hours = _ABBREVIATIONS.get(text.upper())
    if hours is not None:
        return timezone(timedelta(hours=hours))
    offset = _OFFSET.fullmatch(text)
    if offset is not None and int(offset[1][1:3]) < 24:
        return _offset(offset[1])
    try:
        return ZoneInfo(text)
    except (ValueError, OSError, LookupError):
        return None


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


@lru_cache(maxsize=256)
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


def passage(text: str, longest: int = LONGEST_TEXT) -> str:
    """Return the beginning of a free text, spaces in one piece, without control characters."""
    found = "".join(letter if letter.isprintable() else " " for letter in text[: 2 * longest])
    return " ".join(found.split())[:longest]


def shown(text: str) -> str:
    """Return a cell as a message quotes it: its beginning, with what cannot be printed escaped."""
    return repr(text[:40])
