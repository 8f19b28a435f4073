"""The report as JSON, for programs: everything the HTML says, amounts as integer minor units.

Stable: sorted as the model is, times ISO 8601 in UTC, `schema` raised when a field changes its meaning.
"""

import io
import json
from collections.abc import Callable, Iterable, Iterator
from typing import IO, Any, TypeVar

from worker.domain.finding import Break, Fact, Finding, Settlement
from worker.domain.money import Money
from worker.reports.bridge import Bridge, Roll
from worker.reports.model import OpenBreak, Report
from worker.reports.words import iso

SCHEMA = 1

T = TypeVar("T")

_text = json.JSONEncoder(ensure_ascii=False).encode


class Document:
    """The report as UTF-8 JSON in a file: a line a field, and in the lists a line an item, however many."""

    def __init__(self, report: Report, file: IO[bytes]) -> None:
        self._report = report
        self._write = file.write
        self._write(b"{\n")
        for name, value in _fields(report).items():
            self._write(f"  {_text(name)}: {_text(value)},\n".encode())

    def passing(self, breaks: Iterable[OpenBreak]) -> Iterator[OpenBreak]:
        """Yield the breaks, each as soon as it is written; the other lists come after them."""
        yield from self._list("breaks", breaks, _open)

    def end(self) -> None:
        """Write everything else."""
        for name, items in _lists(self._report).items():
            self._write(b",\n")
            for _ in self._list(name, items, dict):
                pass
        self._write(b"\n}\n")

    def _list(self, name: str, items: Iterable[T], form: Callable[[T], dict[str, Any]]) -> Iterator[T]:
        self._write(f"  {_text(name)}: [".encode())
        between = "\n"
        for item in items:
            self._write(f"{between}    {_text(form(item))}".encode())
            between = ",\n"
            yield item
        self._write(b"]" if between == "\n" else b"\n  ]")


def render(report: Report) -> bytes:
    """Return the report as UTF-8 JSON, ending in a newline."""
    file = io.BytesIO()
    made = Document(report, file)
    for _ in made.passing(report.breaks):
        pass
    made.end()
    return file.getvalue()


def document(report: Report) -> dict[str, Any]:
    """Return the report as plain dictionaries, lists, strings and integers."""
    lists = {name: list(items) for name, items in _lists(report).items()}
    return _fields(report) | {"breaks": list(map(_open, report.breaks))} | lists


def _lists(report: Report) -> dict[str, Iterator[dict[str, Any]]]:
    return {
        "pending": map(_finding, report.pending),
        "warnings": map(_finding, report.warnings),
        "settled": map(_finding, report.settled),
        "explained": map(_finding, report.explained),
        "rejected_rows": map(_finding, report.rejected),
        "repaired": map(_break, report.repaired),
        "agreed_again": map(_break, report.agreed),
    }


def _fields(report: Report) -> dict[str, Any]:
    run = report.run
    return {
        "schema": SCHEMA,
        "run_id": run.run_id,
        "shop": run.shop,
        "provider": run.provider,
        "window": {"start": iso(run.window_start), "end": iso(run.window_end)},
        "as_of": iso(report.as_of),
        "started_at": iso(run.started_at),
        "finished_at": iso(run.finished_at) if run.finished_at else None,
        "source": run.source,
        "requested_by": run.requested_by,
        "workflow_id": run.workflow_id,
        "reproduce": report.reproduce,
        "verdict": report.verdict.value,
        "sentence": report.sentence,
        "incomplete_because": list(run.incomplete_because),
        "breaks_moved_on": report.moved_on,
        "compared": report.compared,
        "totals": {
            card.code: {"count": card.count, "amounts": [_money(amount) for amount in card.amounts]}
            for card in report.cards
        },
        "counts": dict(sorted((run.counts or {}).items())),
        "checks": [{"text": one.text, "holds": one.holds, "detail": one.detail} for one in report.checks],
        "statements": [_bridge(one) for one in report.bridges],
    }


def _money(money: Money) -> dict[str, Any]:
    return {"currency": money.currency, "minor": money.minor}


def _bridge(one: Bridge) -> dict[str, Any]:
    return {
        "currency": one.currency,
        "ours_minor": one.ours.minor,
        "lines": [
            {"code": row.code, "label": row.label, "count": row.count, "amount_minor": row.amount.minor}
            for row in one.rows
            if row.role == "line"
        ],
        "theirs_minor": one.theirs.minor,
        "residual_minor": one.residual.minor,
        "fees_minor": one.fees.minor,
        "converted_minor": one.converted.minor,
        "net_minor": one.net.minor,
        "open_items": None if one.roll is None else _roll(one.roll),
    }


def _roll(roll: Roll) -> dict[str, Any]:
    opening, *lines, closing = [row for row in roll.rows if row.role != "residual"]
    return {
        "previous_run": roll.previous_run or None,
        "opening": {"count": opening.count, "amount_minor": opening.amount.minor},
        "lines": [
            {"code": row.code, "label": row.label, "count": row.count, "amount_minor": row.amount.minor}
            for row in lines
        ],
        "closing": {"count": closing.count, "amount_minor": closing.amount.minor},
        "opened": roll.opened,
        "cleared": roll.cleared,
        "residual_minor": roll.residual.minor,
    }


def _open(one: OpenBreak) -> dict[str, Any]:
    history = [
        {"at": iso(action.at), "actor": action.actor, "action": action.action, "run_id": action.run_id}
        | ({"detail": action.detail} if action.detail else {})
        | ({"reason": action.reason} if action.reason else {})
        for action in one.history
    ]
    return _break(one.item) | {"age_seconds": int(one.age.total_seconds()), "history": history}


def _break(item: Break) -> dict[str, Any]:
    return {
        "break_id": item.break_id,
        "status": item.status.value,
        "first_movement_at": iso(item.first_movement_at),
        "first_seen_at": iso(item.first_seen_at),
        "last_seen_at": iso(item.last_seen_at),
        "runs_seen": item.runs_seen,
        "repair_state": item.repair_state,
        "resolved_at": iso(item.resolved_at) if item.resolved_at else None,
        "resolution": item.resolution,
        "owner": item.owner,
        "links": list(item.links),
    } | _finding(item.finding)


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "leg": finding.leg.value,
        "key": finding.key,
        "kind": finding.kind.value,
        "outcome": finding.outcome.value,
        "order_id": finding.order_id,
        "currency": finding.currency,
        "ours_minor": finding.ours_minor,
        "theirs_minor": finding.theirs_minor,
        "difference_minor": finding.difference_minor,
        "at_risk_minor": finding.at_risk_minor,
        "break_on": iso(finding.break_on) if finding.break_on else None,
        "cause": finding.cause,
        "repair": finding.repair.value,
        "settlement": None if finding.settlement is None else _settlement(finding.settlement),
        "suggestions": list(finding.suggestions),
        "ours": [_fact(fact) for fact in finding.ours],
        "theirs": [_fact(fact) for fact in finding.theirs],
    }


def _settlement(settlement: Settlement) -> dict[str, Any]:
    return {
        "how": settlement.how.value,
        "by": settlement.by,
        "at": iso(settlement.at),
        "reason": settlement.reason,
        "until": iso(settlement.until) if settlement.until else None,
    }


def _fact(fact: Fact) -> dict[str, Any]:
    return {
        "record": fact.record,
        "reference": fact.reference,
        "amount_minor": fact.amount_minor,
        "currency": fact.currency,
        "at": iso(fact.at),
        "status": fact.status,
    }
