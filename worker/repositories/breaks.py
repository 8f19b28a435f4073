"""Breaks and their history in MySQL. The history is append-only; a break's identity is never rewritten."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, bindparam, insert, select
from sqlalchemy.dialects.mysql import insert as upsert

from worker.domain.finding import OPEN_STATUSES, Break, BreakStatus, RepairState
from worker.repositories.finding_codec import decode_finding, encode_finding
from worker.repositories.paging import chunked, paged
from worker.repositories.schema import BREAK_ACTIONS, BREAKS
from worker.services.ports import BreakAction

_OPEN = sorted(status.value for status in OPEN_STATUSES)
_INSERT = upsert(BREAKS)
_SAVE = _INSERT.on_duplicate_key_update(
    {
        column.name: _INSERT.inserted[column.name]
        for column in BREAKS.columns
        if column.name not in {"break_id", "shop", "provider"}
    }
)
_APPEND = insert(BREAK_ACTIONS)
_GET = select(BREAKS).where(BREAKS.c.break_id == bindparam("of_break"))
_HISTORY = (
    select(BREAK_ACTIONS).where(BREAK_ACTIONS.c.break_id == bindparam("of_break")).order_by(BREAK_ACTIONS.c.action_id)
)


class MysqlBreakStore:
    """Implements `BreakStore`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def open(self, shop: str, provider: str) -> list[Break]:
        """Return the open breaks, oldest first."""
        statement = select(BREAKS).where(
            BREAKS.c.shop == shop, BREAKS.c.provider == provider, BREAKS.c.status.in_(_OPEN)
        )
        rows = paged(self._connection, statement, [BREAKS.c.first_seen_at, BREAKS.c.break_id])
        return [_break(row) for row in rows]

    def by_ids(self, break_ids: Sequence[str]) -> dict[str, Break]:
        """Return the named breaks, whatever their status; unknown ids are absent."""
        found: dict[str, Break] = {}
        for some in chunked(break_ids):
            rows = self._connection.execute(select(BREAKS).where(BREAKS.c.break_id.in_(some)))
            found |= {row.break_id: _break(row) for row in rows}
        return found

    def save(self, item: Break, action: BreakAction | None) -> None:
        """Insert or update a break and append to its history."""
        finding = item.finding
        values = {
            "break_id": item.break_id,
            "shop": item.shop,
            "provider": item.provider,
            "status": item.status.value,
            "leg": finding.leg.value,
            "kind": finding.kind.value,
            "currency": finding.currency,
            "order_id": finding.order_id,
            "at_risk_minor": finding.at_risk_minor,
            "first_seen_at": item.first_seen_at,
            "last_seen_at": item.last_seen_at,
            "first_movement_at": item.first_movement_at,
            "runs_seen": item.runs_seen,
            "repair_state": str(item.repair_state),
            "repair_attempts": item.repair_attempts,
            "repair_next_at": item.repair_next_at,
            "repair_round": item.repair_round,
            "resolved_at": item.resolved_at,
            "resolution": item.resolution,
            "finding": encode_finding(finding),
        }
        self._connection.execute(_SAVE, values)
        if action is not None:
            line = {
                "break_id": item.break_id,
                "happened_at": action.at,
                "actor": action.actor,
                "action": action.action,
                "run_id": action.run_id,
                "detail": action.detail,
            }
            self._connection.execute(_APPEND, line)

    def get(self, break_id: str) -> Break | None:
        """Return one break or None."""
        row = self._connection.execute(_GET, {"of_break": break_id}).one_or_none()
        return None if row is None else _break(row)

    def history(self, break_id: str) -> list[BreakAction]:
        """Return the history of a break, oldest first."""
        rows = self._connection.execute(_HISTORY, {"of_break": break_id})
        return [
            BreakAction(at=row.happened_at, actor=row.actor, action=row.action, run_id=row.run_id, detail=row.detail)
            for row in rows
        ]

    def listed(self, shop: str | None, *, status: str | None, limit: int) -> list[Break]:
        """Return breaks, largest amount at risk first; `status` may be `open`, or one of BreakStatus."""
        statement = select(BREAKS)
        if shop is not None:
            statement = statement.where(BREAKS.c.shop == shop)
        if status is not None:
            statement = statement.where(BREAKS.c.status.in_(_OPEN if status == "open" else [status]))
        largest = statement.order_by(BREAKS.c.at_risk_minor.desc(), BREAKS.c.break_id.desc()).limit(limit)
        return [_break(row) for row in self._connection.execute(largest)]


def _break(row: Row[Any]) -> Break:
    return Break(
        break_id=row.break_id,
        shop=row.shop,
        provider=row.provider,
        finding=decode_finding(row.finding),
        status=BreakStatus(row.status),
        first_seen_at=row.first_seen_at,
        last_seen_at=row.last_seen_at,
        first_movement_at=row.first_movement_at,
        runs_seen=row.runs_seen,
        repair_state=RepairState(row.repair_state),
        repair_attempts=row.repair_attempts,
        repair_next_at=row.repair_next_at,
        repair_round=row.repair_round,
        resolved_at=row.resolved_at,
        resolution=row.resolution,
    )
