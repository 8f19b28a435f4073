"""Notes about steps that do not get on."""

from datetime import datetime
from typing import Protocol

from worker.domain.stuck import StuckStep


class StuckStore(Protocol):
    """The notes, one for each step that keeps failing."""

    def note(self, step: StuckStep) -> None:
        """Write or renew the note about a step."""
        ...

    def clear(self, run_id: str, step_id: str) -> None:
        """Remove the note about a step, if there is one."""
        ...

    def listed(self, limit: int) -> list[StuckStep]:
        """Return the notes, the longest stuck first."""
        ...

    def forget(self, before: datetime) -> int:
        """Remove the notes whose step has not been tried since: its workflow was ended. Return how many."""
        ...
