"""Stripe's itemised reports: payout reconciliation, ending balance and balance change.

Amounts are decimals in major units, signed from the account's view; fee is what Stripe kept, and net = gross - fee
on every row. Lines are told apart by `reporting_category`. Columns can be chosen when a report is made, hence by
name, in any order. `created_utc` is UTC; plain `created` carries no zone and is read as UTC, Stripe's default.
Source: Stripe documentation, "Payout reconciliation report" and "Reporting categories".
"""

from collections import Counter
from collections.abc import Sequence

from worker.domain.ledger import STRIPE_CATEGORIES, LedgerLine, LineKind
from worker.domain.money import format_minor
from worker.statements.cells import Cells, net_must_be
from worker.statements.dialect import Dialect

PROVIDER = "stripe"

_SHOP, _ORDER = "payment_metadata[shop]", "payment_metadata[order_id]"
_REFUND_ORDER = "refund_metadata[order_id]"


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
    return [
        LedgerLine(
            line_id=row.required("balance_transaction_id"),
            provider=PROVIDER,
            kind=STRIPE_CATEGORIES.get(category, LineKind.UNCLASSIFIED),
            currency=currency,
            gross_minor=gross,
            fee_minor=fee,
            net_minor=net,
            created_at=row.moment("created_utc" if row.text("created_utc") else "created"),
            payment_reference=row.identifier("payment_intent_id"),
            order_id="" if foreign else row.identifier(_ORDER) or row.identifier(_REFUND_ORDER),
            source_id=row.identifier("source_id"),
            payout_id=row.identifier("automatic_payout_id") or row.identifier("payout_id"),
            type_text=category,
            shop=theirs,
        )
    ]


def checks(read: Sequence[LedgerLine], _rows: Sequence[Cells]) -> dict[str, str]:
    """Each transaction once; and where a payout stands among its own items, it must be their sum."""
    repeated = sorted(name for name, times in Counter(line.line_id for line in read).items() if times > 1)
    found = {
        "each balance transaction once": f"failed: {len(repeated)} repeated, first {repeated[0]}" if repeated else "ok",
    }
    closing: dict[tuple[str, str], int] = {}
    items: Counter[tuple[str, str]] = Counter()
    for line in read:
        key = (line.payout_id, line.currency)
        if line.kind is LineKind.PAYOUT and line.payout_id:
            closing[key] = closing.get(key, 0) + line.net_minor
        elif line.payout_id:
            items[key] += line.net_minor
    for key in sorted(items):
        payout, currency = key
        total = f"{currency} {format_minor(items[key], currency, PROVIDER)}"
        if key not in closing:
            found[f"payout {payout} {currency}"] = f"not in the file: its items make {total}"
        elif closing[key] + items[key]:
            paid = format_minor(-closing[key], currency, PROVIDER)
            found[f"payout {payout} {currency}"] = f"failed: its items make {total}, paid out is {paid}"
        else:
            found[f"payout {payout} {currency}"] = f"ok: its items make {total}, as paid out"
    return found


DIALECT = Dialect(
    name="stripe_payout_reconciliation",
    provider=PROVIDER,
    needs=(
        ("balance_transaction_id",),
        ("created_utc", "created"),
        ("currency",),
        ("gross",),
        ("fee",),
        ("net",),
        ("reporting_category",),
    ),
    optional=(
        "automatic_payout_id",
        "payout_id",
        "source_id",
        "payment_intent_id",
        _SHOP,
        _ORDER,
        _REFUND_ORDER,
    ),
    lines=lines,
    checks=checks,
)
