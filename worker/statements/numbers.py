"""How a file writes amounts: which mark is the decimal one, which ones group thousands.

A file is written by one program in one locale, so the decision is taken once, over every amount in it: `1,234` alone
may be a thousand or a bit more than one, `1,234.50` beside it settles the matter. What stays open is refused.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

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


def decide(amounts: Iterable[tuple[str, str]], provider: str, told: str = "") -> Numbers:
    """Return how the (text, currency) pairs of a file are written; `told` insists on a decimal mark.

    The mark under which the most amounts make sense; a cell that contradicts it is rejected with its row later.
    Raises InvalidStatement when both would do and would not mean the same.
    """
    point, comma = Numbers(".", grouped=True), Numbers(",", grouped=True)
    if told:
        return point if told == "." else comma
    cells = [(text, exponent(currency, provider)) for text, currency in amounts if text]
    fit = {numbers: [numbers.fits(text, digits) for text, digits in cells] for numbers in (point, comma)}
    if sum(fit[point]) != sum(fit[comma]):
        return max(fit, key=lambda numbers: sum(fit[numbers]))
    for (text, _), *both in zip(cells, fit[point], fit[comma], strict=True):
        if both[0] != both[1]:
            raise InvalidStatement(f"amounts are written in two ways, for example {text[:40]!r}; {_ASK}")
        if both[0] and point.plain(text) != comma.plain(text):
            raise InvalidStatement(f"{text[:40]!r} may be read in two ways and nothing in the file decides; {_ASK}")
    return point


_ASK = "say which mark is the decimal one (--decimal)"


def _shape(decimal: str, *, grouped: bool) -> re.Pattern[str]:
    marks = (",'\u2019" if decimal == "." else ".'\u2019") + _SPACES
    groups = rf"|[0-9]{{1,3}}(?P<mark>[{marks}])[0-9]{{3}}(?:(?P=mark)[0-9]{{3}}){{0,3}}" if grouped else ""
    whole = rf"(?P<whole>[0-9]{{1,13}}{groups})"
    return re.compile(rf"(?P<sign>[+-]?){whole}(?:{re.escape(decimal)}(?P<rest>[0-9]{{1,8}}))?", re.ASCII)


_SHAPES: Mapping[tuple[str, bool], re.Pattern[str]] = {
    (decimal, grouped): _shape(decimal, grouped=grouped) for decimal in ".," for grouped in (False, True)
}
