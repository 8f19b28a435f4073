"""Open breaks with what was done about them, in the order in which a report lists them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from worker.domain.finding import OPEN_STATUSES, Break
from worker.services.ports import BreakAction
from worker.services.spool import Spool

Followed = tuple[Break, tuple[BreakAction, ...]]
"""An open break and what was done about it, as far as that was read."""


class OpenBreaks:
    """Any number of them: by currency, the largest amount at risk first, then the oldest."""

    def __init__(self, followed: Iterable[Followed]) -> None:
        self.followed: Spool[Followed] = Spool(followed, key=by_amount)

    @classmethod
    def of(cls, breaks: Iterable[Break], history: Mapping[str, Sequence[BreakAction]]) -> "OpenBreaks":
        """Take the open ones among some breaks; `history` by their ids."""
        return cls((item, tuple(history.get(item.break_id, ()))) for item in breaks if item.status in OPEN_STATUSES)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.followed)

    def __iter__(self) -> Iterator[Break]:
        """Return them in their order."""
        return (item for item, _ in self.followed)


def by_amount(one: Followed) -> tuple[str, int, datetime, str]:
    """Return a break's place in that order."""
    item = one[0]
    return (item.finding.currency, -item.finding.at_risk_minor, item.first_movement_at, item.break_id)
