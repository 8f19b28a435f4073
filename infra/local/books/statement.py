"""The provider's itemised payout reconciliation of made books, as the CSV file it would be downloaded as."""

import csv
from collections.abc import Iterable
from pathlib import Path

from infra.local.simulator.provider.currencies import major
from infra.local.simulator.provider.reports import COLUMNS
from worker.domain.ledger import LedgerLine, LineKind

CATEGORIES = {kind: str(kind) for kind in LineKind} | {LineKind.ADJUSTMENT: "other_adjustment"}


def write(path: Path, lines: Iterable[LedgerLine]) -> int:
    """Write lines, one row each as they come; return how many. Payouts' own lines are left out, as Stripe does.

    A line of an unknown type keeps the provider's own word for it.
    """
    rows = 0
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, restval="", lineterminator="\n")
        writer.writeheader()
        for line in lines:
            if line.kind is LineKind.PAYOUT:
                continue
            writer.writerow(row(line))
            rows += 1
    return rows


def row(line: LedgerLine) -> dict[str, str]:
    """Return one line as the columns that follow from it."""
    currency = line.currency.lower()
    created = f"{line.created_at:%Y-%m-%d %H:%M:%S}"
    day = line.payout_id[-8:]
    paid_out = f"{day[:4]}-{day[4:6]}-{day[6:]} 00:00:00" if line.payout_id else ""
    return {
        "automatic_payout_id": line.payout_id,
        "automatic_payout_effective_at_utc": paid_out,
        "balance_transaction_id": line.line_id,
        "created_utc": created,
        "available_on_utc": paid_out or created,
        "currency": currency,
        "gross": major(line.gross_minor, currency),
        "fee": major(line.fee_minor, currency),
        "net": major(line.net_minor, currency),
        "reporting_category": line.type_text if line.kind is LineKind.UNCLASSIFIED else CATEGORIES[line.kind],
        "source_id": line.source_id,
        "description": f"Order {line.order_id}" if line.order_id else "",
        "payment_intent_id": line.payment_reference,
        "payment_method_type": "card",
        "payment_metadata[shop]": line.shop,
        "payment_metadata[order_id]": line.order_id,
    }
