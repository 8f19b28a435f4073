"""The report as JSON, for programs: everything the HTML says, amounts as integer minor units.

Stable: sorted as the model is, times ISO 8601 in UTC, `schema` raised when a field changes its meaning. What a report has
thousands of is written out as text: by way of dictionaries it would take three times as long.
"""

import io
import json
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import IO, Any, TypeVar

from worker.domain.finding import Break, Fact, Finding, Settlement
from worker.domain.money import Money
from worker.reports.bridge import Bridge, Roll
from worker.reports.model import OpenBreak, Report
from worker.reports.words import iso
from worker.services.ports import BreakAction

SCHEMA = 1

T = TypeVar("T")

_text = json.JSONEncoder(ensure_ascii=False).encode
"""A text alone is encoded at once: the encoder knows it for a special case."""


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
            for _ in self._list(name, items, str):
                pass
        self._write(b"\n}\n")

    def _list(self, name: str, items: Iterable[T], form: Callable[[T], str]) -> Iterator[T]:
        self._write(f"  {_text(name)}: [".encode())
        between = "\n"
        for item in items:
            self._write(f"{between}    {form(item)}".encode())
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
    read: dict[str, Any] = json.loads(render(report))
    return read


def _lists(report: Report) -> dict[str, Iterator[str]]:
    return {
        "pending": map(_found, report.pending),
        "warnings": map(_found, report.warnings),
        "settled": map(_found, report.settled),
        "explained": map(_found, report.explained),
        "rejected_rows": map(_found, report.rejected),
        "repaired": map(_resolved, report.repaired),
        "agreed_again": map(_resolved, report.agreed),
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
        "agenda": [{"code": task.code, "text": task.text} for task in report.agenda],
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


def _open(one: OpenBreak) -> str:
    deeds = ", ".join(map(_deed, one.history))
    return f'{{{_break(one.item)}, "age_seconds": {int(one.age.total_seconds())}, "history": [{deeds}]}}'


def _deed(action: BreakAction) -> str:
    detail = f', "detail": {_text(action.detail)}' if action.detail else ""
    reason = f', "reason": {_text(action.reason)}' if action.reason else ""
    return (
        f'{{"at": "{iso(action.at)}", "actor": {_text(action.actor)}, "action": {_text(action.action)}, '
        f'"run_id": {_text(action.run_id)}{detail}{reason}}}'
    )


def _resolved(item: Break) -> str:
    return f"{{{_break(item)}}}"


def _found(finding: Finding) -> str:
    return f"{{{_finding(finding)}}}"


def _break(item: Break) -> str:
    links = ", ".join(map(_text, item.links))
    return (
        f'"break_id": {_text(item.break_id)}, "status": "{item.status}", '
        f'"first_movement_at": "{iso(item.first_movement_at)}", "first_seen_at": "{iso(item.first_seen_at)}", '
        f'"last_seen_at": "{iso(item.last_seen_at)}", "runs_seen": {item.runs_seen}, '
        f'"repair_state": "{item.repair_state}", "resolved_at": {_time(item.resolved_at)}, '
        f'"resolution": {_text(item.resolution)}, "owner": {_text(item.owner)}, "links": [{links}], '
        f"{_finding(item.finding)}"
    )


def _finding(finding: Finding) -> str:
    settled = "null" if finding.settlement is None else _settlement(finding.settlement)
    return (
        f'"leg": "{finding.leg}", "key": {_text(finding.key)}, "kind": "{finding.kind}", '
        f'"outcome": "{finding.outcome}", "order_id": {_text(finding.order_id)}, '
        f'"currency": {_text(finding.currency)}, "ours_minor": {finding.ours_minor}, '
        f'"theirs_minor": {finding.theirs_minor}, "difference_minor": {finding.difference_minor}, '
        f'"at_risk_minor": {finding.at_risk_minor}, "break_on": {_time(finding.break_on)}, '
        f'"cause": {_text(finding.cause)}, "repair": "{finding.repair}", "settlement": {settled}, '
        f'"suggestions": [{", ".join(map(_text, finding.suggestions))}], '
        f'"ours": [{", ".join(map(_fact, finding.ours))}], "theirs": [{", ".join(map(_fact, finding.theirs))}]'
    )


def _settlement(settlement: Settlement) -> str:
    return (
        f'{{"how": "{settlement.how}", "by": {_text(settlement.by)}, "at": "{iso(settlement.at)}", '
        f'"reason": {_text(settlement.reason)}, "until": {_time(settlement.until)}}}'
    )


def _fact(fact: Fact) -> str:
    amount = "null" if fact.amount_minor is None else fact.amount_minor
    return (
        f'{{"record": {_text(fact.record)}, "reference": {_text(fact.reference)}, "amount_minor": {amount}, '
        f'"currency": {_text(fact.currency)}, "at": "{iso(fact.at)}", "status": {_text(fact.status)}}}'
    )


def _time(at: datetime | None) -> str:
    return "null" if at is None else f'"{iso(at)}"'
