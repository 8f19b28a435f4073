"""Breaks in MySQL, and their history in the audit trail. A break's identity is never rewritten."""

import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, bindparam, select
from sqlalchemy.dialects.mysql import insert as upsert

from worker.domain.audit import AuditEntry, AuditRecord, canonical_text
from worker.domain.finding import OPEN_STATUSES, Break, BreakStatus, RepairState, SettledAs, Settlement
from worker.domain.finding_codec import decode_finding, finding_text
from worker.repositories.audit import MysqlAuditTrail
from worker.repositories.many_rows import ManyRows, json_text, utc_text, utc_text_or_none
from worker.repositories.paging import CHUNK, DOCUMENTS, chunked, paged
from worker.repositories.schema import BREAK_ACTIONS, BREAKS
from worker.services.ports import BreakAction

_OPEN = sorted(status.value for status in OPEN_STATUSES)
_INSERT = upsert(BREAKS)
_SAVE = ManyRows(
    _INSERT.on_duplicate_key_update(
        {
            column.name: _INSERT.inserted[column.name]
            for column in BREAKS.columns
            if column.name not in {"break_id", "shop", "provider"}
        }
    )
)
_GET = select(BREAKS).where(BREAKS.c.break_id == bindparam("of_break"))
_SUBJECT = "break/"


class MysqlBreakStore:
    """Implements `BreakStore`."""

    def __init__(self, connection: Connection, audit: MysqlAuditTrail) -> None:
        self._connection = connection
        self._audit = audit

    def open(self, shop: str, provider: str) -> list[Break]:
        """Return the open breaks, oldest first."""
        return list(self.each_open(shop, provider))

    def each_open(self, shop: str, provider: str) -> Iterator[Break]:
        """Stream the open breaks, oldest first."""
        statement = select(BREAKS).where(
            BREAKS.c.shop == shop, BREAKS.c.provider == provider, BREAKS.c.status.in_(_OPEN)
        )
        return map(_break, paged(self._connection, statement, [BREAKS.c.first_seen_at, BREAKS.c.break_id], DOCUMENTS))

    def by_ids(self, break_ids: Sequence[str]) -> dict[str, Break]:
        """Return the named breaks, whatever their status; unknown ids are absent."""
        found: dict[str, Break] = {}
        for some in chunked(break_ids):
            rows = self._connection.execute(select(BREAKS).where(BREAKS.c.break_id.in_(some)))
            found |= {row.break_id: _break(row) for row in rows}
        return found

    def lapsed(self, shop: str, provider: str, now: datetime) -> list[Break]:
        """Return the breaks whose time of being ignored has ended."""
        statement = select(BREAKS).where(
            BREAKS.c.shop == shop,
            BREAKS.c.provider == provider,
            BREAKS.c.ignored_until <= now,
            BREAKS.c.status == BreakStatus.RESOLVED.value,
        )
        return [_break(row) for row in self._connection.execute(statement.order_by(BREAKS.c.break_id))]

    def save(self, item: Break, action: BreakAction | None) -> None:
        """Insert or update a break and append to its history (the audit trail of its shop)."""
        self.save_all([(item, action, "")])

    def save_all(self, items: Iterable[tuple[Break, BreakAction | None, str]]) -> None:
        """Do as `save` does for each, in few statements; each with the text of its finding, where that is known."""
        left = iter(items)
        while some := list(islice(left, CHUNK)):
            _SAVE.execute(self._connection, [_values(item, text) for item, _, text in some])
            for item, action, _ in some:
                if action is not None:
                    self._audit.append(item.shop, record_of(item, action))

    def get(self, break_id: str) -> Break | None:
        """Return one break or None."""
        row = self._connection.execute(_GET, {"of_break": break_id}).one_or_none()
        return None if row is None else _break(row)

    def history(self, break_id: str) -> list[BreakAction]:
        """Return the history of a break, oldest first."""
        return self.histories([break_id]).get(break_id, [])

    def histories(self, break_ids: Sequence[str]) -> dict[str, list[BreakAction]]:
        """Return the histories of breaks, oldest first; one without any is absent."""
        found: dict[str, list[BreakAction]] = {}
        for subject, entries in self._audit.about([_SUBJECT + break_id for break_id in break_ids]).items():
            found[subject.removeprefix(_SUBJECT)] = [_action(entry) for entry in entries]
        for some in chunked(break_ids):
            # What an older release wrote beside this one, and no append has taken into the trail yet.
            left = select(BREAK_ACTIONS).where(
                BREAK_ACTIONS.c.break_id.in_(some), BREAK_ACTIONS.c.audit_sequence.is_(None)
            )
            for row in self._connection.execute(left.order_by(BREAK_ACTIONS.c.action_id)):
                action = BreakAction(
                    at=row.happened_at, actor=row.actor, action=row.action, run_id=row.run_id, detail=row.detail
                )
                found[row.break_id] = sorted([*found.get(row.break_id, ()), action], key=lambda one: one.at)
        return found

    def listed(
        self,
        shop: str | None,
        *,
        status: str | None,
        limit: int,
        owner: str | None = None,
        provider: str | None = None,
        order_id: str | None = None,
    ) -> list[Break]:
        """Return breaks, largest amount at risk first.

        `status` is one of BreakStatus, or `open`, `settled` (by a person), `ignored`; `owner` may be empty for nobody.
        """
        statement = select(BREAKS)
        exactly = (
            (BREAKS.c.shop, shop),
            (BREAKS.c.owner, owner),
            (BREAKS.c.provider, provider),
            (BREAKS.c.order_id, order_id),
        )
        for column, wanted in exactly:
            if wanted is not None:
                statement = statement.where(column == wanted)
        if status is not None:
            statement = statement.where(_of_status(status))
        largest = statement.order_by(BREAKS.c.at_risk_minor.desc(), BREAKS.c.break_id.desc()).limit(limit)
        return [_break(row) for row in self._connection.execute(largest)]


def _values(item: Break, text: str) -> dict[str, Any]:
    finding, settlement = item.finding, item.settlement
    return {
        "break_id": item.break_id,
        "shop": item.shop,
        "provider": item.provider,
        "status": item.status.value,
        "leg": finding.leg.value,
        "kind": finding.kind.value,
        "currency": finding.currency,
        "order_id": finding.order_id,
        "at_risk_minor": finding.at_risk_minor,
        "first_seen_at": utc_text(item.first_seen_at),
        "last_seen_at": utc_text(item.last_seen_at),
        "first_movement_at": utc_text(item.first_movement_at),
        "runs_seen": item.runs_seen,
        "repair_state": str(item.repair_state),
        "repair_attempts": item.repair_attempts,
        "repair_next_at": utc_text_or_none(item.repair_next_at),
        "repair_round": item.repair_round,
        "resolved_at": utc_text_or_none(item.resolved_at),
        "resolution": item.resolution,
        "finding": text or finding_text(finding),
        "owner": item.owner,
        "settled_as": "" if settlement is None else settlement.how.value,
        "settled_by": "" if settlement is None else settlement.by,
        "settled_at": None if settlement is None else utc_text(settlement.at),
        "ignored_until": None if settlement is None else utc_text_or_none(settlement.until),
        "links": json_text(list(item.links)) if item.links else None,
        "revision": item.revision,
    }


def _of_status(status: str) -> ColumnElement[bool]:
    if status == "open":
        return BREAKS.c.status.in_(_OPEN)
    if status in {"settled", "ignored"}:
        ways = [SettledAs.IGNORED] if status == "ignored" else list(SettledAs)
        return (BREAKS.c.status == BreakStatus.RESOLVED.value) & BREAKS.c.settled_as.in_([way.value for way in ways])
    return BREAKS.c.status == status


def record_of(item: Break, action: BreakAction) -> AuditRecord:
    """Return the entry of an action; it says what the break was after it, so that later evidence cannot change that."""
    finding = item.finding
    told = (("detail", action.detail), ("reason", action.reason), ("row", action.row))
    # As `canonical` would write it, which takes three times as long.
    after = (
        f'{{"at_risk_minor":{finding.at_risk_minor},"currency":{canonical_text(finding.currency)},'
        f'"kind":"{finding.kind}","ours_minor":{finding.ours_minor},"status":"{item.status}",'
        f'"theirs_minor":{finding.theirs_minor}}}'
    )
    return AuditRecord(
        at=action.at,
        actor=action.actor,
        action=action.action,
        subject=_SUBJECT + item.break_id,
        run_id=action.run_id,
        detail="".join(
            (
                f'{{"break":{after}',
                *(f',"{name}":{canonical_text(text)}' for name, text in told if text),
                "}",
            )
        ),
    )


def _action(entry: AuditEntry) -> BreakAction:
    record = entry.record
    try:
        told = json.loads(record.detail)
    except ValueError:
        # Somebody changed the row: `orders audit verify` says so; the history shows what is there.
        told = {"detail": record.detail}
    return BreakAction(
        at=record.at,
        actor=record.actor,
        action=record.action,
        run_id=record.run_id,
        detail=told.get("detail", ""),
        reason=told.get("reason", ""),
        row=told.get("row", ""),
    )


def _settlement(row: Row[Any]) -> Settlement | None:
    # A release before schema 0002 leaves these columns as they are when it reopens a break and resolves it anew.
    if not row.settled_as or row.status != BreakStatus.RESOLVED.value or row.settled_at != row.resolved_at:
        return None
    return Settlement(
        how=SettledAs(row.settled_as),
        by=row.settled_by,
        at=row.settled_at,
        reason=row.resolution,
        until=row.ignored_until,
    )


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
        settlement=_settlement(row),
        owner=row.owner,
        links=tuple(row.links or ()),
        revision=row.revision,
    )
