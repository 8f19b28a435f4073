"""Statement files of our own: samples in tests/unit/statements, tables written on the fly, and what every file keeps to."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from hypothesis import strategies as st

from worker.domain.errors import InvalidStatement
from worker.domain.ledger import LedgerLine
from worker.domain.money import format_minor
from worker.statements.parse import ParsedStatement, parse

SAMPLES = Path(__file__).parent / "statements"
NAMES = st.text("ABCabc019_-", min_size=1, max_size=20)
MOMENTS = st.datetimes(datetime(1991, 1, 1), datetime(2098, 12, 31)).map(
    lambda at: at.replace(microsecond=0, tzinfo=UTC)
)
CURRENCIES = st.sampled_from(["EUR", "USD", "JPY", "KWD"])


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc,arg-type]


def sample(name: str) -> bytes:
    return (SAMPLES / name).read_bytes()


def table(header: Sequence[str], rows: Iterable[Sequence[str]], **how: str) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=how.get("delimiter", ","), lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue().encode(how.get("encoding", "utf-8"))


def cells(content: bytes, encoding: str = "utf-8") -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode(encoding))))


def changed(content: bytes, line: int, change: Mapping[str, str]) -> bytes:
    """Return a table with some cells of the row in a line replaced, by column name."""
    header, *rows = cells(content)
    for column, text in change.items():
        rows[line - 2][header.index(column)] = text
    return table(header, rows)


def written(minor: int, currency: str, decimal: str = ".", grouping: str = "") -> str:
    """Write an amount as a file of a locale does."""
    marks = str.maketrans({",": grouping, ".": decimal})
    return format_minor(minor, currency).translate(marks)


def amounts(parsed: ParsedStatement) -> list[tuple[str, str, int, int, int]]:
    return [(x.kind.value, x.currency, x.gross_minor, x.fee_minor, x.net_minor) for x in parsed.lines]


def by_id(parsed: ParsedStatement) -> dict[str, LedgerLine]:
    return {line.line_id: line for line in parsed.lines}


def whole(parsed: ParsedStatement) -> bool:
    """Every record became lines, entries or one reject; every line adds up; every time is UTC."""
    made = len(parsed.lines) + len(parsed.entries)
    suffixes = ("-out", "-in", "-fee")
    extra = sum(line.line_id.endswith(suffixes) for line in parsed.lines)
    return (
        made - extra + len(parsed.rejects) <= parsed.rows <= made + len(parsed.rejects)
        and all(line.gross_minor - line.fee_minor == line.net_minor for line in parsed.lines)
        and all(line.created_at.tzinfo is UTC for line in parsed.lines)
    )


def survives(content: bytes) -> None:
    try:
        parsed = parse("x", content)
    except InvalidStatement:
        return
    assert whole(parsed)


def stripe_row(**changes: str) -> bytes:
    """Return a file of Stripe's of one row."""
    row = {
        "balance_transaction_id": "txn_1",
        "created_utc": "2026-11-17 09:12:44",
        "currency": "eur",
        "gross": "10.00",
        "fee": "0.50",
        "net": "9.50",
        "reporting_category": "charge",
    } | changes
    text = io.StringIO()
    writer = csv.DictWriter(text, list(row))
    writer.writeheader()
    writer.writerow(row)
    return text.getvalue().encode()
