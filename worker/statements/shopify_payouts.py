"""Shopify Payments' payouts export: one row a payout, with the sums of what it is made of.

Decimals in major units; every part signed from the shop's view, fees negative: the parts sum to the total. Older
exports write fees without their sign, which shows in the sum. A payout has no id there, but its day; a newer
export names the bank's reference. What has failed or was cancelled has come back: two lines, that move nothing together.
"""

from dataclasses import replace
from functools import partial

from worker.domain.ledger import LedgerLine, LineKind
from worker.domain.money import format_minor
from worker.services.ports import StatementScope
from worker.statements.cells import WRITTEN, Cells, RowRejected
from worker.statements.dialect import Dialect, row_by_row
from worker.statements.self_checks import Once
from worker.statements.shopify import PROVIDER

PARTS = (
    "charges",
    "refunds",
    "adjustments",
    "marketplace sales tax",
    "advances",
    "reserved funds",
    "retried amount",
)
_NOT_LEFT = {"failed", "canceled", "cancelled"}


def lines(row: Cells, _shop: str) -> list[LedgerLine]:
    """Read one row. Raises RowRejected."""
    currency = row.currency("currency")
    parts = sum(row.amount(part, currency) for part in PARTS)
    fees = row.amount("fees", currency)
    total = row.amount("total", currency, required=True)
    if total not in {parts + fees, parts - fees}:
        made, said = (format_minor(minor, currency, PROVIDER) for minor in (parts - abs(fees), total))
        raise RowRejected("total", f"the parts make {made}, the total is {said}")
    paid_out = row.midnight("payout date")
    if paid_out is None:
        raise RowRejected("payout date", "is empty")
    status = row.required("status").lower()
    reference = row.identifier("bank reference")
    payout = LedgerLine(
        line_id="-".join(filter(None, (f"{paid_out:%Y-%m-%d}", currency, status, reference, str(total)))),
        provider=PROVIDER,
        kind=LineKind.PAYOUT,
        currency=currency,
        gross_minor=-total,
        fee_minor=0,
        net_minor=-total,
        created_at=paid_out,
        source_id=reference,
        payout_id=row.identifier("payout id") or f"{paid_out:%Y-%m-%d}",
        type_text=status,
        payout_at=paid_out,
    )
    if status not in _NOT_LEFT:
        return [payout]
    back = replace(payout, line_id=f"{payout.line_id}-in", kind=LineKind.TRANSFER, gross_minor=total, net_minor=total)
    return [payout, back]


DIALECT = Dialect(
    name="shopify_payouts",
    provider=PROVIDER,
    needs=(("payout date",), ("status",), ("charges",), ("refunds",), ("fees",), ("total",), ("currency",)),
    optional=(*PARTS, "payout id", "bank reference"),
    begin=row_by_row(lines, WRITTEN),
    checks=(partial(Once, "payout"),),
    scope=StatementScope.PAYOUTS,
    totals=("total",),
    checked="parts make the total",
)
