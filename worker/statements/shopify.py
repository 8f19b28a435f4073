"""Shopify Payments' transactions export, in all its header variants: columns by name, the newer ones optional.

Decimals in major units, in the payout's currency; amount signed, fee positive, net = amount - fee, checked row by row
(where a VAT column stands apart, the fee may be without it). The presentment amount is what the customer saw; its sign
is left out. Amounts may carry a currency symbol. Rows have no id: their content names them. `Order` is the order's
name (`#1001`), read without the `#`; the checkout is the closest there is to a payment.
"""

import hashlib
from functools import partial

from worker.domain.ledger import LedgerLine, LineKind
from worker.statements.cells import WRITTEN, Cells, RowRejected, net_must_be
from worker.statements.dialect import Dialect, row_by_row
from worker.statements.self_checks import Once, PayoutSums

PROVIDER = "shopify_payments"
TYPES = {
    "charge": LineKind.CHARGE,
    "sale": LineKind.CHARGE,
    "refund": LineKind.REFUND,
    "refund_failure": LineKind.REFUND_FAILURE,
    "chargeback": LineKind.DISPUTE,
    "dispute": LineKind.DISPUTE,
    "chargeback_won": LineKind.DISPUTE_REVERSAL,
    "dispute_won": LineKind.DISPUTE_REVERSAL,
    "dispute_reversal": LineKind.DISPUTE_REVERSAL,
    "chargeback_reversal": LineKind.DISPUTE_REVERSAL,
    "chargeback_fee": LineKind.FEE,
    "fee": LineKind.FEE,
    "payout": LineKind.PAYOUT,
    "payout_failure": LineKind.TRANSFER,
    "payout_cancellation": LineKind.TRANSFER,
    "adjustment": LineKind.ADJUSTMENT,
    "debit": LineKind.ADJUSTMENT,
    "credit": LineKind.ADJUSTMENT,
    "reserve": LineKind.TRANSFER,
    "reserved_funds": LineKind.TRANSFER,
}
"""Any other type is unclassified: shown, never dropped."""


def lines(row: Cells, _shop: str) -> list[LedgerLine]:
    """Read one row. Raises RowRejected."""
    currency = row.currency("currency")
    amount = row.amount("amount", currency, required=True)
    fee = row.amount("fee", currency)
    net = row.amount("net", currency, required=True)
    tax = row.amount("vat", currency)
    if tax and amount - fee - tax == net:
        fee += tax
    net_must_be(amount, fee, net, currency, "net", PROVIDER)
    word = row.required("type")
    seen_in = row.currency("presentment currency") if row.text("presentment amount") else ""
    paid_out = row.midnight("payout date")
    return [
        LedgerLine(
            line_id=_line_id(row),
            provider=PROVIDER,
            kind=TYPES.get("_".join(word.lower().split()), LineKind.UNCLASSIFIED),
            currency=currency,
            gross_minor=amount,
            fee_minor=fee,
            net_minor=net,
            created_at=row.moment("transaction date"),
            order_id=row.identifier("order").removeprefix("#"),
            source_id=row.identifier("checkout").removeprefix("#"),
            payout_id=row.identifier("payout id") or (f"{paid_out:%Y-%m-%d}" if paid_out else ""),
            type_text=word,
            method=row.identifier("payment method name"),
            customer_minor=row.seen_as("presentment amount", seen_in, amount) if seen_in else 0,
            customer_currency=seen_in,
            payout_at=paid_out,
        )
    ]


def _line_id(row: Cells) -> str:
    """Name a row by what does not change from one export to the next; its payout may still be scheduled in one."""
    columns = ("transaction date", "type", "order", "checkout", "amount", "fee", "net", "currency")
    if not row.text("transaction date"):
        raise RowRejected("transaction date", "is empty")
    return hashlib.sha256("\n".join(row.text(column) for column in columns).encode()).hexdigest()[:24]


DIALECT = Dialect(
    name="shopify_transactions",
    provider=PROVIDER,
    needs=(("transaction date",), ("type",), ("order",), ("amount",), ("fee",), ("net",), ("currency",)),
    optional=(
        "payout date",
        "payout id",
        "checkout",
        "payment method name",
        "presentment amount",
        "presentment currency",
        "vat",
    ),
    begin=row_by_row(lines, WRITTEN),
    checks=(partial(Once, "row"), PayoutSums),
    totals=("amount", "fee", "net"),
)
