"""Adyen's settlement details report.

Unsigned decimals in major units, in debit and credit columns: gross in the payment's currency (GC), net and the
four fees in the settlement currency (NC). net = gross - fees on every row that has a gross; fee, payout and balance
rows have none. Exponents are Adyen's own. Times stand in the zone their row names. The merchant reference is our
order id, the PSP reference the payment, the modification reference what the line is about.

A row converted to another currency becomes three lines, since a line has one currency: the movement in the payment's
currency, and a transfer out of it and into the settlement currency (where the fees stand).
Source: Adyen documentation, "Settlement details report"; real files.
"""

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from itertools import count

from worker.domain.continuity import BATCHES, Mark
from worker.domain.ledger import LedgerLine, LineKind
from worker.domain.money import format_minor
from worker.statements.cells import Cells, RowRejected, net_must_be
from worker.statements.dialect import Dialect, FileCheck, Line, row_by_row
from worker.statements.self_checks import MOST_PAYOUTS, Once

PROVIDER = "adyen"
KINDS = {
    "settled": LineKind.CHARGE,
    "refunded": LineKind.REFUND,
    "refundedreversed": LineKind.REFUND_FAILURE,
    "chargeback": LineKind.DISPUTE,
    "secondchargeback": LineKind.DISPUTE,
    "chargebackreversed": LineKind.DISPUTE_REVERSAL,
    "fee": LineKind.FEE,
    "merchantpayout": LineKind.PAYOUT,
    "balancetransfer": LineKind.TRANSFER,
    "depositcorrection": LineKind.ADJUSTMENT,
}
"""Any other type is unclassified: shown, never dropped."""

_PAYMENTS = {
    LineKind.CHARGE,
    LineKind.REFUND,
    LineKind.REFUND_FAILURE,
    LineKind.DISPUTE,
    LineKind.DISPUTE_REVERSAL,
}
_METHOD = "payment method"
_NUMBER = re.compile(r"[0-9]{1,9}")
_FEES = ("commission (nc)", "markup (nc)", "scheme fees (nc)", "interchange (nc)")


def lines(row: Cells, _shop: str) -> list[LedgerLine]:
    """Read one row. Raises RowRejected."""
    word = row.required("type")
    kind = KINDS.get(word.lower(), LineKind.UNCLASSIFIED)
    currency = row.currency("net currency")
    net = row.amount("net credit (nc)", currency) - row.amount("net debit (nc)", currency)
    fee = sum(row.amount(column, currency) for column in _FEES)
    if not row.text("net credit (nc)") and not row.text("net debit (nc)"):
        raise RowRejected("net credit (nc)", "neither a net credit nor a net debit")
    paid_in = row.currency("gross currency") if row.text("gross currency") else currency
    has_gross = bool(row.text("gross credit (gc)") or row.text("gross debit (gc)"))
    if kind in _PAYMENTS and not has_gross:
        raise RowRejected("gross credit (gc)", f"a row of type {word} needs a gross amount")
    gross = row.amount("gross credit (gc)", paid_in) - row.amount("gross debit (gc)", paid_in) if has_gross else None
    payment = row.required("psp reference") if kind in _PAYMENTS else row.identifier("psp reference")
    line = LedgerLine(
        line_id=_line_id(row),
        provider=PROVIDER,
        kind=kind,
        currency=currency,
        gross_minor=net + fee if gross is None else gross,
        fee_minor=fee,
        net_minor=net,
        created_at=row.moment("creation date", row.zone("timezone")),
        payment_reference=payment,
        order_id=row.identifier("merchant reference"),
        source_id=row.identifier("modification reference") if payment else "",
        payout_id=row.identifier("batch number"),
        type_text=word,
        method=row.identifier(_METHOD) if kind in _PAYMENTS else "",
    )
    if gross is None or paid_in == currency:
        net_must_be(line.gross_minor, fee, net, currency, "net credit (nc)", PROVIDER)
        return [line]
    moved = replace(line, kind=LineKind.TRANSFER, payment_reference="", order_id="", source_id="", method="")
    return [
        replace(line, currency=paid_in, gross_minor=gross, fee_minor=0, net_minor=gross),
        replace(
            moved, line_id=f"{line.line_id}-out", currency=paid_in, gross_minor=-gross, fee_minor=0, net_minor=-gross
        ),
        replace(moved, line_id=f"{line.line_id}-in", gross_minor=net + fee),
    ]


def _line_id(row: Cells) -> str:
    """Rows carry no id of their own: name one by its content, so that it is the same in every file and order."""
    columns = (
        "merchant account",
        "batch number",
        "type",
        "psp reference",
        "modification reference",
        "creation date",
        "net currency",
        "net debit (nc)",
        "net credit (nc)",
    )
    return hashlib.sha256("\n".join(row.text(column) for column in columns).encode()).hexdigest()[:24]


class Batches(FileCheck):
    """A batch that was paid out nets to zero in its settlement currency; and which batches the file holds."""

    def __init__(self) -> None:
        self._sums: Counter[tuple[str, str]] = Counter()
        self._closed: set[tuple[str, str]] = set()
        self._settled: set[tuple[str, str]] = set()
        self._numbers: defaultdict[str, set[int]] = defaultdict(set)
        self._first_at: datetime | None = None
        self._last_at: datetime | None = None

    def add(self, row: Cells, lines: Sequence[Line]) -> None:
        """Sum up by batch and currency."""
        for line in lines:
            if isinstance(line, LedgerLine):
                if len(self._sums) <= MOST_PAYOUTS:
                    key = (line.payout_id, line.currency)
                    self._sums[key] += line.net_minor
                    if line.kind is LineKind.PAYOUT:
                        self._closed.add(key)
                at = line.created_at
                self._first_at = at if self._first_at is None or at < self._first_at else self._first_at
                self._last_at = at if self._last_at is None or at > self._last_at else self._last_at
        if len(self._sums) <= MOST_PAYOUTS:
            number = row.text("batch number")
            self._settled.add((number, row.text("net currency").upper()))
            if _NUMBER.fullmatch(number):
                self._numbers[row.text("merchant account")].add(int(number))

    def checks(self) -> dict[str, str]:
        """Say of each batch what its rows make."""
        if len(self._sums) > MOST_PAYOUTS:
            return {"batches": f"not in the file: its batches are more than {MOST_PAYOUTS}, too many to sum up each"}
        found = {}
        for key in sorted(self._settled & set(self._sums)):
            batch, currency = key
            total = f"{currency} {format_minor(self._sums[key], currency, PROVIDER)}"
            if key not in self._closed:
                said = f"not in the file: no payout closes it; its rows make {total}"
            else:
                said = f"{'failed' if self._sums[key] else 'ok'}: payout and rows net to {total}"
            found[f"batch {batch} {currency}"] = said
        return found

    def marks(self) -> tuple[Mark, ...]:
        """The numbers of the batches of each merchant account, one mark for those that follow one another."""
        if self._first_at is None or self._last_at is None or len(self._sums) > MOST_PAYOUTS:
            return ()
        first_at, last_at = self._first_at, self._last_at
        found = []
        for account, batches in sorted(self._numbers.items()):
            for opens in sorted(number for number in batches if number - 1 not in batches):
                closes = next(number for number in count(opens) if number + 1 not in batches)
                found.append(
                    Mark(account=account, unit=BATCHES, opens=opens, closes=closes, first_at=first_at, last_at=last_at)
                )
        return tuple(found)


DIALECT = Dialect(
    name="adyen_settlement_details",
    provider=PROVIDER,
    needs=tuple(
        (column,)
        for column in (
            "psp reference",
            "merchant reference",
            "creation date",
            "timezone",
            "type",
            "modification reference",
            "gross currency",
            "gross debit (gc)",
            "gross credit (gc)",
            "net currency",
            "net debit (nc)",
            "net credit (nc)",
            *_FEES,
            "batch number",
        )
    ),
    optional=("merchant account", _METHOD),
    begin=row_by_row(lines),
    checks=(partial(Once, "row"), Batches),
)
