"""What people do that leaves no other mark in the books (a schedule paused, an event replayed): an entry in the trail."""

from datetime import datetime
from typing import Any

from worker.domain.audit import AuditRecord, canonical
from worker.domain.errors import Conflict
from worker.domain.intervention import RESERVED_ACTORS
from worker.services.ports import Clock, Database


def note_deed(
    database: Database, clock: Clock, shop: str, action: str, subject: str, *, actor: str, reason: str, **more: Any
) -> None:
    """Append to a shop's audit trail that `actor` did `action` to `subject` (as `schedule/ID`), and why.

    `more` is noted beside the reason: ids, counts and times, no personal data. Raises Conflict for an actor who bears
    the engine's own name.
    """
    record = deed(action, subject, clock.now(), actor=actor, reason=reason, **more)
    database.transact(lambda tx: tx.audit.append(shop, record))


def deed(action: str, subject: str, at: datetime, *, actor: str, reason: str, **more: Any) -> AuditRecord:
    """Return the entry itself, for who writes it with the change that it tells of. Raises as `note_deed` does."""
    if actor in RESERVED_ACTORS:
        raise Conflict(f"{actor} is the engine's own name: say --actor with a person's")
    detail = canonical({"reason": reason, **more})
    return AuditRecord(at=at, actor=actor, action=action, subject=subject, detail=detail)
