"""Notes about stuck steps in MySQL, one row a step."""

from dataclasses import asdict
from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, select
from sqlalchemy.dialects.mysql import insert as upsert

from worker.domain.stuck import StuckStep
from worker.repositories.schema import STUCK_STEPS

_INSERT = upsert(STUCK_STEPS)
_NOTE = _INSERT.on_duplicate_key_update(
    {name: _INSERT.inserted[name] for name in ("attempts", "code", "message", "failed_at")}
)
_CLEAR = delete(STUCK_STEPS).where(
    STUCK_STEPS.c.run_id == bindparam("of_run"), STUCK_STEPS.c.step_id == bindparam("of_step")
)
_LISTED = select(STUCK_STEPS).order_by(STUCK_STEPS.c.since, STUCK_STEPS.c.run_id, STUCK_STEPS.c.step_id)
_FORGET = delete(STUCK_STEPS).where(STUCK_STEPS.c.failed_at < bindparam("before"))


class MysqlStuckStore:
    """Implements `StuckStore`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def note(self, step: StuckStep) -> None:
        """Write or renew the note about a step."""
        self._connection.execute(_NOTE, asdict(step))

    def clear(self, run_id: str, step_id: str) -> None:
        """Remove the note about a step, if there is one."""
        self._connection.execute(_CLEAR, {"of_run": run_id, "of_step": step_id})

    def listed(self, limit: int) -> list[StuckStep]:
        """Return the notes, the longest stuck first."""
        return [StuckStep(**row._mapping) for row in self._connection.execute(_LISTED.limit(limit))]  # noqa: SLF001

    def forget(self, before: datetime) -> int:
        """Remove the notes whose step has not been tried since. Return how many."""
        return self._connection.execute(_FORGET, {"before": before}).rowcount
