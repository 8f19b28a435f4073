"""Activities of cancelling pieces of an order."""

from dataclasses import dataclass

from temporalio import activity

from worker.contract.orders import CancelLines
from worker.services.line_cancelling import Cancelled, LineCancelling, Wanted


@dataclass(frozen=True, slots=True, kw_only=True)
class UnwantedLines:
    """Pieces of one order that are to be cancelled."""

    shop: str
    order_id: str
    request: CancelLines


class LineActivities:
    """Steps of OrderWorkflow; both may be repeated."""

    def __init__(self, lines: LineCancelling) -> None:
        self._lines = lines

    @activity.defn
    def look_at_lines(self, unwanted: UnwantedLines) -> Wanted:
        """Look whether the pieces can be cancelled, before a parcel is stopped for it."""
        return self._lines.look(unwanted.shop, unwanted.order_id, unwanted.request)

    @activity.defn
    def cancel_lines(self, unwanted: UnwantedLines) -> Cancelled:
        """Cancel the pieces: the order becomes smaller, and what it holds too much is known."""
        return self._lines.cancel(unwanted.shop, unwanted.order_id, unwanted.request)
