"""The timelines of orders."""

from typing import Protocol

from worker.domain.timeline import TimelineEntry


class TimelineStore(Protocol):
    """What happened to orders; append-only. Changes of state, payments and money are told by their own stores."""

    def add(self, entry: TimelineEntry) -> None:
        """Append an entry with this transaction; one whose key the order has is the same entry and stays as it was."""
        ...

    def of_order(self, shop: str, order_id: str) -> list[TimelineEntry]:
        """Return the entries of an order, in the order in which they were learned."""
        ...
