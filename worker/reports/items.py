"""Every item of a report as one row of typed cells, for the files that are tables: CSV and XLSX.

A row is a break, something resolved, pending, warned of, settled, explained, or a row that could not be read. Amounts come
twice, in minor units (exact) and as `Money` (readable); times are aware; text is as it came and must be guarded.
"""

import re
from collections.abc import Iterable, Iterator
from datetime import datetime

from worker.domain.finding import Break, Finding, Settlement
from worker.domain.money import Money
from worker.reports.ageing import finding_age
from worker.reports.amounts import exposure
from worker.reports.model import OpenBreak, Report
from worker.reports.words import KIND

Cell = str | int | Money | datetime | None

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

_EMPTY: dict[str, Cell] = dict.fromkeys(COLUMNS)
_FORMULA = re.compile(r" *[=+\-@\t\r\n|%]")


def risky(text: str) -> bool:
    """Tell whether a spreadsheet may take `text` for a formula."""
    return _FORMULA.match(text) is not None


def guarded(text: str) -> str:
    """Return `text` so that no spreadsheet takes it for a formula: an apostrophe goes before a risky start."""
    return f"'{text}" if risky(text) else text


def rows(report: Report) -> Iterator[tuple[Cell, ...]]:
    """Yield the rows in the order of `COLUMNS`: breaks, resolved, pending, warnings, settled, explained, unread rows."""
    yield from break_rows(report.breaks)
    yield from other_rows(report)


def break_rows(breaks: Iterable[OpenBreak]) -> Iterator[tuple[Cell, ...]]:
    """Yield the rows of open breaks."""
    for one in breaks:
        yield _break_row("break", one.item, int(one.age.total_seconds()))


def other_rows(report: Report) -> Iterator[tuple[Cell, ...]]:
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
            yield _finding_row(name, finding, report.as_of)


def _break_row(name: str, item: Break, age: int) -> tuple[Cell, ...]:
    return _row(
        _facts(item.finding, item.finding.at_risk_minor)
        | {
            "item": name,
            "break_id": item.break_id,
            "status": item.status.value,
            "first_movement_at": item.first_movement_at,
            "first_seen_at": item.first_seen_at,
            "last_seen_at": item.last_seen_at,
            "age_seconds": age,
            "runs_seen": item.runs_seen,
            "repair_state": item.repair_state.value,
            "resolved_at": item.resolved_at,
            "resolution": item.resolution,
            "owner": item.owner,
        }
    )


def _finding_row(name: str, finding: Finding, as_of: datetime) -> tuple[Cell, ...]:
    return _row(
        _facts(finding, exposure(finding).minor)
        | {
            "item": name,
            "status": finding.outcome.value,
            "age_seconds": int(finding_age(finding, as_of).total_seconds()),
            "break_on": finding.break_on,
        }
        | (_decision(finding.settlement) if finding.settlement else {})
    )


def _decision(settlement: Settlement) -> dict[str, Cell]:
    return {
        "settled_as": settlement.how.value,
        "settled_by": settlement.by,
        "settled_at": settlement.at,
        "settled_until": settlement.until,
        "resolution": settlement.reason,
    }


def _facts(finding: Finding, at_risk_minor: int) -> dict[str, Cell]:
    cells: dict[str, Cell] = {
        "leg": finding.leg.value,
        "kind": finding.kind.value,
        "kind_in_words": KIND[finding.kind],
        "order_id": finding.order_id,
        "key": finding.key,
        "currency": finding.currency,
        "repair": finding.repair.value,
        "cause": finding.cause,
        "suggestions": " ".join(finding.suggestions),
    }
    amounts = {
        "ours": finding.ours_minor,
        "theirs": finding.theirs_minor,
        "difference": finding.difference_minor,
        "at_risk": at_risk_minor,
    }
    for name, minor in amounts.items():
        cells[f"{name}_minor"] = minor
        cells[name] = Money(minor, finding.currency)
    return cells


def _row(cells: dict[str, Cell]) -> tuple[Cell, ...]:
    return tuple((_EMPTY | cells).values())
