"""The rows of a table, read by a dialect: lines, rejects, and what was checked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

from worker.domain.continuity import Mark
from worker.domain.ledger import TOTAL_WORDS, BankEntry, LedgerLine
from worker.domain.money import format_minor
from worker.services.ports import RejectedRow, StatementScope
from worker.statements.cells import Cells, RowRejected
from worker.statements.dialect import Dialect, Line
from worker.statements.reader import Record
from worker.statements.told import Told

TRAILING = 5
"""Records at the end of a file among which rows of totals are looked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """What was read from a file, whatever its kind."""

    format: str
    provider: str
    scope: StatementScope
    lines: tuple[LedgerLine, ...]
    entries: tuple[BankEntry, ...]
    rejects: tuple[RejectedRow, ...]
    rows: int
    checks: Mapping[str, str]
    period: tuple[datetime, datetime] | None = None
    """The time the file itself says it tells of."""
    marks: tuple[Mark, ...] = ()
    """What it begins and ends with, where the format tells."""

    @property
    def times(self) -> tuple[datetime, datetime] | None:
        """From when to when the file tells of; an entry of a bank counts for its whole day. None: of nothing."""
        if self.period is not None:
            return self.period
        if self.entries:
            days = [datetime.combine(entry.booked_on, time(), UTC) for entry in self.entries]
            return min(days), max(days) + timedelta(days=1)
        moments = [line.created_at for line in self.lines]
        return (min(moments), max(moments)) if moments else None


def read_table(dialect: Dialect, header: Sequence[str], body: Sequence[Record], told: Told) -> Body:
    """Read the records below a header. Raises InvalidStatement where the file leaves open how to read it."""
    columns = {column: at for at, column in enumerate(dialect.names(header))}
    body, totals = _split(body)
    rejects = []
    rows = []
    for record in body:
        if len(record.cells) == len(header):
            rows.append(Cells(columns, record.cells, dialect.provider, record.line))
        else:
            reason = f"has {len(record.cells)} cells where the header has {len(header)}"
            rejects.append(RejectedRow(line=record.line, column="", reason=reason))
    reader = dialect.begin(rows, told, dialect.plain(header))
    lines: list[Line] = []
    good = []
    for row in rows:
        try:
            lines += reader(row)
            good.append(row)
        except RowRejected as reason_given:
            rejects.append(RejectedRow(line=row.line, column=reason_given.column, reason=reason_given.reason))
    checks = {
        "every row read": f"failed: {len(rejects)} of {len(body)} rejected" if rejects else f"ok: {len(body)} rows"
    }
    if dialect.checked:
        checks[dialect.checked] = f"ok: on {len(good)} rows"
    for record in totals:
        cells = (
            Cells(columns, record.cells, dialect.provider, record.line) if len(record.cells) == len(header) else None
        )
        checks[f"total in line {record.line}"] = _total(dialect, cells, good, whole=not rejects)
    return Body(
        format=dialect.name,
        provider=dialect.provider,
        scope=dialect.scope,
        lines=tuple(line for line in lines if isinstance(line, LedgerLine)),
        entries=tuple(line for line in lines if isinstance(line, BankEntry)),
        rejects=tuple(sorted(rejects, key=lambda row: row.line)),
        rows=len(body),
        checks=checks | dialect.checks(lines, good),
        marks=dialect.marks(lines, good),
    )


def _split(body: Sequence[Record]) -> tuple[Sequence[Record], list[Record]]:
    """Tell the rows of totals at the end of a file from the rows they sum up."""
    totals: list[Record] = []
    for record in reversed(body[-TRAILING:]):
        first = next((cell.strip() for cell in record.cells if cell.strip()), "")
        if first.rstrip(":").casefold() not in TOTAL_WORDS:
            break
        totals.insert(0, record)
    return body[: len(body) - len(totals)], totals


def _total(dialect: Dialect, total: Cells | None, rows: Sequence[Cells], *, whole: bool) -> str:
    """Compare a row of totals with the sum of the rows; it is no movement of money, so it becomes no line."""
    if total is None or not any(total.text(column) for column in dialect.totals):
        return "not in the file: the row holds no amount that could be compared"
    currencies = {row.text("currency").upper() for row in rows} or {total.text("currency").upper()}
    if len(currencies) != 1:
        return "not in the file: one total over several currencies says nothing"
    if not whole:
        return "not in the file: rows were rejected"
    (currency,) = currencies
    total.numbers = rows[0].numbers if rows else total.numbers
    wrong = []
    try:
        for column in dialect.totals:
            if total.text(column):
                said = total.amount(column, currency)
                summed = sum(row.amount(column, currency) for row in rows)
                if said != summed:
                    shown = [format_minor(minor, currency, dialect.provider) for minor in (said, summed)]
                    wrong.append(f"{column} says {shown[0]}, the rows make {shown[1]}")
    except RowRejected as reason:
        return f"failed: {reason.column} {reason.reason}"
    return f"failed: {'; '.join(wrong)}" if wrong else "ok: the rows make what it says"
