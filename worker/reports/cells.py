"""Tables as files take them: what a column holds, said once, and cells that need no look at what they are.

A report has rows by the thousand of some thirty cells each, and every format writes them: which texts came from outside,
which numbers are amounts and which times there are is known by column.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from enum import Enum, auto

Cell = str | int | datetime | None


class Holds(Enum):
    """What the cells of a column are, where they are not empty."""

    WORD = auto()
    """One of few words of ours."""
    TEXT = auto()
    """A text as it came: it must be guarded."""
    NUMBER = auto()
    """An integer; an amount in minor units, too."""
    AMOUNT = auto()
    """The decimal of the column of the same name and `_minor`, in the `currency` of its row."""
    TIME = auto()
    """An aware time."""


Columns = Mapping[str, Holds]
"""By name, in their order."""

_FORMULA = re.compile(r" *[=+\-@\t\r\n|%]")


def risky(text: str) -> bool:
    """Tell whether a spreadsheet may take `text` for a formula."""
    return _FORMULA.match(text) is not None


def guarded(text: str) -> str:
    """Return `text` so that no spreadsheet takes it for a formula: an apostrophe goes before a risky start."""
    return f"'{text}" if _FORMULA.match(text) else text


def placed(columns: Columns, held: Holds) -> list[int]:
    """Return where the columns are that hold this."""
    return [index for index, one in enumerate(columns.values()) if one is held]
