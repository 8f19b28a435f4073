"""Stripe's itemised reports in bulk: rows of the plain form become columns; every other row is told, not guessed.

The format is defined by the parser of rows (worker/statements/stripe.py). What is here only recognises rows that the
parser would surely read, and reads them as it would; a test holds both against each other. Rows that are not plain
are for the parser; a file whose table is not plain is for it as a whole.
"""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from worker.contract.currencies import EXPONENTS
from worker.domain.ledger import STRIPE_CATEGORIES, LineKind
from worker.domain.money import EXPONENTS_BY_PROVIDER
from worker.lake.engine import ROW_GROUP, Engine, parquet, quoted

PROVIDER = "stripe"
FORMAT = "stripe_payout_reconciliation"
TOTALS = frozenset(
    {"total", "totals", "grand total", "sum", "summary", "summe", "gesamt", "gesamtsumme", "saldo", "totale", "totaal"}
)
"""First words of rows that sum up others: a file that ends with one is the parser's as a whole."""
NEEDED = ("balance_transaction_id", "currency", "gross", "fee", "net", "reporting_category")
_HEAD = 65_536
_NAME = "'[!-~]{0,128}'"
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
    named = {name: f"trim(coalesce({column}, ''))" for name, column in zip(header, columns, strict=True) if name}
    sql = opened.connection
    _exponents(opened)
    raw = opened.folder / "report.parquet"
    cells = ", ".join(columns)
    try:
        # The text is read once; everything after that reads columns.
        sql.execute(
            f"copy (select {_line(named, shop)}, is_plain, case when not is_plain then [{cells}] end as cells "  # noqa: S608 - our own columns
            f"from (select *, {_conditions(named)} as is_plain from {source} "
            f"left join exponent on exponent.code = upper({named['currency']}))) "
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
    if any(_first(row) in TOTALS for row in unread):
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


def _conditions(named: Mapping[str, str]) -> str:
    """Return the condition of a plain row: the parser surely reads it."""
    created = _created(named)
    checks = [
        f"regexp_full_match({named['currency']}, '[A-Za-z]{{3}}')",
        "decimals is not null and decimals <= 3",
        *(_is_amount(named[name]) for name in ("gross", "net")),
        f"({named['fee']} = '' or {_is_amount(named['fee'])})",
        f"{_minor(named['gross'])} - {_fee(named)} = {_minor(named['net'])}",
        rf"regexp_full_match({created}, '(199\d|20\d\d)-\d\d-\d\d[ T]\d\d:\d\d:\d\d')",
        f"try_cast({created} as timestamp) is not null",
        rf"({_paid_out(named)} = '' or regexp_full_match({_paid_out(named)}, '(199\d|20\d\d)-\d\d-\d\d( .*)?'))",
        f"({_paid_out(named)} = '' or try_cast(left({_paid_out(named)}, 10) as date) is not null)",
        f"{named['balance_transaction_id']} <> '' and {named['reporting_category']} <> ''",
        *(
            f"regexp_full_match({named[name]}, {_NAME})"
            for name in (
                "balance_transaction_id",
                "reporting_category",
                "payment_intent_id",
                "source_id",
                "automatic_payout_id",
                "payout_id",
                "payment_method_type",
                "payment_metadata[shop]",
                "payment_metadata[order_id]",
                "refund_metadata[order_id]",
            )
            if name in named
        ),
    ]
    seen = _text(named, "customer_facing_amount")
    same = (
        f"{seen} = {named['gross']} and upper({_text(named, 'customer_facing_currency')}) = upper({named['currency']})"
    )
    checks.append(f"({seen} = '' or ({same}))")
    return " and ".join(f"coalesce({check}, false)" for check in checks)


def _line(named: Mapping[str, str], shop: str) -> str:
    """Return the columns of `LedgerLine` of a plain row."""
    category = named["reporting_category"]
    kinds = " ".join(f"when {quoted(word)} then {quoted(kind)}" for word, kind in STRIPE_CATEGORIES.items())
    theirs = _text(named, "payment_metadata[shop]")
    foreign = f"{quoted(shop)} <> '' and {theirs} <> '' and {theirs} <> {quoted(shop)}"
    order = _first_of(_text(named, "payment_metadata[order_id]"), _text(named, "refund_metadata[order_id]"))
    seen = f"{_text(named, 'customer_facing_amount')} <> ''"
    country = _text(named, "card_country")
    paid_out = _paid_out(named)
    values = {
        "line_id": named["balance_transaction_id"],
        "provider": quoted(PROVIDER),
        "kind": f"case {category} {kinds} else {quoted(LineKind.UNCLASSIFIED)} end",
        "currency": f"upper({named['currency']})",
        "gross_minor": _minor(named["gross"]),
        "fee_minor": _fee(named),
        "net_minor": _minor(named["net"]),
        "created_at": f"try_cast({_created(named)} as timestamp)",
        "payment_reference": _text(named, "payment_intent_id"),
        "order_id": f"case when {foreign} then '' else {order} end",
        "source_id": _text(named, "source_id"),
        "payout_id": _first_of(_text(named, "automatic_payout_id"), _text(named, "payout_id")),
        "type_text": category,
        "shop": theirs,
        "method": _text(named, "payment_method_type"),
        "country": f"case when regexp_full_match({country}, '[A-Za-z]{{2}}') then upper({country}) else '' end",
        "customer_currency": f"case when {seen} then upper({named['currency']}) else '' end",
        "customer_minor": f"case when {seen} then {_minor(named['gross'])} else 0 end",
        "payout_at": f"case when {paid_out} <> '' then try_cast(left({paid_out}, 10) as timestamp) end",
    }
    return ", ".join(f"{value} as {name}" for name, value in values.items())


def _text(named: Mapping[str, str], name: str) -> str:
    return named.get(name, "''")


def _first_of(*values: str) -> str:
    some = [f"nullif({value}, '')" for value in values]
    return f"coalesce({', '.join(some)}, '')"


def _created(named: Mapping[str, str]) -> str:
    return _first_of(*(_text(named, name) for name in (*_CREATED, *_PAID_OUT[-2:])))


def _paid_out(named: Mapping[str, str]) -> str:
    return _first_of(*(_text(named, name) for name in _PAID_OUT))


def _is_amount(value: str) -> str:
    """As many decimals as the currency has, or none."""
    whole = f"regexp_full_match({value}, '-?[0-9]{{1,12}}')"
    places = " or ".join(
        rf"(decimals = {places} and regexp_full_match({value}, '-?[0-9]{{1,12}}\.[0-9]{{1,{places}}}'))"
        for places in (2, 3)
    )
    return f"({whole} or {places})"


def _minor(value: str) -> str:
    return f"try_cast(try_cast({value} as decimal(24, 3)) * power_of_ten as bigint)"


def _fee(named: Mapping[str, str]) -> str:
    return f"case when {named['fee']} = '' then 0 else {_minor(named['fee'])} end"
