"""Activities that tell in an order's timeline what leaves no other mark in our books."""

from dataclasses import dataclass

from temporalio import activity

from worker.services.journal import Journal


@dataclass(frozen=True, slots=True, kw_only=True)
class CancellationAsked:
    """That somebody asked the order to stop, and whether it will (`applied`) or not (`ignored`)."""

    shop: str
    order_id: str
    request_id: str
    requested_by: str
    outcome: str


class JournalActivities:
    """Entries of OrderWorkflow; each may be written again, and is one."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    @activity.defn
    def tell_of_cancellation(self, asked: CancellationAsked) -> None:
        """Tell that the order was asked to stop."""
        self._journal.cancellation(
            asked.shop, asked.order_id, asked.request_id, by=asked.requested_by, applied=asked.outcome == "applied"
        )
