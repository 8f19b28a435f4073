"""What imported bank statements tell about the time of a run, as a document that is kept with it.

A bank file that is imported tomorrow changes what is known, but not what this run knew.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from worker.domain.ledger import BankStatus
from worker.domain.matching.bank import BankCredit
from worker.domain.matching.payouts import payouts_named
from worker.domain.matching.rules import PLAIN, Rules
from worker.domain.matching.scope import Scope
from worker.domain.money import exponent
from worker.domain.window import Span
from worker.services.continuity import bank_currencies, bank_gaps
from worker.services.ports import Transaction


def bank_document(
    tx: Transaction, shop: str, scope: Scope, rules: Rules = PLAIN, gaps_from: datetime | None = None
) -> dict[str, Any]:
    """Return the span of time that bank statements cover and what was booked in it, as JSON values.

    It reaches as far back as a payout of the scope may have been booked before its day. Gaps between the statements are
    told of the scope's window, or from `gaps_from` on where that is later.
    """
    covered = tx.bank.covered(shop, payouts_named(scope, rules).start, scope.cut)
    if not covered:
        return {"span": None, "bookings": [], "gaps": [], "currencies": []}
    # Spans that touch are one; of several the latest counts: between them nothing is known.
    span = covered[-1]
    for earlier in reversed(covered[:-1]):
        if earlier.end >= span.start:
            span = replace(span, start=min(span.start, earlier.start))
    return {
        "currencies": bank_currencies(tx, shop, span.start),
        "gaps": bank_gaps(tx, shop, max(gaps_from or scope.window_start, scope.window_start), scope.cut),
        "span": [span.start.isoformat(), span.end.isoformat()],
        "bookings": [
            {
                "credit_id": f"{entry.account}/{entry.entry_id}",
                "amount_minor": entry.amount_minor,
                "currency": entry.currency,
                "booked_at": datetime.combine(entry.booked_on, time(), UTC).isoformat(),
                "references": [*entry.references, entry.text, entry.counterparty],
            }
            for entry in tx.bank.entries(shop, span.start.date(), _day_after(span.end))
            if entry.status is BankStatus.BOOKED
        ],
    }


def _day_after(end: datetime) -> date:
    """Return the first day of which nothing lies before `end`: a bank's day may end at any hour of ours."""
    return (end - timedelta(microseconds=1)).date() + timedelta(days=1)


def bookings_of(document: Mapping[str, Any], provider: str = "iso") -> tuple[Span | None, list[BankCredit]]:
    """Return span and bookings of a document; no span where no bank statement tells of the time.

    A bank counts in the minor units of ISO 4217; returned are those of the provider, whose payouts they are held against
    (CLP 1,000 are 100,000 of Adyen's).
    """
    if document["span"] is None:
        return None, []
    start, end = map(datetime.fromisoformat, document["span"])
    bookings = [
        BankCredit(
            **{
                **one,
                "amount_minor": _counted_by(provider, one["amount_minor"], one["currency"]),
                "booked_at": datetime.fromisoformat(one["booked_at"]),
                "references": tuple(one["references"]),
            }
        )
        for one in document["bookings"]
    ]
    return Span(start, end), bookings


def _counted_by(provider: str, minor: int, currency: str) -> int:
    """Return a bank's amount in a provider's minor units; what is less than one of them counts as one, and is told."""
    apart = exponent(currency, provider) - exponent(currency)
    if apart >= 0:
        return int(minor * 10**apart)
    whole, rest = divmod(minor, 10**-apart)
    return int(whole) + bool(rest)
