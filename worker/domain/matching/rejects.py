"""Rows of a statement that could not be read, as findings: counted, listed, and the run is incomplete."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from worker.domain.finding import NO_CURRENCY, Fact, Finding, FindingKind, Leg, Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class UnreadRow:
    """A row and why it was not read; `line` counts from 1 and includes the header."""

    file: str
    """What the file is called, or its SHA-256."""
    line: int
    column: str
    reason: str
    read_at: datetime


def rejected_rows(rows: Iterable[UnreadRow], leg: Leg) -> tuple[Finding, ...]:
    """Return a warning per row, in the order of the rows.

    A row is no break to be followed: a corrected file is another file. What it lacks makes the run incomplete.
    """
    return tuple(_finding(row, leg) for row in rows)


def _finding(row: UnreadRow, leg: Leg) -> Finding:
    place = f"line {row.line}" + (f", column {row.column}" if row.column else "")
    digest = hashlib.sha256(row.file.encode()).hexdigest()[:12]
    return Finding(
        leg=leg,
        key=f"row/{digest}/{row.line}",
        kind=FindingKind.REJECTED_ROW,
        outcome=Outcome.WARNING,
        currency=NO_CURRENCY,
        ours_minor=0,
        theirs_minor=0,
        cause=f"{row.file}, {place}: {row.reason}",
        theirs=(
            Fact(
                record="row",
                reference=place,
                amount_minor=None,
                currency=NO_CURRENCY,
                at=row.read_at,
                status=row.reason,
            ),
        ),
    )
