"""Which format a table is, told by the names in its header: column order and extra columns do not matter."""

from collections.abc import Sequence
from dataclasses import dataclass

from worker.domain.errors import InvalidStatement
from worker.statements import (
    adyen,
    bank_csv,
    camt,
    paypal,
    paypal_settlement,
    shopify,
    shopify_payouts,
    stripe,
    stripe_history,
)
from worker.statements.dialect import Dialect
from worker.statements.reader import PREAMBLE, Record

_PROVIDERS: tuple[Dialect, ...] = (
    *stripe.DIALECTS,
    stripe_history.DIALECT,
    adyen.DIALECT,
    shopify.DIALECT,
    shopify_payouts.DIALECT,
    paypal.DIALECT,
)


def in_order(own: Sequence[Dialect]) -> tuple[Dialect, ...]:
    """Return all tables, `own` of the settings among them: what names a provider first, a bank's common columns last."""
    return (*_PROVIDERS, *own, bank_csv.DIALECT)


DIALECTS = in_order(())
"""The tables that can be read; where a header would do for several, the first one takes it."""


def formats(tables: Sequence[Dialect] = DIALECTS) -> tuple[str, ...]:
    """Return the names of all formats that can be read."""
    return (*(dialect.name for dialect in tables), paypal_settlement.FORMAT, camt.FORMAT)


FORMATS = formats()


@dataclass(frozen=True, slots=True)
class Found:
    """The dialect of a file and where its header stands among the records."""

    dialect: Dialect
    index: int


def detect(header: Sequence[str], tables: Sequence[Dialect] = DIALECTS) -> Dialect | None:
    """Return the dialect whose columns are all in `header`, or None."""
    return next((dialect for dialect in tables if not dialect.missing(set(dialect.names(header)))), None)


def locate(
    records: Sequence[Record], wanted: str | None, tables: Sequence[Dialect], known: Sequence[str] = FORMATS
) -> Found:
    """Find the header among the first records of a file. Raises InvalidStatement, saying what was found and what can be read."""
    asked = [dialect for dialect in tables if wanted in {None, dialect.name}]
    for index, record in enumerate(records):
        dialect = detect(record.cells, asked)
        if dialect is None:
            continue
        names = dialect.names(record.cells)
        twice = sorted({column for column in names if column and names.count(column) > 1} & dialect.read)
        if twice:
            raise InvalidStatement(f"the header names a column twice: {', '.join(twice)}")
        return Found(dialect, index)
    raise InvalidStatement(_what_is_wrong(records, asked, known))


def _what_is_wrong(records: Sequence[Record], candidates: Sequence[Dialect], known: Sequence[str]) -> str:
    widest = max(records, key=lambda record: len(record.cells))
    seen = ", ".join(repr(cell[:30]) for cell in widest.cells[:8])
    found = (
        f"no known statement header in the first {PREAMBLE} records; line {widest.line} reads {seen}"
        f"{', ...' if len(widest.cells) > 8 else ''}. Known formats: {', '.join(known)}"
    )
    if not candidates:
        return found
    missing = {dialect.name: dialect.missing(set(dialect.names(widest.cells))) for dialect in candidates}
    nearest = min(candidates, key=lambda dialect: len(missing[dialect.name]) / len(dialect.needs))
    return f"{found}. Nearest is {nearest.name}, which also needs: {'; '.join(missing[nearest.name]) or 'nothing more'}"
