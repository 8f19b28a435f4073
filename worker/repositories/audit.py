"""The audit trail in MySQL. Rows are inserted and read; no statement here updates or deletes one.

Records are sealed last thing before a commit: the shop's head is locked, the chain is continued from it, and the lock
goes with the transaction. So writers of one shop queue for that moment only, and no two can continue the same head.

Before schema 0002 the history of breaks stood in `break_actions`. What stands there without a place in the chain (from
before, or written by an older release that still runs beside this one) is taken into the chain by the next seal, in
the order of its ids. So the trail is the one history, whichever releases ran.
"""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, insert, select, update

from worker.domain.audit import AuditEntry, AuditHead, AuditRecord, canonical, chained
from worker.repositories.locks import lock_audit_head
from worker.repositories.many_rows import ManyRows, utc_text
from worker.repositories.paging import CHUNK, chunked, paged
from worker.repositories.schema import AUDIT_HEADS, AUDIT_TRAIL, BREAK_ACTIONS, BREAKS
from worker.services.spool import Spool

CARRIED_AT_ONCE = 2000

_ADD = ManyRows(insert(AUDIT_TRAIL))
_SHOP = AUDIT_TRAIL.c.shop == bindparam("of_shop")
_HEAD = select(AUDIT_HEADS).where(AUDIT_HEADS.c.shop == bindparam("of_shop"))
_MOVE_HEAD = (
    update(AUDIT_HEADS)
    .where(AUDIT_HEADS.c.shop == bindparam("of_shop"))
    .values(sequence=bindparam("reached"), hash=bindparam("sealed"))
)
_SURPLUS = (
    select(AUDIT_TRAIL.c.sequence)
    .where(
        _SHOP,
        AUDIT_TRAIL.c.sequence
        > func.coalesce(
            select(AUDIT_HEADS.c.sequence).where(AUDIT_HEADS.c.shop == bindparam("of_shop")).scalar_subquery(), 0
        ),
    )
    .order_by(AUDIT_TRAIL.c.sequence)
    .limit(1)
)
_LEFT = (
    select(BREAK_ACTIONS)
    .join(BREAKS, BREAKS.c.break_id == BREAK_ACTIONS.c.break_id)
    .where(BREAK_ACTIONS.c.audit_sequence.is_(None), BREAKS.c.shop == bindparam("of_shop"))
    .order_by(BREAK_ACTIONS.c.action_id)
)
_SHOPS_LEFT = (
    select(BREAKS.c.shop)
    .join(BREAK_ACTIONS, BREAKS.c.break_id == BREAK_ACTIONS.c.break_id)
    .where(BREAK_ACTIONS.c.audit_sequence.is_(None))
    .distinct()
)
_PLACED = (
    update(BREAK_ACTIONS)
    .where(BREAK_ACTIONS.c.action_id == bindparam("of_action"))
    .values(audit_sequence=bindparam("place"))
)


class MysqlAuditTrail:
    """Implements `AuditTrail`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._waiting: dict[str, Spool[AuditRecord]] = {}

    def append(self, shop: str, record: AuditRecord) -> None:
        """Add a record to the shop's chain when the transaction commits."""
        self._waiting.setdefault(shop, Spool()).add(record)

    def seal(self) -> None:
        """Continue the chains with what was appended. The last thing that a transaction does."""
        for shop in sorted(self._waiting):
            head = self._carry_over(shop, lock_audit_head(self._connection, shop))
            waiting = iter(self._waiting[shop])
            while some := list(islice(waiting, CHUNK)):
                head = self._write(shop, chained(shop, head, some))
        self._waiting.clear()

    def carry_over(self) -> int:
        """Take what earlier releases left into the chains of all shops; return how many actions that were."""
        before = self._connection.execute(select(func.count()).where(BREAK_ACTIONS.c.audit_sequence.is_(None)))
        for shop in sorted(self._connection.execute(_SHOPS_LEFT).scalars()):
            self._carry_over(shop, lock_audit_head(self._connection, shop))
        return before.scalar_one()

    def head(self, shop: str) -> AuditHead:
        """Return where the chain is noted to end."""
        row = self._connection.execute(_HEAD, {"of_shop": shop}).one_or_none()
        return AuditHead() if row is None else AuditHead(sequence=row.sequence, hash=row.hash)

    def entries(self, shop: str, *, upto: int) -> Iterator[AuditEntry]:
        """Stream the entries up to a sequence, oldest first."""
        statement = select(AUDIT_TRAIL).where(AUDIT_TRAIL.c.shop == shop, AUDIT_TRAIL.c.sequence <= upto)
        return (_entry(row) for row in paged(self._connection, statement, [AUDIT_TRAIL.c.sequence]))

    def surplus(self, shop: str) -> int | None:
        """Return the first sequence beyond the noted head, or None; told by one statement, so appends do not matter."""
        return self._connection.execute(_SURPLUS, {"of_shop": shop}).scalar_one_or_none()

    def listed(
        self, shop: str, *, subject: str | None, actor: str | None, action: str | None, limit: int
    ) -> list[AuditEntry]:
        """Return the newest entries that fit, newest first."""
        statement = select(AUDIT_TRAIL).where(AUDIT_TRAIL.c.shop == shop)
        for column, wanted in (
            (AUDIT_TRAIL.c.subject, subject),
            (AUDIT_TRAIL.c.actor, actor),
            (AUDIT_TRAIL.c.action, action),
        ):
            if wanted is not None:
                statement = statement.where(column == wanted)
        newest = statement.order_by(AUDIT_TRAIL.c.sequence.desc()).limit(limit)
        return [_entry(row) for row in self._connection.execute(newest)]

    def about(self, subjects: Sequence[str]) -> dict[str, list[AuditEntry]]:
        """Return the entries about each subject, oldest first; a subject without any is absent."""
        found: dict[str, list[AuditEntry]] = {}
        for some in chunked(subjects):
            of_some = select(AUDIT_TRAIL).where(AUDIT_TRAIL.c.subject.in_(some))
            for row in self._connection.execute(of_some.order_by(AUDIT_TRAIL.c.shop, AUDIT_TRAIL.c.sequence)):
                found.setdefault(row.subject, []).append(_entry(row))
        return found

    def unsealed(self, shop: str) -> int:
        """Return how many actions an earlier release left outside the chain."""
        left = _LEFT.with_only_columns(func.count(), maintain_column_froms=True).order_by(None)
        return self._connection.execute(left, {"of_shop": shop}).scalar_one()

    def _carry_over(self, shop: str, head: AuditHead) -> AuditHead:
        """Take what earlier releases left into the chain; return the new head. The head must be locked."""
        while True:
            rows = self._connection.execute(_LEFT.limit(CARRIED_AT_ONCE), {"of_shop": shop}).all()
            if not rows:
                return head
            entries = chained(shop, head, [_carried(row) for row in rows])
            head = self._write(shop, entries)
            places = [
                {"of_action": row.action_id, "place": entry.sequence} for row, entry in zip(rows, entries, strict=True)
            ]
            self._connection.execute(_PLACED, places)

    def _write(self, shop: str, entries: Sequence[AuditEntry]) -> AuditHead:
        for some in chunked(entries):
            _ADD.execute(self._connection, [_row(entry) for entry in some])
        last = entries[-1]
        self._connection.execute(_MOVE_HEAD, {"of_shop": shop, "reached": last.sequence, "sealed": last.hash})
        return AuditHead(sequence=last.sequence, hash=last.hash)


def _carried(row: Row[Any]) -> AuditRecord:
    return AuditRecord(
        at=row.happened_at,
        actor=row.actor,
        action=row.action,
        subject=f"break/{row.break_id}",
        run_id=row.run_id,
        detail=canonical({"carried": row.action_id} | ({"detail": row.detail} if row.detail else {})),
    )


def _row(entry: AuditEntry) -> dict[str, Any]:
    record = entry.record
    return {
        "shop": entry.shop,
        "sequence": entry.sequence,
        "happened_at": utc_text(record.at),
        "actor": record.actor,
        "action": record.action,
        "subject": record.subject,
        "run_id": record.run_id,
        "detail": record.detail,
        "previous_hash": entry.previous_hash,
        "hash": entry.hash,
    }


def _entry(row: Row[Any]) -> AuditEntry:
    record = AuditRecord(
        at=row.happened_at,
        actor=row.actor,
        action=row.action,
        subject=row.subject,
        run_id=row.run_id,
        detail=row.detail,
    )
    return AuditEntry(
        shop=row.shop, sequence=row.sequence, record=record, previous_hash=row.previous_hash, hash=row.hash
    )
