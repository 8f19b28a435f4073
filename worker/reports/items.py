"""Every item of a report as one row of typed cells, for the files that are tables: CSV and XLSX.

A row is a break, something resolved, pending, warned of, settled, explained, or a row that could not be read. Amounts come
twice, in minor units (exact) and as a decimal (readable); times are aware; text is as it came and must be guarded.
"""

from collections.abc import Iterable, Iterator

from worker.domain.finding import Break, Finding
from worker.reports.ageing import finding_age
from worker.reports.amounts import exposure, plain
from worker.reports.cells import Cell, Columns, Holds
from worker.reports.model import OpenBreak, Report
from worker.reports.words import KIND

COLUMNS: Columns = {
    "item": Holds.WORD,
    "break_id": Holds.TEXT,
    "status": Holds.WORD,
    "leg": Holds.WORD,
    "kind": Holds.WORD,
    "kind_in_words": Holds.WORD,
    "order_id": Holds.TEXT,
    "key": Holds.TEXT,
    "currency": Holds.WORD,
    "ours_minor": Holds.NUMBER,
    "ours": Holds.AMOUNT,
    "theirs_minor": Holds.NUMBER,
    "theirs": Holds.AMOUNT,
    "difference_minor": Holds.NUMBER,
    "difference": Holds.AMOUNT,
    "at_risk_minor": Holds.NUMBER,
    "at_risk": Holds.AMOUNT,
    "first_movement_at": Holds.TIME,
    "first_seen_at": Holds.TIME,
    "last_seen_at": Holds.TIME,
    "age_seconds": Holds.NUMBER,
    "break_on": Holds.TIME,
    "runs_seen": Holds.NUMBER,
    "repair": Holds.WORD,
    "repair_state": Holds.WORD,
    "resolved_at": Holds.TIME,
    "resolution": Holds.TEXT,
    "cause": Holds.TEXT,
    "owner": Holds.TEXT,
    "settled_as": Holds.WORD,
    "settled_by": Holds.TEXT,
    "settled_at": Holds.TIME,
    "settled_until": Holds.TIME,
    "suggestions": Holds.TEXT,
}

Row = tuple[Cell, ...]


def rows(report: Report) -> Iterator[Row]:
    """Yield the rows in the order of `COLUMNS`: breaks, resolved, pending, warnings, settled, explained, unread rows."""
    yield from break_rows(report.breaks)
    yield from other_rows(report)


def break_rows(breaks: Iterable[OpenBreak]) -> Iterator[Row]:
    """Yield the rows of open breaks."""
    for one in breaks:
        yield _break_row("break", one.item, int(one.age.total_seconds()))


def other_rows(report: Report) -> Iterator[Row]:
    """Yield the rows of everything that is no open break."""
    for item in (*report.repaired, *report.agreed):
        ended = item.resolved_at or item.last_seen_at
        yield _break_row("resolved", item, int((ended - item.first_movement_at).total_seconds()))
    for name, findings in (
        ("pending", report.pending),
        ("warning", report.warnings),
        ("settled", report.settled),
        ("explained", report.explained),
        ("rejected", report.rejected),
    ):
        for finding in findings:
            yield _finding_row(name, finding, int(finding_age(finding, report.as_of).total_seconds()))


def _break_row(name: str, item: Break, age: int) -> Row:
    finding = item.finding
    return (
        name,
        item.break_id,
        item.status,
        *_facts(finding, finding.at_risk_minor),
        item.first_movement_at,
        item.first_seen_at,
        item.last_seen_at,
        age,
        None,
        item.runs_seen,
        finding.repair,
        item.repair_state,
        item.resolved_at,
        item.resolution,
        finding.cause,
        item.owner,
        None,
        None,
        None,
        None,
        " ".join(finding.suggestions),
    )


def _finding_row(name: str, finding: Finding, age: int) -> Row:
    settled = finding.settlement
    return (
        name,
        None,
        finding.outcome,
        *_facts(finding, exposure(finding).minor),
        None,
        None,
        None,
        age,
        finding.break_on,
        None,
        finding.repair,
        None,
        None,
        settled.reason if settled else None,
        finding.cause,
        None,
        *((settled.how, settled.by, settled.at, settled.until) if settled else (None, None, None, None)),
        " ".join(finding.suggestions),
    )


def _facts(finding: Finding, at_risk: int) -> Row:
    """Return what both sides say, from the leg to the amount at risk."""
    currency, ours, theirs = finding.currency, finding.ours_minor, finding.theirs_minor
    return (
        finding.leg,
        finding.kind,
        KIND[finding.kind],
        finding.order_id,
        finding.key,
        currency,
        ours,
        plain(ours, currency),
        theirs,
        plain(theirs, currency),
        theirs - ours,
        plain(theirs - ours, currency),
        at_risk,
        plain(at_risk, currency),
    )
