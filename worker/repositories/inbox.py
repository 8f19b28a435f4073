"""Events received, in MySQL: the dedupe that outlives Temporal's retention. No body is kept, only its digest."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, insert, select, update

from worker.domain.errors import NotFound
from worker.repositories.insertion import insert_once
from worker.repositories.schema import INBOX
from worker.services.ports import InboxEntry

_ONE = (INBOX.c.source == bindparam("of_source"), INBOX.c.event_id == bindparam("of_event"))
_OPEN = insert(INBOX)
_GET = select(INBOX).where(*_ONE)
_CLOSE = (
    update(INBOX)
    .where(*_ONE)
    .values(outcome=bindparam("became"), detail=bindparam("because"), closed_at=bindparam("at"))
)


class MysqlInboxStore:
    """Implements `InboxStore`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def open(self, entry: InboxEntry) -> InboxEntry:
        """Insert the entry, or return the one already there (its run id tells whose it is)."""
        values = {
            "source": entry.source,
            "event_id": entry.event_id,
            "topic": entry.topic,
            "origin": entry.origin,
            "body_sha256": entry.body_sha256,
            "received_at": entry.received_at,
            "workflow_id": entry.workflow_id,
            "run_id": entry.run_id,
            "outcome": entry.outcome,
            "detail": entry.detail,
        }
        if insert_once(self._connection, _OPEN, values):
            return entry
        return _entry(self._connection.execute(_GET, _key(entry.source, entry.event_id)).one())

    def close(self, source: str, event_id: str, outcome: str, detail: str, at: datetime) -> None:
        """Record what became of the event. Raises NotFound when it was never opened."""
        values = {**_key(source, event_id), "became": outcome, "because": detail, "at": at}
        if self._connection.execute(_CLOSE, values).rowcount != 1:
            raise NotFound(f"event {source}/{event_id} is not in the inbox")

    def recent(
        self,
        *,
        source: str | None,
        outcome: str | None,
        limit: int,
        event_id: str | None = None,
        topic: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> list[InboxEntry]:
        """Return the newest entries that fit, newest first; received from `since` on, and before `until`."""
        statement = select(INBOX)
        if event_id is not None:
            statement = statement.where(INBOX.c.event_id == event_id)
        if topic is not None:
            statement = statement.where(INBOX.c.topic == topic)
        if since is not None:
            statement = statement.where(INBOX.c.received_at >= since)
        if until is not None:
            statement = statement.where(INBOX.c.received_at < until)
        if source is not None:
            statement = statement.where(INBOX.c.source == source)
        if outcome is not None:
            statement = statement.where(INBOX.c.outcome == outcome)
        # One direction throughout, and nothing known beforehand: so an index is read backwards instead of sorting.
        order = [INBOX.c.received_at.desc(), INBOX.c.event_id.desc()]
        if source is None:
            order.append(INBOX.c.source.desc())
        newest = statement.order_by(*order)
        return [_entry(row) for row in self._connection.execute(newest.limit(limit))]


def _key(source: str, event_id: str) -> dict[str, str]:
    return {"of_source": source, "of_event": event_id}


def _entry(row: Row[Any]) -> InboxEntry:
    return InboxEntry(
        source=row.source,
        event_id=row.event_id,
        topic=row.topic,
        origin=row.origin,
        body_sha256=row.body_sha256,
        received_at=row.received_at,
        workflow_id=row.workflow_id,
        run_id=row.run_id,
        outcome=row.outcome,
        detail=row.detail,
    )
