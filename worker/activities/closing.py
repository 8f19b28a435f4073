"""Activities of closing months: a run takes up its month, and another looks whether one was left open."""

from dataclasses import dataclass
from datetime import datetime

from temporalio import activity

from worker.contract.reconciliation import Reconcile, Window
from worker.domain.window import Span
from worker.services.closing import MonthlyClose


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseOrder:
    """A run that is to close a month; `nominal` is the schedule's time, ISO 8601 UTC."""

    request: Reconcile
    nominal: str
    run_id: str
    workflow_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimedMonth:
    """The month it closes; or, not `mine`, the run that does or did so instead, and what that answered."""

    window: Window
    run_id: str
    mine: bool
    verdict: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BooksOf:
    """Whose months to look at."""

    shop: str
    provider: str


class ClosingActivities:
    """Steps of ReconciliationWorkflow before a month is closed, and after any run of a schedule."""

    def __init__(self, closing: MonthlyClose) -> None:
        self._closing = closing

    @activity.defn
    def claim_month(self, order: CloseOrder) -> ClaimedMonth:
        """Take up the month to close."""
        nominal = datetime.fromisoformat(order.nominal)
        claim = self._closing.claim(order.request, nominal, run_id=order.run_id, workflow_id=order.workflow_id)
        return ClaimedMonth(window=_window(claim.span), run_id=claim.run_id, mine=claim.mine, verdict=claim.verdict)

    @activity.defn
    def next_month(self, books: BooksOf) -> Window | None:
        """Return the month that was left open and is to be closed now, None when there is none."""
        span = self._closing.next_month(books.shop, books.provider)
        return None if span is None else _window(span)


def _window(span: Span) -> Window:
    return Window(start=span.start.isoformat(), end=span.end.isoformat())
