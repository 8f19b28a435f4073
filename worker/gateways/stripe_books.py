"""Stripe's books over its API: the ledger and the payouts, page by page; no more than a page is held.

A page that cannot be read raises SourceUnreadable: what came before it is not the whole, and must not look like it.
Lists come newest first, and a line's id is the cursor behind which a reader that was cut off goes on.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, TypeVar

from worker.domain.errors import OrdersError, SourceUnreadable
from worker.domain.ledger import LedgerLine
from worker.domain.matching.payouts import PayoutStatus, PayoutSums
from worker.gateways.stripe_errors import translated
from worker.gateways.stripe_ledger import ledger_line

T = TypeVar("T")

PAGE = 100
_PAYMENTS = ["data.source", "data.source.charge"]
"""A refund or dispute names its charge, and only the charge names the order. What has no charge is left as it is."""
_STATUSES = {
    "pending": PayoutStatus.SCHEDULED,
    "in_transit": PayoutStatus.IN_TRANSIT,
    "paid": PayoutStatus.PAID,
    "failed": PayoutStatus.FAILED,
    "canceled": PayoutStatus.CANCELLED,
}


class StripeBooks:
    """Reads the books with a client of the official library."""

    def __init__(self, client: Any, name: str) -> None:
        self._client = client
        self._name = name

    def ledger(self, start: datetime, end: datetime, after: str = "") -> Iterator[LedgerLine]:
        """Stream the ledger lines of [start, end), newest first; with `after`, those behind that line alone."""
        asked = {"created": _between(start, end), "expand": _PAYMENTS}
        return self._read("the ledger", self._client.balance_transactions.list, asked, self._line, after)

    def payouts(self, start: datetime, end: datetime) -> Iterator[PayoutSums]:
        """Stream the payouts that are due at the bank in [start, end), without the sums over their lines."""
        asked = {"arrival_date": _between(start, end)}
        return self._read("the payouts", self._client.payouts.list, asked, _payout)

    def payout_lines(self, payout_id: str) -> Iterator[LedgerLine]:
        """Stream the ledger lines that an automatic payout pays out, its own line among them."""
        asked = {"payout": payout_id}
        return self._read(f"payout {payout_id}", self._client.balance_transactions.list, asked, self._line)

    def _line(self, item: Mapping[str, Any]) -> LedgerLine:
        return ledger_line(self._name, item)

    def _read(
        self,
        what: str,
        lister: Callable[..., Any],
        asked: Mapping[str, Any],
        made_of: Callable[[Mapping[str, Any]], T],
        after: str = "",
    ) -> Iterator[T]:
        while True:
            with _whole(what):
                page = lister(params={**asked, "limit": PAGE} | ({"starting_after": after} if after else {}))
                items = [json.loads(str(item)) for item in page.data]
            for item in items:
                try:
                    made = made_of(item)
                except (KeyError, TypeError, AttributeError, ValueError) as problem:
                    raise SourceUnreadable(f"{what}: {item.get('id')} has another shape") from problem
                yield made
            if not page.has_more:
                return
            before, after = after, items[-1]["id"] if items else after
            if after == before:
                raise SourceUnreadable(f"{what}: the provider says that there is more, and tells nothing new")


@contextmanager
def _whole(what: str) -> Iterator[None]:
    try:
        with translated(f"read {what}"):
            yield
    except OrdersError as problem:
        raise SourceUnreadable(str(problem)) from problem


def _payout(item: Mapping[str, Any]) -> PayoutSums:
    return PayoutSums(
        payout_id=item["id"],
        currency=item["currency"].upper(),
        amount_minor=item["amount"],
        status=_STATUSES[item["status"]],
        arrives_at=datetime.fromtimestamp(item["arrival_date"], UTC),
        automatic=item["automatic"],
        itemised=item.get("reconciliation_status") == "completed",
        references=tuple(dict.fromkeys(filter(None, (_trace(item), str(item.get("statement_descriptor") or ""))))),
    )


def _trace(item: Mapping[str, Any]) -> str:
    """Return the id under which the bank traces a payout; empty while the bank has given none."""
    trace = item.get("trace_id")
    return str(trace.get("value") or "") if isinstance(trace, dict) else ""


def _between(start: datetime, end: datetime) -> dict[str, int]:
    return {"gte": int(start.timestamp()), "lt": _ceil(end)}


def _ceil(at: datetime) -> int:
    """Return the first whole second at or after `at`: Stripe's times are whole seconds."""
    seconds = int(at.astimezone(UTC).timestamp())
    return seconds if at.microsecond == 0 else seconds + 1
