"""Repair attempts in MySQL. The key is break and number: two workers cannot make the same attempt."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, bindparam, insert, select, update

from worker.domain.finding import Repair
from worker.domain.repair_policy import Attempt, AttemptOutcome
from worker.repositories.insertion import insert_once
from worker.repositories.paging import chunked
from worker.repositories.schema import REPAIR_ATTEMPTS

_CLAIM = insert(REPAIR_ATTEMPTS)
_FINISH = update(REPAIR_ATTEMPTS).where(
    REPAIR_ATTEMPTS.c.break_id == bindparam("of_break"),
    REPAIR_ATTEMPTS.c.attempt == bindparam("of_attempt"),
    REPAIR_ATTEMPTS.c.outcome == AttemptOutcome.CLAIMED.value,
)
_CUT_OFF = select(REPAIR_ATTEMPTS.c.break_id).where(
    REPAIR_ATTEMPTS.c.run_id == bindparam("of_run"), REPAIR_ATTEMPTS.c.outcome == AttemptOutcome.CLAIMED.value
)


class MysqlRepairStore:
    """Implements `RepairStore`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def claim(self, attempt: Attempt) -> bool:
        """Record an attempt that is about to be made; False when its number is taken."""
        values = {
            "break_id": attempt.break_id,
            "attempt": attempt.number,
            "round": attempt.round,
            "repair": attempt.repair.value,
            "run_id": attempt.run_id,
            "event_id": attempt.event_id,
            "claimed_at": attempt.claimed_at,
            "next_at": attempt.next_at,
            "outcome": attempt.outcome.value,
            "detail": attempt.detail,
            "finished_at": attempt.finished_at,
        }
        return insert_once(self._connection, _CLAIM, values)

    def finish(self, done: Attempt) -> bool:
        """Note what became of an attempt, once; False when that was noted before."""
        noted = _FINISH.values(
            outcome=done.outcome.value, detail=done.detail, finished_at=done.finished_at, next_at=done.next_at
        )
        return self._connection.execute(noted, {"of_break": done.break_id, "of_attempt": done.number}).rowcount == 1

    def of_breaks(self, break_ids: Sequence[str]) -> dict[str, list[Attempt]]:
        """Return the attempts of each of these breaks, oldest first; breaks without any are absent."""
        found: defaultdict[str, list[Attempt]] = defaultdict(list)
        for some in chunked(break_ids):
            statement = (
                select(REPAIR_ATTEMPTS)
                .where(REPAIR_ATTEMPTS.c.break_id.in_(some))
                .order_by(REPAIR_ATTEMPTS.c.break_id, REPAIR_ATTEMPTS.c.attempt)
            )
            for row in self._connection.execute(statement):
                found[row.break_id].append(_attempt(row))
        return dict(found)

    def cut_off(self, run_id: str) -> list[str]:
        """Return the breaks whose attempt this run recorded and did not finish."""
        return list(self._connection.execute(_CUT_OFF, {"of_run": run_id}).scalars())


def _attempt(row: Row[Any]) -> Attempt:
    return Attempt(
        break_id=row.break_id,
        number=row.attempt,
        round=row.round,
        repair=Repair(row.repair),
        run_id=row.run_id,
        event_id=row.event_id,
        claimed_at=row.claimed_at,
        next_at=row.next_at,
        outcome=AttemptOutcome(row.outcome),
        detail=row.detail,
        finished_at=row.finished_at,
    )
