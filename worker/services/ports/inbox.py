"""The inbox: every outside event once, beyond Temporal's retention."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxEntry:
    """One received event: the dedupe that outlives Temporal's retention."""

    source: str
    event_id: str
    topic: str
    origin: str
    body_sha256: str
    received_at: datetime
    workflow_id: str
    run_id: str
    """First run of the event's workflow: after retention the id may be started again, but not this run."""
    outcome: str = "received"
    detail: str = ""


class InboxStore(Protocol):
    """Events received; unique by (source, event_id)."""

    def open(self, entry: InboxEntry) -> InboxEntry:
        """Insert the entry, or return the one already there (its run id tells whose it is)."""
        ...

    def close(self, source: str, event_id: str, outcome: str, detail: str, at: datetime) -> None:
        """Record what became of the event."""
        ...

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
        ...
