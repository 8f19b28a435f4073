"""How a file writes amounts: which mark is the decimal one, which ones group thousands.

A file is written by one program in one locale, so the decision is taken once, over every amount in it: `1,234` alone
may be a thousand or a bit more than one, `1,234.50` beside it settles the matter. What stays open is refused.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from worker.domain.errors import InvalidStatement
from worker.domain.money import exponent

_SPACES = " \N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}\N{THIN SPACE}"
_MINUS = str.maketrans({"\N{MINUS SIGN}": "-", "\N{NON-BREAKING HYPHEN}": "-"})
_SYMBOL = re.compile(r"^([+-]?)(?:[A-Z]{0,3}[$\u20ac\u00a3\u00a5]) ?|(?<=[0-9]) ?[$\u20ac\u00a3\u00a5]$", re.ASCII)


@dataclass(frozen=True, slots=True)
class Numbers:
    """One way to write amounts."""

    decimal: str = "."
    grouped: bool = False
    """Whether thousands may be grouped, in threes, by the other mark, a space or an apostrophe."""
    symbols: bool = False
    """Whether a currency symbol may stand before or after."""

    def plain(self, text: str) -> str | None:
        """Return an amount as a plain decimal (`-1234.50`), or None when it is not written this way."""
        text = text.translate(_MINUS)
        if self.symbols:
            text = _SYMBOL.sub(r"\1", text, count=1)
        found = _SHAPES[self.decimal, self.grouped].fullmatch(text)
        if found is None:
            return None
        rest = found["rest"]
        return found["sign"] + "".join(filter(str.isdigit, found["whole"])) + (f".{rest}" if rest else "")

    def fits(self, text: str, digits: int) -> bool:
        """Whether an amount of a currency with that many decimals can be meant when `text` is read this way."""
        plain = self.plain(text)
        return plain is not None and len(plain.partition(".")[2]) <= digits


class Deciding:
    """Finds out how a file writes amounts, from all of them; what they look like is held, not the amounts."""

    def __init__(self, provider: str, told: str = "") -> None:
        """`told` insists on a decimal mark."""
        self._provider = provider
        self._told = told
        self._fit = [0, 0]
        """How many amounts make sense with a point for the decimal mark, and with a comma."""
        self._differ = ""
        """The first amount that makes sense in one way alone."""
        self._open = ""
        """The first that makes sense in both, and not the same, before any that does in one."""

    def look(self, text: str, currency: str) -> None:
        """Take the next amount."""
        if self._told or not text:
            return
        point, comma, same = _ways(text.translate(_DIGITS), exponent(currency, self._provider))
        self._fit[0] += point
        self._fit[1] += comma
        if not self._differ and not self._open:
            if point != comma:
                self._differ = text
            elif point and not same:
                self._open = text

    def decided(self) -> Numbers:
        """Return how they are written.

        The mark under which the most amounts make sense; a cell that contradicts it is rejected with its row later.
        Raises InvalidStatement when both would do and would not mean the same.
        """
        if self._told:
            return _POINT if self._told == "." else _COMMA
        point, comma = self._fit
        if point != comma:
            return _POINT if point > comma else _COMMA
        if self._differ:
            raise InvalidStatement(f"amounts are written in two ways, for example {self._differ[:40]!r}; {_ASK}")
        if self._open:
            raise InvalidStatement(
                f"{self._open[:40]!r} may be read in two ways and nothing in the file decides; {_ASK}"
            )
        return _POINT


_POINT, _COMMA = Numbers(".", grouped=True), Numbers(",", grouped=True)
_DIGITS = str.maketrans("123456789", "000000000")


@lru_cache(maxsize=4096)
def _ways(shape: str, digits: int) -> tuple[bool, bool, bool]:
    """Return whether what looks so makes sense with a point, with a comma, and whether both mean the same."""
    return _POINT.fits(shape, digits), _COMMA.fits(shape, digits), _POINT.plain(shape) == _COMMA.plain(shape)


_ASK = "say which mark is the decimal one (--decimal)"


def _shape(decimal: str, *, grouped: bool) -> re.Pattern[str]:
    marks = (",'\u2019" if decimal == "." else ".'\u2019") + _SPACES
    groups = rf"|[0-9]{{1,3}}(?P<mark>[{marks}])[0-9]{{3}}(?:(?P=mark)[0-9]{{3}}){{0,3}}" if grouped else ""
    whole = rf"(?P<whole>[0-9]{{1,13}}{groups})"
    return re.compile(rf"(?P<sign>[+-]?){whole}(?:{re.escape(decimal)}(?P<rest>[0-9]{{1,8}}))?", re.ASCII)


_SHAPES: Mapping[tuple[str, bool], re.Pattern[str]] = {
    (decimal, grouped): _shape(decimal, grouped=grouped) for decimal in ".," for grouped in (False, True)
}
