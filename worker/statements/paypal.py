"""PayPal's activity and statement exports, in the languages they come in.

Decimals in major units with thousands grouped, in the manner of the account's language; fee negative where PayPal
kept it, gross + fee = net on every row. One row is one transaction in one currency: a conversion is a pair that names
what it was made for. `Balance` runs per currency over every row that moved it, also over pending withdrawals; which
pending rows count, it alone can say. A row that moved nothing becomes a line of zero, so that it is not lost.
"""

import re
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, time, tzinfo

from worker.domain.continuity import Mark
from worker.domain.ledger import LedgerLine, LineKind
from worker.statements import dates, numbers
from worker.statements.cells import Cells, RowRejected, net_must_be, passage, shown
from worker.statements.dialect import Dialect, Line, RowReader
from worker.statements.paypal_balance import balance_marks, moves, running_balances
from worker.statements.paypal_words import ALIASES, FOREIGN, is_conversion, kind_of
from worker.statements.self_checks import once
from worker.statements.told import DateOrder, Told

PROVIDER = "paypal"
_AMOUNTS = ("gross", "fee", "net", "balance")
_CLOCK = re.compile(r"(\d{1,2})[:.](\d{2})(?:[:.](\d{2}))?(?: ?([AaPp])\.?[Mm]\.?)?", re.ASCII)


def begin(rows: Sequence[Cells], told: Told, header: Sequence[str]) -> RowReader:
    """Find out how the file writes numbers and dates, and which rows moved its balances. Raises InvalidStatement."""
    amounts = ((row.text(column), row.text("currency").upper()) for row in rows for column in _AMOUNTS)
    written = numbers.decide(amounts, PROVIDER, told.decimal)
    for row in rows:
        row.numbers = written
    usual = DateOrder.DAY_FIRST if FOREIGN & set(header) else None
    order = dates.decide((row.text("date") for row in rows), told.dates, usual=usual)
    moved = moves(rows)
    return lambda row: [_line(row, order, moved=row.line in moved)]


def _line(row: Cells, order: DateOrder, *, moved: bool) -> LedgerLine:
    currency = row.currency("currency")
    gross = row.amount("gross", currency, required=True)
    fee = -row.amount("fee", currency)
    net = row.amount("net", currency, required=True)
    net_must_be(gross, fee, net, currency, "net", PROVIDER)
    row.amount("balance", currency)
    word = row.required("type")
    kind = kind_of(row.text("event code").upper(), word, gross)
    transaction, other = row.required("transaction id"), row.identifier("reference txn id")
    at = _moment(row, order)
    if not moved:
        kind, gross, fee, net = LineKind.TRANSFER, 0, 0, 0
        why = row.text("status") or row.text("balance impact") or "moved nothing"
        word = f"{word} ({passage(why, 40)})"
    return LedgerLine(
        line_id=transaction,
        provider=PROVIDER,
        kind=kind,
        currency=currency,
        gross_minor=gross,
        fee_minor=fee,
        net_minor=net,
        created_at=at,
        payment_reference=transaction if kind is LineKind.CHARGE else other,
        order_id=row.identifier("invoice number") or row.identifier("custom"),
        source_id=transaction,
        payout_id=transaction if kind is LineKind.PAYOUT else "",
        type_text=word,
        method="paypal" if kind is LineKind.CHARGE else "",
        country=row.country("country"),
        payout_at=at if kind is LineKind.PAYOUT else None,
    )


def _moment(row: Cells, order: DateOrder) -> datetime:
    text = row.text("date")
    day = dates.read_day(text, order)
    if day is None:
        raise RowRejected("date", f"is no date ({order}): {shown(text)}")
    zone: tzinfo = row.zone("timezone") if row.text("timezone") else UTC
    clock = row.text("time")
    found = _CLOCK.fullmatch(clock)
    try:
        if found is None:
            raise ValueError
        hour = int(found[1])
        if found[4]:
            hour = hour % 12 + (12 if found[4] in "pP" else 0)
        at = datetime.combine(day, time(hour, int(found[2]), int(found[3] or 0)), zone).astimezone(UTC)
    except (ValueError, OverflowError):
        raise RowRejected("time", f"is no time of day: {shown(clock)}") from None
    return row.within("date", at)


def checks(read: Sequence[Line], rows: Sequence[Cells]) -> dict[str, str]:
    """Each transaction once, conversions in pairs, and every running balance without a gap."""
    lines = [line for line in read if isinstance(line, LedgerLine)]
    return once("transaction", lines) | _conversions(lines) | running_balances(rows, PROVIDER)


def marks(read: Sequence[Line], rows: Sequence[Cells]) -> tuple[Mark, ...]:
    """The balance of each currency before the first row and after the last. The account stands in no export."""
    return balance_marks(rows, {line.line_id: line.created_at for line in read if isinstance(line, LedgerLine)})


def _conversions(lines: Sequence[LedgerLine]) -> dict[str, str]:
    """Two lines of a conversion name each other, or both name what the money was converted for."""
    converted = {line.line_id: line for line in lines if is_conversion(line.type_text) and line.net_minor}
    if not converted:
        return {}
    pairs: defaultdict[str, list[LedgerLine]] = defaultdict(list)
    for line in converted.values():
        other = line.payment_reference
        pairs[min(line.line_id, other) if other in converted else other or line.line_id].append(line)
    alone = sorted(
        name
        for name, some in pairs.items()
        if len({line.currency for line in some}) != 2 or len({line.net_minor > 0 for line in some}) != 2
    )
    said = (
        f"failed: {len(alone)} without both sides, first {alone[0]}" if alone else f"ok: {len(pairs)} with both sides"
    )
    return {"currency conversions": said}


DIALECT = Dialect(
    name="paypal_activity",
    provider=PROVIDER,
    needs=(
        ("date",),
        ("time",),
        ("timezone",),
        ("type",),
        ("currency",),
        ("gross",),
        ("fee",),
        ("net",),
        ("transaction id",),
    ),
    optional=(
        "status",
        "balance",
        "balance impact",
        "reference txn id",
        "invoice number",
        "custom",
        "event code",
        "country",
    ),
    begin=begin,
    checks=checks,
    marks=marks,
    aliases=ALIASES,
    totals=("gross", "fee", "net"),
    checked="gross and fee make net",
)
