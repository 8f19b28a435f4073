"""The provider's itemised payout reconciliation as CSV, in major units, as its report API writes it.

Columns as in the report type `payout_reconciliation.itemized`; readers go by name, the order promises nothing.
"""

import csv
import io
from collections.abc import Iterable
from datetime import UTC, datetime

from infra.local.simulator.provider.currencies import major
from infra.local.simulator.provider.provider import Provider
from infra.local.simulator.provider.rendering import INTERNAL
from infra.local.simulator.store import Document

COLUMNS = (
    "automatic_payout_id",
    "automatic_payout_effective_at_utc",
    "balance_transaction_id",
    "created_utc",
    "available_on_utc",
    "currency",
    "gross",
    "fee",
    "net",
    "reporting_category",
    "source_id",
    "description",
    "customer_facing_amount",
    "customer_facing_currency",
    "charge_id",
    "payment_intent_id",
    "charge_created_utc",
    "payment_method_type",
    "card_brand",
    "card_funding",
    "card_country",
    "statement_descriptor",
    "dispute_reason",
    "payment_metadata[shop]",
    "payment_metadata[order_id]",
    "refund_metadata[order_id]",
)


def of_payout(provider: Provider, payout_id: str) -> str:
    """Return the items of one payout. Refused with 404 when there is no such payout."""
    provider.payouts.get(payout_id)
    return _write(provider, provider.ledger.of_payout(payout_id))


def of_period(provider: Provider, start: datetime, end: datetime) -> str:
    """Return everything booked from `start` up to, not including, `end`, paid out or not yet."""
    last = -int(-end.timestamp() // 1) - 1
    entries = provider.store.ordered("balance_transactions", "created", low=int(start.timestamp()), high=last)
    return _write(provider, entries)


def _write(provider: Provider, entries: Iterable[Document]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    payouts: dict[str, Document] = {}
    for entry in entries:
        # The payout's own entry is the total, not an item.
        if entry["type"] != "payout":
            writer.writerow(_row(provider, entry, payouts))
    return text.getvalue()


def _row(provider: Provider, entry: Document, payouts: dict[str, Document]) -> dict[str, str]:
    currency = entry["currency"]
    row = {
        "balance_transaction_id": entry["id"],
        "created_utc": _time(entry["created"]),
        "available_on_utc": _time(entry["available_on"]),
        "currency": currency,
        "gross": major(entry["amount"], currency),
        "fee": major(entry["fee"], currency),
        "net": major(entry["net"], currency),
        "reporting_category": entry["reporting_category"],
        "source_id": entry["source"],
        "description": entry["description"] or "",
    }
    payout_id = entry[INTERNAL]["payout"]
    if payout_id is not None:
        payout = payouts.setdefault(payout_id, provider.payouts.get(payout_id))
        row["automatic_payout_id"] = payout_id
        row["automatic_payout_effective_at_utc"] = _time(payout["arrival_date"])
    return {**row, **_origin(provider, entry["source"])}


def _origin(provider: Provider, source: str) -> dict[str, str]:
    """Return the columns about the payment that an entry goes back to."""
    columns: dict[str, str] = {}
    charge_id = source
    refund = provider.store.get("refunds", source)
    dispute = provider.store.get("disputes", source)
    if refund is not None:
        charge_id = refund["charge"]
        columns["refund_metadata[order_id]"] = refund["metadata"].get("order_id", "")
    elif dispute is not None:
        charge_id = dispute["charge"]
        columns["dispute_reason"] = dispute["reason"]
    charge = provider.charges.get(charge_id)
    if charge is None:
        return columns
    card = charge["payment_method_details"]["card"]
    return columns | {
        "customer_facing_amount": major(charge["amount_captured"], charge["currency"]),
        "customer_facing_currency": charge["currency"],
        "charge_id": charge_id,
        "payment_intent_id": charge["payment_intent"],
        "charge_created_utc": _time(charge["created"]),
        "payment_method_type": "card",
        "card_brand": card["brand"].title(),
        "card_funding": card["funding"],
        "card_country": card["country"],
        "statement_descriptor": charge["calculated_statement_descriptor"],
        "payment_metadata[shop]": charge["metadata"].get("shop", ""),
        "payment_metadata[order_id]": charge["metadata"].get("order_id", ""),
    }


def _time(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S}"
