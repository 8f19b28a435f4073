"""Which format a file is, told by the names in its header: column order and extra columns do not matter."""

from collections.abc import Sequence
from dataclasses import dataclass

from worker.domain.errors import InvalidStatement
from worker.statements import adyen, stripe
from worker.statements.dialect import Dialect
from worker.statements.reader import PREAMBLE, Record

DIALECTS: tuple[Dialect, ...] = (stripe.DIALECT, adyen.DIALECT)
FORMATS = tuple(dialect.name for dialect in DIALECTS)
"""Names of the formats that can be read."""


@dataclass(frozen=True, slots=True)
class Found:
    """The dialect of a file and where its header stands among the records."""

    dialect: Dialect
    index: int
    columns: dict[str, int]


def detect(header: Sequence[str]) -> str | None:
    """Return the format whose columns are all in `header`, or None."""
    names = set(_names(header))
    return next((dialect.name for dialect in DIALECTS if not dialect.missing(names)), None)


def locate(records: Sequence[Record], wanted: str | None) -> Found:
    """Find the header near the top. Raises InvalidStatement, saying what was found and what can be read."""
    if wanted is not None and wanted not in FORMATS:
        raise InvalidStatement(f"unknown format {wanted[:60]!r}; known: {', '.join(FORMATS)}")
    for index, record in enumerate(records[:PREAMBLE]):
        name = detect(record.cells)
        if name is None or (wanted is not None and name != wanted):
            continue
        names = _names(record.cells)
        dialect = next(one for one in DIALECTS if one.name == name)
        twice = sorted({column for column in names if column and names.count(column) > 1} & dialect.read)
        if twice:
            raise InvalidStatement(f"the header names a column twice: {', '.join(twice)}")
        return Found(dialect, index, {column: at for at, column in enumerate(names)})
    raise InvalidStatement(_what_is_wrong(records, wanted))


def _names(header: Sequence[str]) -> list[str]:
    return [" ".join(cell.split()).lower() for cell in header]


def _what_is_wrong(records: Sequence[Record], wanted: str | None) -> str:
    widest = max(records[:PREAMBLE], key=lambda record: len(record.cells))
    names = set(_names(widest.cells))
    candidates = [dialect for dialect in DIALECTS if wanted in {None, dialect.name}]
    nearest = min(candidates, key=lambda dialect: len(dialect.missing(names)) / len(dialect.needs))
    missing = nearest.missing(names)
    seen = ", ".join(repr(cell[:30]) for cell in widest.cells[:8])
    return (
        f"no known statement header in the first {PREAMBLE} records; line {widest.line} reads {seen}"
        f"{', ...' if len(widest.cells) > 8 else ''}. Known formats: {', '.join(FORMATS)}. "
        f"Nearest is {nearest.name}, which also needs: {'; '.join(missing) or 'nothing more'}"
    )
