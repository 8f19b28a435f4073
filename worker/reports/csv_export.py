"""Breaks and pending items as CSV: one row each, for a spreadsheet or a ticket.

Amounts come twice, in minor units (exact) and as a plain decimal (readable); times are ISO 8601 in UTC.
Text that a spreadsheet would run as a formula gets a leading apostrophe. UTF-8 with BOM, since the usual
spreadsheet otherwise guesses the code page; lines end in CRLF (RFC 4180).
"""

import codecs
import csv
import io
from collections.abc import Iterator, Sequence
from datetime import datetime

from worker.domain.finding import Break, Finding, Settlement
from worker.domain.money import format_minor
from worker.reports.ageing import finding_age
from worker.reports.amounts import exposure
from worker.reports.model import Report
from worker.reports.words import KIND, iso

COLUMNS = (
    "item",
    "break_id",
    "status",
    "leg",
    "kind",
    "kind_in_words",
    "order_id",
    "key",
    "currency",
    "ours_minor",
    "ours",
    "theirs_minor",
    "theirs",
    "difference_minor",
    "difference",
    "at_risk_minor",
    "at_risk",
    "first_movement_at",
    "first_seen_at",
    "last_seen_at",
    "age_seconds",
    "break_on",
    "runs_seen",
    "repair",
    "repair_state",
    "resolved_at",
    "resolution",
    "cause",
    "owner",
    "settled_as",
    "settled_by",
    "settled_at",
    "settled_until",
    "suggestions",
)

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%")


def guarded(text: str) -> str:
    """Return `text` so that no spreadsheet takes it for a formula: an apostrophe goes before a risky start."""
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA) or text.startswith(_FORMULA) else text


def chunks(report: Report) -> Iterator[bytes]:
    """Yield the file in pieces: its head, then row by row, however many."""
    yield codecs.BOM_UTF8
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    for row in _rows(report):
        writer.writerow(row)
        yield text.getvalue().encode()
        text.seek(0)
        text.truncate()


def render(report: Report) -> bytes:
    """Return the rows of a report: open breaks, resolved ones, pending items, warnings, settled, explained, unread rows."""
    return b"".join(chunks(report))


def _rows(report: Report) -> Iterator[Sequence[str]]:
    yield COLUMNS
    for one in report.breaks:
        yield _break_row("break", one.item, int(one.age.total_seconds()))
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
            yield _finding_row(name, finding, report.as_of)


def _break_row(name: str, item: Break, age: int) -> list[str]:
    return _row(
        _facts(item.finding, item.finding.at_risk_minor)
        | {
            "item": name,
            "break_id": item.break_id,
            "status": item.status,
            "first_movement_at": iso(item.first_movement_at),
            "first_seen_at": iso(item.first_seen_at),
            "last_seen_at": iso(item.last_seen_at),
            "age_seconds": str(age),
            "runs_seen": str(item.runs_seen),
            "repair_state": item.repair_state,
            "resolved_at": iso(item.resolved_at) if item.resolved_at else "",
            "resolution": guarded(item.resolution),
            "owner": guarded(item.owner),
        }
    )


def _finding_row(name: str, finding: Finding, as_of: datetime) -> list[str]:
    return _row(
        _facts(finding, exposure(finding).minor)
        | {
            "item": name,
            "status": finding.outcome,
            "age_seconds": str(int(finding_age(finding, as_of).total_seconds())),
            "break_on": iso(finding.break_on) if finding.break_on else "",
        }
        | (_decision(finding.settlement) if finding.settlement else {})
    )


def _decision(settlement: Settlement) -> dict[str, str]:
    return {
        "settled_as": settlement.how.value,
        "settled_by": guarded(settlement.by),
        "settled_at": iso(settlement.at),
        "settled_until": iso(settlement.until) if settlement.until else "",
        "resolution": guarded(settlement.reason),
    }


def _facts(finding: Finding, at_risk_minor: int) -> dict[str, str]:
    cells = {
        "leg": finding.leg.value,
        "kind": finding.kind.value,
        "kind_in_words": KIND[finding.kind],
        "order_id": guarded(finding.order_id),
        "key": guarded(finding.key),
        "currency": guarded(finding.currency),
        "repair": finding.repair.value,
        "cause": guarded(finding.cause),
        "suggestions": guarded(" ".join(finding.suggestions)),
    }
    amounts = {
        "ours": finding.ours_minor,
        "theirs": finding.theirs_minor,
        "difference": finding.difference_minor,
        "at_risk": at_risk_minor,
    }
    for name, minor in amounts.items():
        cells[f"{name}_minor"] = str(minor)
        cells[name] = format_minor(minor, finding.currency).replace(",", "")
    return cells


def _row(cells: dict[str, str]) -> list[str]:
    return [cells.get(column, "") for column in COLUMNS]
