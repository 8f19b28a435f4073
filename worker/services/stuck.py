"""Keeping note of steps that do not get on, for people to see."""

from datetime import timedelta

from worker.domain.stuck import StuckStep
from worker.services.ports import Clock, Database, Transaction

FORGOTTEN_AFTER = timedelta(days=1)
"""A step that still runs is tried every hour at least; a note that is older belongs to a workflow that was ended."""


class StuckSteps:
    """The notes. `after` is how long a step may fail before anybody needs to know."""

    def __init__(self, database: Database, clock: Clock, after: timedelta) -> None:
        self._database = database
        self._clock = clock
        self.after = after

    def failed(self, step: StuckStep) -> None:
        """Note a step that has failed for too long. Raises DatabaseUnavailable."""
        self._database.transact(lambda tx: tx.stuck.note(step))

    def got_on(self, run_id: str, step_id: str) -> None:
        """Remove the note about a step that has ended, well or not. Raises DatabaseUnavailable."""
        self._database.transact(lambda tx: tx.stuck.clear(run_id, step_id))

    def listed(self, limit: int) -> list[StuckStep]:
        """Return the steps that are stuck now, the longest first. Raises DatabaseUnavailable."""
        before = self._clock.now() - FORGOTTEN_AFTER

        def read(tx: Transaction) -> list[StuckStep]:
            tx.stuck.forget(before)
            return tx.stuck.listed(limit)

        return self._database.transact(read)
