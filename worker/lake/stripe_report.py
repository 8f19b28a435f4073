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
from worker.lake.engine import Engine, quoted

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
    """A report that can be read in bulk. Both selects read the file anew: the first is meant to be asked once."""

    header: tuple[str, ...]
    records: int
    """How many rows it has if each stands in one line; a reader that saw another number of them did not understand it."""
    plain: str
    """Select of its plain rows, as columns of `LedgerLine`."""
    odd: str
    """Select of the rows that are not plain: their cells, as one list."""

    def odd_rows(self, opened: Engine, plain_rows: int, most: int = 10_000) -> tuple[tuple[str, ...], ...] | None:
        """Return the cells of the rows that are not plain, unordered; None where the whole file is for the parser.

        A reader that took two rows for one, or none for many, would lose money silently: all rows must be there. More
        than `most` odd ones are no exceptions any more.
        """
        left = self.records - plain_rows
        if not left:
            return ()
        if not 0 < left <= most:
            return None
        try:
            found = opened.connection.execute(f"{self.odd} limit {left + 1}").fetchall()
        except duckdb.Error:
            return None
        if len(found) != left:
            return None
        rows = tuple(tuple(cell or "" for cell in row) for (row,) in found)
        return None if any(_first(row) in TOTAL_WORDS for row in rows) else rows


def read_report(path: Path, shop: str) -> BulkReport | None:
    """Look at a report; None where the whole file is for the parser.

    `shop` is ours: an order id counts only where the row names it, or no shop.
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
    # Steps of their own: what is computed once is named, and what is asked of a row is asked of a name.
    read = (
        f"from (select *, {_amounts()} from (select *, {_decimals()} as decimals from ("  # noqa: S608 - our own columns
        f"select {', '.join(columns)}, {_fields(header, columns)} from {source})))"
    )
    records, tidy = _told_by_bytes(path)
    conditions = " and ".join(_checks(tidy=tidy))
    return BulkReport(
        header=header,
        records=records,
        plain=f"select {_line(shop)} {read} where {conditions}",
        odd=f"select [{', '.join(columns)}] {read} where ({conditions}) is not true",
    )


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


_TIDY = bytes(range(0x20, 0x7F)) + b"\n"
"""Printable ASCII."""


def _told_by_bytes(path: Path) -> tuple[int, bool]:
    """Return how many records the file has below its header, if each stands in one line of its own; whether it is tidy.

    A tidy file is printable ASCII from one end to the other, so that its cells need not be looked at for anything else.
    """
    ends, last, tidy = 0, b"\n", True
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            ends += chunk.count(b"\n")
            last = chunk[-1:]
            tidy = tidy and not chunk.translate(None, _TIDY)
    return ends - 1 + (last != b"\n"), tidy


def _first(row: Sequence[str]) -> str:
    return next((cell.strip() for cell in row if cell.strip()), "").rstrip(":").casefold()


_POWERS = {0: "1", 2: "100", 3: "1000"}
"""Places of the amounts that are read in bulk, and what makes minor units of them."""


def _decimals() -> str:
    """Return how many places amounts of the row's currency have; null where it is unknown or has others.

    Codes are looked for in a text of them. A join would be cleaner, but the engine, which does not know how large a CSV
    file is, would take the file for the smaller side and hold all of it in memory.
    """
    known = EXPONENTS | EXPONENTS_BY_PROVIDER[PROVIDER]
    by_places = {places: [code for code in sorted(known) if known[code] == places] for places in _POWERS}
    cases = " ".join(
        f"when contains({quoted(' '.join(codes))}, currency) then {places}" for places, codes in by_places.items()
    )
    return f"case when strlen(currency) <> 3 then null {cases} end"


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
    """Return the cells that matter by the names used here, as they stand; empty where the report has no such column.

    Nothing is trimmed: a cell with a space at either end meets no condition of a plain row.
    """
    place = dict(zip(header, columns, strict=True))

    def text(name: str) -> str:
        return f"coalesce({place[name]}, '')" if name in place else "''"

    def first_of(names: Sequence[str]) -> str:
        some = [f"nullif({place[name]}, '')" for name in names if name in place]
        return f"coalesce({', '.join([*some, quoted('')])})"

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
    """Return the amounts in minor units; null where a cell is none.

    Fourteen digits, and four of the power of ten: the product is still of a width that the engine computes in 64 bits.
    """
    power = " ".join(f"when {places} then {power}::decimal(4, 0)" for places, power in _POWERS.items())
    minor = f"(try_cast({{}} as decimal(14, 3)) * case decimals {power} end)::bigint"
    return (
        f"{minor.format('gross')} as gross_minor, {minor.format('net')} as net_minor, "
        f"case when fee = '' then 0 else {minor.format('fee')} end as fee_minor"
    )


_DAY = (
    "paid_out[5] = '-' and paid_out[8] = '-' and paid_out[11] in ('', ' ') "
    "and try_cast(left(paid_out, 10) as date) between '1990-01-01' and '2099-12-31'"
)


def _checks(*, tidy: bool) -> list[str]:
    """Return the conditions of a plain row, which the parser surely reads; the cheapest first."""
    amount = r"-?[0-9]{{1,11}}(\.[0-9]{{1,{places}}})?"
    whole = "-?[0-9]{1,11}"
    by_decimals = {places: amount.format(places=places) if places else whole for places in _POWERS}
    amounts = " ".join(
        f"when {places} then regexp_full_match(concat(gross, '|', fee, '|', net), "
        f"{quoted(f'{one}[|]({one})?[|]{one}')})"
        for places, one in by_decimals.items()
    )
    names = (*_IDENTIFIERS, "currency", "country")
    return [
        "gross_minor - fee_minor = net_minor",
        "line <> '' and category <> ''",
        "created like '____-__-__ __:__:__'",
        "try_cast(created as timestamp) between '1990-01-01' and '2099-12-31 23:59:59'",
        f"(paid_out = '' or ({_DAY}))",
        "(seen = '' or (seen = gross and seen_in = currency))",
        f"greatest({', '.join(f'strlen({name})' for name in names)}) <= 128",
        f"case decimals {amounts} else false end",
        # All names at once: printable ASCII without spaces, which the parser takes as they are. A line that ends within
        # one shows in the number of rows.
        f"not contains(concat({', '.join(names)}), ' ')"
        if tidy
        else f"not regexp_matches(concat({', '.join(names)}), '[^!-~]')",
    ]


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
        "payout_at": "try_cast(left(paid_out, 10) as timestamp)",
    }
    return ", ".join(f"{value} as {name}" for name, value in values.items())
