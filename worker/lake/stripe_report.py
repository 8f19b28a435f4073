"""Stripe's itemised reports in bulk: rows of the plain form become columns; every other row is told, not guessed.

The format is defined by the parser of rows (worker/statements/stripe.py). What is here only recognises rows that the
parser would surely read, and reads them as it would; a test holds both against each other. Rows that are not plain
are for the parser; a file whose table is not plain is for it as a whole.
"""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from worker.contract.currencies import EXPONENTS
from worker.domain.ledger import STRIPE_CATEGORIES, TOTAL_WORDS, LineKind
from worker.domain.money import EXPONENTS_BY_PROVIDER
from worker.lake.engine import ROW_GROUP, Engine, parquet, quoted

PROVIDER = "stripe"
FORMAT = "stripe_payout_reconciliation"
NEEDED = ("balance_transaction_id", "currency", "gross", "fee", "net", "reporting_category")
_HEAD = 65_536
_CREATED = ("created_utc", "created")
_PAID_OUT = (
    "automatic_payout_effective_at_utc",
    "automatic_payout_effective_at",
    "payout_expected_arrival_date",
    "effective_at_utc",
    "effective_at",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkReport:
    """A report that was read: its plain rows are the engine's view `plain`."""

    rows: int
    header: tuple[str, ...]
    odd: tuple[tuple[str, ...], ...]
    """Cells of the rows that are not plain, unordered."""


def read_report(opened: Engine, path: Path, shop: str, most_odd: int = 10_000) -> BulkReport | None:
    """Read a report into the engine's view `plain`; None where the whole file is for the parser.

    `shop` is ours: an order id counts only where the row names it, or no shop. More than `most_odd` rows that are not
    plain are no exceptions any more.
    """
    header = _header(path)
    if header is None:
        return None
    columns = [f"c{number}" for number in range(len(header))]
    types = ", ".join(f"{quoted(name)}: 'VARCHAR'" for name in columns)
    source = (
        f"read_csv({quoted(path)}, header = true, auto_detect = false, delim = ',', quote = '\"', escape = '\"', "
        f"columns = {{{types}}}, strict_mode = true, max_line_size = 1048576)"
    )
    sql = opened.connection
    _exponents(opened)
    raw = opened.folder / "report.parquet"
    cells = ", ".join(columns)
    try:
        # The text is read once; everything after that reads columns.
        sql.execute(
            f"copy (select {_line(shop)}, is_plain, case when not is_plain then [{cells}] end as cells "  # noqa: S608 - our own columns
            f"from (select *, {_conditions()} as is_plain from (select *, {_amounts()} from ("
            f"select {cells}, {_fields(header, columns)} from {source}) "
            f"left join exponent on exponent.code = currency))) "
            f"to {quoted(raw)} (format parquet, row_group_size {ROW_GROUP})"
        )
    except duckdb.Error:
        return None
    told = parquet([raw])
    rows, odd = sql.execute(f"select count(*), count(*) filter (where not is_plain) from {told}").fetchall()[0]  # noqa: S608
    # A reader that took two rows for one, or none for many, would lose money silently: the count is checked apart.
    if odd > most_odd or rows != _records(path):
        return None
    found = sql.execute(f"select cells from {told} where not is_plain").fetchall()  # noqa: S608
    unread = tuple(tuple(cell or "" for cell in row) for (row,) in found)
    # A file that ends with a row of totals is the parser's as a whole.
    if any(_first(row) in TOTAL_WORDS for row in unread):
        return None
    sql.execute(
        f"create or replace temp view plain as select * exclude (is_plain, cells) from {told} where is_plain"  # noqa: S608
    )
    return BulkReport(rows=rows, header=header, odd=unread)


def _header(path: Path) -> tuple[str, ...] | None:
    """Return the columns of a table that starts in the first line, plain; None for any other file."""
    with path.open("rb") as file:
        head = file.read(_HEAD)
    try:
        first = head.decode("utf-8-sig", errors="ignore").splitlines()[0]
        cells = next(csv.reader(io.StringIO(first)))
    except (IndexError, StopIteration, csv.Error):
        return None
    names = tuple(" ".join(cell.split()).lower() for cell in cells)
    known = set(names)
    if not known.issuperset(NEEDED) or known.isdisjoint(_CREATED) or len(names) != len(known) or b"\0" in head:
        return None
    return names


def _records(path: Path) -> int:
    """Return how many records the file has below its header, if each stands in one line of its own."""
    ends = 0
    last = b"\n"
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            ends += chunk.count(b"\n")
            last = chunk[-1:]
    return ends - 1 + (last != b"\n")


def _first(row: Sequence[str]) -> str:
    return next((cell.strip() for cell in row if cell.strip()), "").rstrip(":").casefold()


def _exponents(opened: Engine) -> None:
    known = EXPONENTS | EXPONENTS_BY_PROVIDER[PROVIDER]
    rows = ", ".join(f"({quoted(code)}, {decimals}, {10**decimals})" for code, decimals in sorted(known.items()))
    opened.connection.execute(
        "create or replace temp table exponent as "  # noqa: S608 - our own table of currencies
        f"select * from (values {rows}) as known(code, decimals, power_of_ten)"
    )


_IDENTIFIERS = {
    "line": "balance_transaction_id",
    "category": "reporting_category",
    "payment": "payment_intent_id",
    "source": "source_id",
    "automatic_payout": "automatic_payout_id",
    "manual_payout": "payout_id",
    "method": "payment_method_type",
    "their_shop": "payment_metadata[shop]",
    "payment_order": "payment_metadata[order_id]",
    "refund_order": "refund_metadata[order_id]",
}


def _fields(header: Sequence[str], columns: Sequence[str]) -> str:
    """Return the cells that matter by the names used here, trimmed; empty where the report has no such column."""
    place = dict(zip(header, columns, strict=True))

    def text(name: str) -> str:
        return f"trim(coalesce({place[name]}, ''))" if name in place else "''"

    def first_of(names: Sequence[str]) -> str:
        some = [f"nullif({text(name)}, '')" for name in names if name in place]
        return f"coalesce({', '.join(some)}, '')" if some else "''"

    fields = {name: text(column) for name, column in _IDENTIFIERS.items()} | {
        "currency": f"upper({text('currency')})",
        "gross": text("gross"),
        "fee": text("fee"),
        "net": text("net"),
        "created": first_of((*_CREATED, *_PAID_OUT[-2:])),
        "paid_out": first_of(_PAID_OUT),
        "country": text("card_country"),
        "seen": text("customer_facing_amount"),
        "seen_in": f"upper({text('customer_facing_currency')})",
    }
    return ", ".join(f"{value} as {name}" for name, value in fields.items())


def _amounts() -> str:
    """Return the amounts in minor units; null where a cell is none."""
    minor = "try_cast(try_cast({} as decimal(24, 3)) * power_of_ten as bigint)"
    return (
        f"{minor.format('gross')} as gross_minor, {minor.format('net')} as net_minor, "
        f"case when fee = '' then 0 else {minor.format('fee')} end as fee_minor"
    )


_DAY = (
    "paid_out[5] = '-' and paid_out[8] = '-' and paid_out[11] in ('', ' ') "
    "and try_cast(paid_out[1:10] as date) between '1990-01-01' and '2099-12-31'"
)


def _conditions() -> str:
    """Return the condition of a plain row: the parser surely reads it."""
    amount = r"-?[0-9]{{1,12}}(\.[0-9]{{1,{places}}})?"
    amounts = " ".join(
        f"when {places} then regexp_full_match(concat(gross, '|', fee, '|', net), "
        f"{quoted(f'{one}[|]({one})?[|]{one}')})"
        for places in (2, 3)
        for one in [amount.format(places=places)]
    )
    whole = quoted("-?[0-9]{1,12}[|](-?[0-9]{1,12})?[|]-?[0-9]{1,12}")
    checks = [
        # All names at once: printable ASCII without spaces, which the parser takes as they are.
        f"regexp_full_match(concat({', '.join(_IDENTIFIERS)}), '[!-~]*')",
        f"greatest({', '.join(f'length({name})' for name in _IDENTIFIERS)}) <= 128",
        "line <> '' and category <> ''",
        f"case decimals {amounts} when 0 then regexp_full_match(concat(gross, '|', fee, '|', net), {whole}) else false end",
        "gross_minor - fee_minor = net_minor",
        "length(created) = 19 and created[5] = '-' and created[8] = '-' and created[14] = ':' and created[17] = ':'",
        "try_cast(created as timestamp) between '1990-01-01' and '2099-12-31 23:59:59'",
        f"(paid_out = '' or ({_DAY}))",
        "(seen = '' or (seen = gross and seen_in = currency))",
    ]
    return " and ".join(f"coalesce({check}, false)" for check in checks)


def _line(shop: str) -> str:
    """Return the columns of `LedgerLine` of a plain row."""
    kinds = " ".join(f"when {quoted(word)} then {quoted(kind)}" for word, kind in STRIPE_CATEGORIES.items())
    foreign = f"{quoted(shop)} <> '' and their_shop <> '' and their_shop <> {quoted(shop)}"
    values = {
        "line_id": "line",
        "provider": quoted(PROVIDER),
        "kind": f"case category {kinds} else {quoted(LineKind.UNCLASSIFIED)} end",
        "currency": "currency",
        "gross_minor": "gross_minor",
        "fee_minor": "fee_minor",
        "net_minor": "net_minor",
        "created_at": "try_cast(created as timestamp)",
        "payment_reference": "payment",
        "order_id": f"case when {foreign} then '' when payment_order <> '' then payment_order else refund_order end",
        "source_id": "source",
        "payout_id": "case when automatic_payout <> '' then automatic_payout else manual_payout end",
        "type_text": "category",
        "shop": "their_shop",
        "method": "method",
        "country": "case when regexp_full_match(country, '[A-Za-z]{2}') then upper(country) else '' end",
        "customer_currency": "case when seen <> '' then currency else '' end",
        "customer_minor": "case when seen <> '' then gross_minor else 0 end",
        "payout_at": "try_cast(paid_out[1:10] as timestamp)",
    }
    return ", ".join(f"{value} as {name}" for name, value in values.items())
