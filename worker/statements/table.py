"""The rows of a table, read by a dialect one after the other: lines, rejects, and what was checked."""

from collections import deque
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from worker.domain.continuity import Mark
from worker.domain.ledger import TOTAL_WORDS
from worker.domain.money import format_minor
from worker.services.ports import RejectedRow
from worker.services.spool import Spool
from worker.statements.cells import PLAIN, Cells, RowRejected
from worker.statements.dialect import Dialect, FileCheck, Line
from worker.statements.numbers import Numbers
from worker.statements.reader import Record
from worker.statements.told import Told

TRAILING = 5
"""Records at the end of a file among which rows of totals are looked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """What was read from a file beside its lines and its rejects, whatever its kind."""

    rows: int
    checks: Mapping[str, str]
    period: tuple[datetime, datetime] | None = None
    """The time the file itself says it tells of."""
    marks: tuple[Mark, ...] = ()
    """What it begins and ends with, where the format tells."""


class _Rows:
    """The records below a header, but for the totals at their end. To go through them again is to read the file again."""

    def __init__(self, dialect: Dialect, header: Sequence[str], records: Iterable[Record]) -> None:
        self._columns = {column: at for at, column in enumerate(dialect.names(header))}
        self._width = len(header)
        self._provider = dialect.provider
        self._records = records
        self.totals: list[Record] = []
        """Once they were gone through: the rows that sum up the others."""

    def records(self) -> Iterator[Record]:
        held: deque[Record] = deque()
        for record in self._records:
            held.append(record)
            if len(held) > TRAILING:
                yield held.popleft()
        self.totals = _totals(held)
        for _ in self.totals:
            held.pop()
        yield from held

    def cells(self, record: Record) -> Cells | None:
        """Return the cells of a record by the names of the header; None where there are more or fewer."""
        if len(record.cells) != self._width:
            return None
        return Cells(self._columns, record.cells, self._provider, record.line)

    def __iter__(self) -> Iterator[Cells]:
        return filter(None, map(self.cells, self.records()))

    def misfit(self, record: Record) -> RejectedRow:
        reason = f"has {len(record.cells)} cells where the header has {self._width}"
        return RejectedRow(line=record.line, column="", reason=reason)


def read_table(
    dialect: Dialect,
    header: Sequence[str],
    records: Iterable[Record],
    told: Told,
    rejects: Spool[RejectedRow],
    counting: Sequence[FileCheck] | None = None,
) -> Generator[Line, None, Body]:
    """Yield the lines of the records below a header; rows that cannot be read go to `rejects`.

    `counting` is what the file is checked for, otherwise what the dialect says. `records` can be gone through again
    where the dialect looks at all of them first. Raises InvalidStatement where the file leaves open how to read it.
    """
    counting = [check() for check in dialect.checks] if counting is None else counting
    rows = _Rows(dialect, header, records)
    read = dialect.begin(rows, told, dialect.plain(header))
    count, before = 0, len(rejects)
    currencies: set[str] = set()
    numbers = PLAIN
    for record in rows.records():
        count += 1
        row = rows.cells(record)
        if row is None:
            rejects.add(rows.misfit(record))
            continue
        try:
            lines = read(row)
        except RowRejected as reason:
            rejects.add(RejectedRow(line=row.line, column=reason.column, reason=reason.reason))
            continue
        for check in counting:
            check.add(row, lines)
        if dialect.totals:
            currencies.add(row.text("currency").upper())
            numbers = row.numbers
        yield from lines
    rejected = len(rejects) - before
    checks = {"every row read": every_row(rejected, f"{count} rows", count)}
    if dialect.checked:
        checks[dialect.checked] = f"ok: on {count - rejected} rows"
    for record in rows.totals:
        said = _total(dialect, rows.cells(record), rows, currencies, numbers, whole=not rejected)
        checks[f"total in line {record.line}"] = said
    for check in counting:
        checks |= check.checks()
    return Body(rows=count, checks=checks, marks=tuple(mark for check in counting for mark in check.marks()))


def every_row(rejected: int, read: str, count: int) -> str:
    """Say whether every row could be read; `read` is how many of what there are."""
    return f"failed: {rejected} of {count} rejected" if rejected else f"ok: {read}"


def _totals(end: Iterable[Record]) -> list[Record]:
    """Tell the rows of totals at the end of a file from the rows they sum up."""
    totals: list[Record] = []
    for record in reversed(list(end)):
        first = next((cell.strip() for cell in record.cells if cell.strip()), "")
        if first.rstrip(":").casefold() not in TOTAL_WORDS:
            break
        totals.insert(0, record)
    return totals


def _total(
    dialect: Dialect, total: Cells | None, rows: Iterable[Cells], found: set[str], numbers: Numbers, *, whole: bool
) -> str:
    """Compare a row of totals with the sum of the rows; it is no movement of money, so it becomes no line.

    The rows are read once more for each column: files with totals are few, and few are large.
    """
    if total is None or not any(total.text(column) for column in dialect.totals):
        return "not in the file: the row holds no amount that could be compared"
    currencies = found or {total.text("currency").upper()}
    if len(currencies) != 1:
        return "not in the file: one total over several currencies says nothing"
    if not whole:
        return "not in the file: rows were rejected"
    (currency,) = currencies
    total.numbers = numbers
    wrong = []
    try:
        for column in dialect.totals:
            if total.text(column):
                said = total.amount(column, currency)
                summed = sum(row.amount(column, currency, numbers=numbers) for row in rows)
                if said != summed:
                    shown = [format_minor(minor, currency, dialect.provider) for minor in (said, summed)]
                    wrong.append(f"{column} says {shown[0]}, the rows make {shown[1]}")
    except RowRejected as reason:
        return f"failed: {reason.column} {reason.reason}"
    return f"failed: {'; '.join(wrong)}" if wrong else "ok: the rows make what it says"
