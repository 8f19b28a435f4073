"""What a person tells about a file where the file itself leaves it open."""

from dataclasses import dataclass
from enum import StrEnum


class DateOrder(StrEnum):
    """How a date of two small numbers reads."""

    DAY_FIRST = "day-first"
    MONTH_FIRST = "month-first"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What was told; empty and None leave the decision to the file."""

    shop: str = ""
    """Ours: order ids that the file ascribes to another shop are left out."""
    dates: DateOrder | None = None
    decimal: str = ""
    """`.` or `,`."""
    account: str = ""
    """The bank account of a bank file that names none."""
