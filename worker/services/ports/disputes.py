"""The store of disputes: what the provider last said of each; their money is in the book entries."""

from datetime import datetime
from typing import Protocol

from worker.domain.dispute import Dispute


class DisputeStore(Protocol):
    """Disputes by (provider, reference)."""

    def save(self, shop: str, order_id: str, dispute: Dispute, at: datetime) -> None:
        """Insert or update a dispute, and tell of a new state in its order's timeline. Raises Conflict for another order's."""
        ...

    def of_order(self, shop: str, order_id: str) -> list[Dispute]:
        """Return the disputes of an order, oldest first, without their movements."""
        ...
