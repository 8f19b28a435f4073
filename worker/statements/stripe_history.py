"""Stripe's balance history as its dashboard exports it, the older layout without reporting categories.

Decimals in major units, signed from the account's view; net = amount - fee. Lines are told apart by the balance
transaction's `Type`. Disputes are adjustments there, known by their source (`dp_`, `du_`) or their description.
Payouts were called transfers until 2017. Times are UTC, to the minute. Metadata stand in columns of their own,
`order_id (metadata)`.
"""

from worker.domain.ledger import LedgerLine, LineKind
from worker.statements.cells import Cells, net_must_be
from worker.statements.dialect import Dialect, row_by_row
from worker.statements.stripe import CHECKS, PROVIDER

TYPES = {
    "charge": LineKind.CHARGE,
    "payment": LineKind.CHARGE,
    "refund": LineKind.REFUND,
    "payment_refund": LineKind.REFUND,
    "refund_failure": LineKind.REFUND_FAILURE,
    "payment_failure_refund": LineKind.REFUND,
    "payout": LineKind.PAYOUT,
    "payout_cancel": LineKind.TRANSFER,
    "payout_failure": LineKind.TRANSFER,
    "transfer_cancel": LineKind.TRANSFER,
    "transfer_failure": LineKind.TRANSFER,
    "stripe_fee": LineKind.FEE,
    "stripe_fx_fee": LineKind.FEE,
    "tax_fee": LineKind.FEE,
    "transfer": LineKind.TRANSFER,
    "reserve_transaction": LineKind.TRANSFER,
    "reserved_funds": LineKind.TRANSFER,
    "partial_capture_reversal": LineKind.PARTIAL_CAPTURE_REVERSAL,
    "adjustment": LineKind.ADJUSTMENT,
}
"""Any other type is unclassified: shown, never dropped."""

_DISPUTES = ("dp_", "du_")
_ORDER, _SHOP = "order_id (metadata)", "shop (metadata)"


def lines(row: Cells, shop: str) -> list[LedgerLine]:
    """Read one row. Raises RowRejected."""
    currency = row.currency("currency")
    gross = row.amount("amount", currency, required=True)
    fee = row.amount("fee", currency)
    net = row.amount("net", currency, required=True)
    net_must_be(gross, fee, net, currency, "net", PROVIDER)
    word = row.required("type")
    theirs = row.text(_SHOP)
    foreign = bool(shop and theirs and theirs != shop)
    seen_in = row.currency("customer facing currency") if row.text("customer facing amount") else ""
    return [
        LedgerLine(
            line_id=row.required("id"),
            provider=PROVIDER,
            kind=_kind(word.lower(), row, gross),
            currency=currency,
            gross_minor=gross,
            fee_minor=fee,
            net_minor=net,
            created_at=row.moment("created (utc)"),
            payment_reference=row.identifier("payment intent id"),
            order_id="" if foreign else row.identifier(_ORDER),
            source_id=row.identifier("source"),
            payout_id=row.identifier("transfer"),
            type_text=word,
            shop=theirs,
            customer_minor=row.seen_as("customer facing amount", seen_in, gross) if seen_in else 0,
            customer_currency=seen_in,
            payout_at=row.midnight("transfer date (utc)"),
        )
    ]


def _kind(word: str, row: Cells, gross_minor: int) -> LineKind:
    source, description = row.text("source"), row.text("description").lower()
    if word == "adjustment" and (source.startswith(_DISPUTES) or description.startswith("chargeback")):
        return LineKind.DISPUTE if gross_minor < 0 else LineKind.DISPUTE_REVERSAL
    if word == "transfer" and description == "stripe transfer":
        return LineKind.PAYOUT
    return TYPES.get(word, LineKind.UNCLASSIFIED)


DIALECT = Dialect(
    name="stripe_balance_history",
    provider=PROVIDER,
    needs=(("id",), ("type",), ("source",), ("amount",), ("fee",), ("net",), ("currency",), ("created (utc)",)),
    optional=(
        "description",
        "payment intent id",
        "transfer",
        "transfer date (utc)",
        "customer facing amount",
        "customer facing currency",
        _ORDER,
        _SHOP,
    ),
    begin=row_by_row(lines),
    checks=CHECKS,
    totals=("amount", "fee", "net"),
)
