"""A Stripe balance transaction as a ledger line.

Lines are told apart by `reporting_category`, not by `type` (an adjustment may be a dispute or its reversal), as
Stripe's own reports do. Amounts are signed from the account's view and in minor units; net = amount - fee.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from worker.domain.ledger import STRIPE_CATEGORIES, LedgerLine, LineKind


def ledger_line(provider: str, item: Mapping[str, Any]) -> LedgerLine:
    """Translate one balance transaction whose `source` was expanded, and the charge of a refund or dispute with it."""
    found = item["source"]
    source: Mapping[str, Any] = found if isinstance(found, dict) else {"id": found or ""}
    of = source.get("charge")
    charge: Mapping[str, Any] = source if source.get("object") == "charge" else of if isinstance(of, dict) else {}
    metadata = {**(charge.get("metadata") or {}), **(source.get("metadata") or {})}
    paid: Mapping[str, Any] = charge.get("payment_method_details") or {}
    settled = item["currency"].upper()
    # A charge, refund or dispute states what the customer was charged, in the customer's currency and without a sign.
    customer = str(source.get("currency") or settled).upper()
    return LedgerLine(
        line_id=item["id"],
        provider=provider,
        kind=STRIPE_CATEGORIES.get(item["reporting_category"], LineKind.UNCLASSIFIED),
        currency=settled,
        gross_minor=item["amount"],
        fee_minor=item["fee"],
        net_minor=item["net"],
        created_at=datetime.fromtimestamp(item["created"], UTC),
        payment_reference=_id(source.get("payment_intent") or charge.get("payment_intent")),
        order_id=str(metadata.get("order_id", "")),
        source_id=str(source.get("id", "")),
        payout_id=_id(item.get("payout")),
        type_text=item["reporting_category"],
        shop=str(metadata.get("shop", "")),
        method=str(paid.get("type") or ""),
        country=str((paid.get(paid.get("type", "")) or {}).get("country") or ""),
        customer_currency=customer if customer != settled else "",
        customer_minor=int(source.get("amount") or 0) if customer != settled else 0,
    )


def _id(value: Any) -> str:
    """Return the id of a reference that may be expanded, a text or null."""
    if isinstance(value, dict):
        return str(value.get("id", ""))
    return str(value or "")
