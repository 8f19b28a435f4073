"""Stripe's itemised reports: payout reconciliation, ending balance and balance change; and its payouts.

Amounts are decimals in major units, signed from the account's view; fee is what Stripe kept, and net = gross - fee
on every row. Lines are told apart by `reporting_category`. Columns can be chosen when a report is made, hence by
name, in any order. `created_utc` is UTC; plain `created` carries no zone and is read as UTC, Stripe's default.
The payouts report has one row a payout, `effective_at` for a time, and no single payment.
Source: Stripe documentation, "Payout reconciliation report", "Payouts report" and "Reporting categories".
"""

from dataclasses import replace
from functools import partial

from worker.domain.ledger import STRIPE_CATEGORIES, LedgerLine, LineKind
from worker.services.ports import StatementScope
from worker.statements.cells import Cells, net_must_be
from worker.statements.dialect import Dialect, row_by_row
from worker.statements.self_checks import Once, PayoutSums

PROVIDER = "stripe"

_SHOP, _ORDER = "payment_metadata[shop]", "payment_metadata[order_id]"
_REFUND_ORDER = "refund_metadata[order_id]"
_CREATED = ("created_utc", "created", "effective_at_utc", "effective_at")
_PAID_OUT = (
    "automatic_payout_effective_at_utc",
    "automatic_payout_effective_at",
    "payout_expected_arrival_date",
    "effective_at_utc",
    "effective_at",
)


def lines(row: Cells, shop: str) -> list[LedgerLine]:
    """Read one row. Raises RowRejected.

    The order id counts only where the payment's metadata names our shop, or no shop at all.
    """
    currency = row.currency("currency")
    gross = row.amount("gross", currency, required=True)
    fee = row.amount("fee", currency)
    net = row.amount("net", currency, required=True)
    net_must_be(gross, fee, net, currency, "net", PROVIDER)
    category = row.required("reporting_category")
    theirs = row.text(_SHOP)
    foreign = bool(shop and theirs and theirs != shop)
    seen_in = row.currency("customer_facing_currency") if row.text("customer_facing_amount") else ""
    return [
        LedgerLine(
            line_id=row.required("balance_transaction_id"),
            provider=PROVIDER,
            kind=STRIPE_CATEGORIES.get(category, LineKind.UNCLASSIFIED),
            currency=currency,
            gross_minor=gross,
            fee_minor=fee,
            net_minor=net,
            created_at=row.moment(next((name for name in _CREATED if row.text(name)), "created")),
            payment_reference=row.identifier("payment_intent_id"),
            order_id="" if foreign else row.identifier(_ORDER) or row.identifier(_REFUND_ORDER),
            source_id=row.identifier("source_id"),
            payout_id=row.identifier("automatic_payout_id") or row.identifier("payout_id"),
            type_text=category,
            shop=theirs,
            method=row.identifier("payment_method_type"),
            country=row.country("card_country"),
            customer_minor=row.seen_as("customer_facing_amount", seen_in, gross) if seen_in else 0,
            customer_currency=seen_in,
            payout_at=row.midnight(next((name for name in _PAID_OUT if row.text(name)), _PAID_OUT[0])),
        )
    ]


def payout_lines(row: Cells, shop: str) -> list[LedgerLine]:
    """Read one row of the payouts report: where the payout stands is its word, what the bank traces it by its source.

    Raises RowRejected.
    """
    return [
        replace(
            line,
            type_text=row.text("payout_status") or line.type_text,
            source_id=row.identifier("trace_id") or line.source_id,
        )
        for line in lines(row, shop)
    ]


CHECKS = (partial(Once, "balance transaction"), PayoutSums)
"""Each transaction once; and where a payout stands among its own items, it must be their sum."""

_MONEY = (("balance_transaction_id",), ("currency",), ("gross",), ("fee",), ("net",), ("reporting_category",))
_ITEMISED = Dialect(
    name="stripe_payout_reconciliation",
    provider=PROVIDER,
    needs=(_MONEY[0], ("created_utc", "created"), *_MONEY[1:]),
    optional=(
        "automatic_payout_id",
        "payout_id",
        "source_id",
        "payment_intent_id",
        "payment_method_type",
        "card_country",
        "customer_facing_amount",
        "customer_facing_currency",
        *_PAID_OUT,
        _SHOP,
        _ORDER,
        _REFUND_ORDER,
    ),
    begin=row_by_row(lines),
    checks=CHECKS,
    totals=("gross", "fee", "net"),
)
_PAYOUTS = Dialect(
    name="stripe_payouts",
    provider=PROVIDER,
    needs=(("payout_id",), ("effective_at_utc", "effective_at"), *_MONEY),
    optional=("source_id", "payout_expected_arrival_date", "payout_status", "trace_id"),
    begin=row_by_row(payout_lines),
    checks=(partial(Once, "payout"),),
    totals=("gross", "fee", "net"),
    scope=StatementScope.PAYOUTS,
)
DIALECTS = (_ITEMISED, _PAYOUTS)
