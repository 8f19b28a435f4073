"""The books as numbers: what the exporters of figures ask MySQL, in few and cheap questions."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from worker.observability.figures import Account, LastRun, Moved, OpenBreaks


class FigureStore(Protocol):
    """Sums and counts. Every question is served by an index, or reads no more than its arguments bound."""

    def last_entry(self) -> int:
        """Return the number of the newest book entry; 0 when there is none."""
        ...

    def moved(self, after: int, upto: int) -> dict[Account, Moved]:
        """Return what the book entries with these numbers moved: above `after`, up to `upto`."""
        ...

    def orders(self, shops: Sequence[str], states: Sequence[str]) -> dict[tuple[str, str], int]:
        """Return how many orders of the shops stand in each of the states; those without any are absent."""
        ...

    def open_breaks(self, shops: Sequence[str], edges: Mapping[str, datetime]) -> list[OpenBreaks]:
        """Return the open breaks of the shops, summed. `edges`: from when on a break is of this age, youngest first."""
        ...

    def waiting_events(self) -> tuple[int, datetime | None]:
        """Return how many events nothing has become of yet, and when the oldest of them came in."""
        ...

    def events(self, outcomes: Sequence[str], since: datetime) -> dict[str, int]:
        """Return how many events that came in since have one of these outcomes; absent: none."""
        ...

    def runs(self, shops: Sequence[str], since: datetime) -> dict[tuple[str, str, str], int]:
        """Return how many reconciliations began since then, by shop, provider and verdict."""
        ...

    def last_runs(self, shops: Sequence[str], since: datetime) -> list[LastRun]:
        """Return the newest finished one of each shop and provider among those that began since then."""
        ...
