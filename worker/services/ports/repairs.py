"""The store of repair attempts."""

from collections.abc import Sequence
from typing import Protocol

from worker.domain.repair_policy import Attempt


class RepairStore(Protocol):
    """Attempts to repair breaks: recorded before they are made, one by one, never removed."""

    def claim(self, attempt: Attempt) -> bool:
        """Record an attempt that is about to be made; False when its number is taken."""
        ...

    def finish(self, done: Attempt) -> bool:
        """Note what became of an attempt, once; False when that was noted before."""
        ...

    def of_breaks(self, break_ids: Sequence[str]) -> dict[str, list[Attempt]]:
        """Return the attempts of each of these breaks, oldest first; breaks without any are absent."""
        ...

    def cut_off(self, run_id: str) -> list[str]:
        """Return the breaks whose attempt this run recorded and did not finish."""
        ...
