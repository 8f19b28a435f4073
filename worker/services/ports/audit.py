"""The audit trail as the use cases see it. There is no method that changes or removes an entry."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from worker.domain.audit import AuditEntry, AuditHead, AuditRecord


class AuditTrail(Protocol):
    """One hash chain a shop."""

    def append(self, shop: str, record: AuditRecord) -> None:
        """Add a record to the shop's chain. It gets its place when the transaction commits, not before."""
        ...

    def head(self, shop: str) -> AuditHead:
        """Return where the chain is noted to end."""
        ...

    def entries(self, shop: str, *, upto: int) -> Iterator[AuditEntry]:
        """Stream the entries up to a sequence, oldest first."""
        ...

    def surplus(self, shop: str) -> int | None:
        """Return the first sequence beyond the noted head, or None: this program never writes one without the other."""
        ...

    def listed(
        self, shop: str, *, subject: str | None, actor: str | None, action: str | None, limit: int
    ) -> list[AuditEntry]:
        """Return the newest entries that fit, newest first."""
        ...

    def about(self, subjects: Sequence[str]) -> dict[str, list[AuditEntry]]:
        """Return the entries about each subject, oldest first; a subject without any is absent."""
        ...

    def unsealed(self, shop: str) -> int:
        """Return how many actions an earlier release left outside the chain; the next append takes them in."""
        ...
