"""PayPal's activity and statement exports, in the languages they come in.

Decimals in major units with thousands grouped, in the manner of the account's language; fee negative where PayPal
kept it, gross + fee = net on every row. One row is one transaction in one currency: a conversion is a pair that names
what it was made for. `Balance` runs per currency over every row that moved it, also over pending withdrawals; which
pending rows count, it alone can say. A row that moved nothing becomes a line of zero, so that it is not lost.
"""

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, time, tzinfo
from functools import partial

from worker.domain.ledger import LedgerLine, LineKind
from worker.statements import dates, numbers
from worker.statements.cells import Cells, RowRejected, net_must_be, passage, shown
from worker.statements.dialect import Dialect, FileCheck, Line, RowReader
from worker.statements.paypal_balance import Moves, RunningBalances, is_settled
from worker.statements.paypal_words import ALIASES, FOREIGN, is_conversion, kind_of
from worker.statements.scratch import Scratch
from worker.statements.self_checks import Once
from worker.statements.told import DateOrder, Told

PROVIDER = "paypal"
_AMOUNTS = ("gross", "fee", "net", "balance")
_CLOCK = re.compile(r"(\d{1,2})[:.](\d{2})(?:[:.](\d{2}))?(?: ?([AaPp])\.?[Mm]\.?)?", re.ASCII)


def begin(rows: Iterable[Cells], told: Told, header: Sequence[str]) -> RowReader:
    """Find out how the file writes numbers and dates, and which rows moved its balances. Raises InvalidStatement."""
    amounts = numbers.Deciding(PROVIDER, told.decimal)
    days = dates.Deciding(told.dates, usual=DateOrder.DAY_FIRST if FOREIGN & set(header) else None)
    settled = True
    for row in rows:
        currency = row.text("currency").upper()
        for column in _AMOUNTS:
            amounts.look(row.text(column), currency)
        days.look(row.text("date"))
        settled = settled and is_settled(row)
    written = amounts.decided()
    order = days.decided()
    moves = Moves()
    for row in () if settled else rows:
        row.numbers = written
        moves.look(row)
    moved = moves.moved()

    def read(row: Cells) -> list[LedgerLine]:
        row.numbers = written
        return [_line(row, order, moved=moved(row))]

    return read


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


class Conversions(FileCheck):
    """Check that two lines of a conversion name each other, or both name what the money was converted for."""

    def __init__(self) -> None:
        self._lines = Scratch("name", "other", "currency", "positive")

    def add(self, row: Cells, lines: Sequence[Line]) -> None:  # noqa: ARG002 - a check of lines
        """Note both sides of conversions."""
        for line in lines:
            if isinstance(line, LedgerLine) and line.net_minor and is_conversion(line.type_text):
                self._lines.add(line.line_id, line.payment_reference, line.currency, line.net_minor > 0)

    def checks(self) -> dict[str, str]:
        """Say how many there are, and which has one side alone."""
        ((pairs, alone, first),) = self._lines.ask(_PAIRS)
        if not pairs:
            return {}
        said = f"failed: {alone} without both sides, first {first}" if alone else f"ok: {pairs} with both sides"
        return {"currency conversions": said}


_PAIRS = """
with sides as (select name, other, currency, positive from notes where rowid in (select max(rowid) from notes group by name)),
named as (
    select currency, positive,
        case when other in (select name from sides) then min(name, other) when other <> '' then other else name end as pair
    from sides
),
pairs as (
    select pair, count(distinct currency) <> 2 or count(distinct positive) <> 2 as alone from named group by pair
)
select count(*), coalesce(sum(alone), 0), min(case when alone then pair end) from pairs
"""


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
    checks=(partial(Once, "transaction"), Conversions, partial(RunningBalances, PROVIDER)),
    aliases=ALIASES,
    totals=("gross", "fee", "net"),
    checked="gross and fee make net",
)
