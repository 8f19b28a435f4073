"""Reconciliation runs, their statements and findings, and the watermark, in MySQL.

A run is finished once: its verdict, statements and findings are written in one transaction and never change.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Row, bindparam, insert, select, update
from sqlalchemy.dialects.mysql import insert as upsert

from worker.contract.reconciliation import Mode
from worker.domain.errors import InvalidInput, NotFound
from worker.domain.finding import Finding, Leg, Outcome, RollForward, Statement, StatementLine, Verdict
from worker.domain.finding_codec import decode_finding
from worker.repositories.insertion import insert_once
from worker.repositories.locks import lock_run, lock_watermark
from worker.repositories.many_rows import ManyRows
from worker.repositories.paging import CHUNK, DOCUMENTS, paged
from worker.repositories.schema import RUN_FINDINGS, RUN_STATEMENTS, RUNS, WATERMARKS
from worker.services.ports import Run, source_of

_BEGIN = insert(RUNS)
_GET = select(RUNS).where(RUNS.c.run_id == bindparam("of_run"))
_OF_RUN = RUNS.c.run_id == bindparam("of_run")
_SET_REPORT = update(RUNS).where(_OF_RUN).values(report=bindparam("path"))
_ADD_STATEMENT = insert(RUN_STATEMENTS)
_ADD_FINDINGS = ManyRows(insert(RUN_FINDINGS))
_BEFORE = (
    select(RUNS)
    .where(
        RUNS.c.shop == bindparam("of_shop"),
        RUNS.c.provider == bindparam("of_provider"),
        RUNS.c.source == bindparam("of_source"),
        RUNS.c.window_end == bindparam("end"),
        RUNS.c.finished_at.is_not(None),
        RUNS.c.verdict != Verdict.INCOMPLETE.value,
        # A run is at least as old as the end of its window: the index leads there by time.
        RUNS.c.started_at >= bindparam("end"),
    )
    .order_by(RUNS.c.started_at, RUNS.c.run_id)
    .limit(1)
)
_STATEMENTS = (
    select(RUN_STATEMENTS).where(RUN_STATEMENTS.c.run_id == bindparam("of_run")).order_by(RUN_STATEMENTS.c.currency)
)
_AFTER = (
    select(RUNS)
    .where(
        RUNS.c.shop == bindparam("of_shop"),
        RUNS.c.provider == bindparam("of_provider"),
        RUNS.c.source == bindparam("of_source"),
        RUNS.c.window_end > bindparam("end"),
        RUNS.c.finished_at.is_not(None),
        RUNS.c.verdict != Verdict.INCOMPLETE.value,
        RUNS.c.started_at >= bindparam("end"),
    )
    .order_by(RUNS.c.started_at.desc(), RUNS.c.run_id.desc())
    .limit(1)
)
_OF_WINDOW = (
    select(RUNS)
    .where(
        RUNS.c.shop == bindparam("of_shop"),
        RUNS.c.provider == bindparam("of_provider"),
        RUNS.c.source == bindparam("of_source"),
        RUNS.c.window_start == bindparam("start"),
        RUNS.c.window_end == bindparam("end"),
        RUNS.c.finished_at.is_not(None),
        RUNS.c.verdict != Verdict.INCOMPLETE.value,
        RUNS.c.started_at >= bindparam("end"),
    )
    .order_by(RUNS.c.started_at.desc(), RUNS.c.run_id.desc())
    .limit(1)
)
_CLOSES = (
    select(RUNS)
    .where(
        RUNS.c.shop == bindparam("of_shop"),
        RUNS.c.provider == bindparam("of_provider"),
        RUNS.c.source == source_of(Mode.CLOSE),
        RUNS.c.started_at >= bindparam("since"),
    )
    .order_by(RUNS.c.started_at, RUNS.c.run_id)
)
_WATERMARK = select(WATERMARKS).where(
    WATERMARKS.c.shop == bindparam("of_shop"), WATERMARKS.c.provider == bindparam("of_provider")
)
_REACHED = {Mode.FULL: "reached_at", Mode.LIGHT: "light_reached_at", Mode.CLOSE: "closed_until"}
"""Columns of the watermarks."""


class MysqlRunStore:
    """Implements `RunStore`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def begin(self, run: Run) -> None:
        """Insert the run, or start it over when it exists unfinished. A finished run is left as it is."""
        values = {
            "run_id": run.run_id,
            "shop": run.shop,
            "provider": run.provider,
            "window_start": run.window_start,
            "window_end": run.window_end,
            "source": run.source,
            "requested_by": run.requested_by,
            "workflow_id": run.workflow_id,
            "started_at": run.started_at,
            "finished_at": None,
            "verdict": "",
            "counts": None,
            "incomplete_because": [],
            "report": "",
            "inputs": "",
            "result_sha256": "",
        }
        if not insert_once(self._connection, _BEGIN, values):
            unfinished = update(RUNS).where(_OF_RUN, RUNS.c.finished_at.is_(None)).values(values)
            self._connection.execute(unfinished, {"of_run": run.run_id})

    def finish(self, run: Run, statements: Sequence[Statement], findings: Iterable[tuple[Finding, str]]) -> None:
        """Store the result: verdict and counts, statements, and `findings` with their texts, in their order.

        A run that is already finished is left as it is. Raises NotFound when it was never begun.
        """
        if run.finished_at is None:
            raise InvalidInput(f"run {run.run_id} has no end")
        stored = lock_run(self._connection, run.run_id)
        if stored is None:
            raise NotFound(f"run {run.run_id} was never begun")
        if stored.finished_at is not None:
            return
        result = {
            "finished_at": run.finished_at,
            "verdict": run.verdict,
            "counts": None if run.counts is None else dict(run.counts),
            "incomplete_because": list(run.incomplete_because),
            "report": run.report,
            "inputs": run.inputs,
            "result_sha256": run.result_sha256,
        }
        self._connection.execute(update(RUNS).where(_OF_RUN).values(result), {"of_run": run.run_id})
        for statement in statements:
            self._connection.execute(_ADD_STATEMENT, _statement_values(run.run_id, statement))
        numbered = enumerate(findings)
        while some := list(islice(numbered, CHUNK)):
            rows = [_finding_values(run.run_id, position, finding, text) for position, (finding, text) in some]
            _ADD_FINDINGS.execute(self._connection, rows)

    def get(self, run_id: str) -> Run | None:
        """Return the run or None."""
        row = self._connection.execute(_GET, {"of_run": run_id}).one_or_none()
        return None if row is None else _run(row)

    def recent(self, shop: str | None, limit: int) -> list[Run]:
        """Return the newest finished or running runs, newest first."""
        statement = select(RUNS) if shop is None else select(RUNS).where(RUNS.c.shop == shop)
        newest = statement.order_by(RUNS.c.started_at.desc(), RUNS.c.run_id.desc()).limit(limit)
        return [_run(row) for row in self._connection.execute(newest)]

    def before(self, shop: str, provider: str, source: str, end: datetime) -> Run | None:
        """Return the first complete run of that source whose window ended at `end`, or None.

        The first, since the window after it went on from there: done again, it must find the same opening.
        """
        asked = {"of_shop": shop, "of_provider": provider, "of_source": source, "end": end}
        row = self._connection.execute(_BEFORE, asked).one_or_none()
        return None if row is None else _run(row)

    def statements(self, run_id: str) -> list[Statement]:
        """Return the statements of a run, by currency."""
        return [_statement(row) for row in self._connection.execute(_STATEMENTS, {"of_run": run_id})]

    def findings(self, run_id: str) -> list[Finding]:
        """Return the stored findings of a run, in the order they were stored."""
        return list(self.each_finding(run_id))

    def each_finding(self, run_id: str, *, breaks: bool = True) -> Iterator[Finding]:
        """Stream them; without `breaks`, those that are none."""
        documents = select(RUN_FINDINGS.c.position, RUN_FINDINGS.c.document).where(RUN_FINDINGS.c.run_id == run_id)
        if not breaks:
            documents = documents.where(RUN_FINDINGS.c.outcome != Outcome.BREAK.value)
        rows = paged(self._connection, documents, [RUN_FINDINGS.c.position], DOCUMENTS)
        return (decode_finding(row.document) for row in rows)

    def differing(self, run_id: str) -> Iterator[tuple[Leg, str, str]]:
        """Stream leg, key and currency of the findings of a run that are breaks."""
        named = select(
            RUN_FINDINGS.c.position, RUN_FINDINGS.c.leg, RUN_FINDINGS.c.subject, RUN_FINDINGS.c.currency
        ).where(RUN_FINDINGS.c.run_id == run_id, RUN_FINDINGS.c.outcome == Outcome.BREAK.value)
        rows = paged(self._connection, named, [RUN_FINDINGS.c.position])
        return ((Leg(row.leg), row.subject, row.currency) for row in rows)

    def set_report(self, run_id: str, report: str) -> None:
        """Record where the report was written. Raises NotFound."""
        if self._connection.execute(_SET_REPORT, {"of_run": run_id, "path": report}).rowcount != 1:
            raise NotFound(f"run {run_id} was never begun")

    def after(self, shop: str, provider: str, source: str, end: datetime) -> Run | None:
        """Return the newest complete run of that source whose window ended later than `end`, or None."""
        asked = {"of_shop": shop, "of_provider": provider, "of_source": source, "end": end}
        row = self._connection.execute(_AFTER, asked).one_or_none()
        return None if row is None else _run(row)

    def of_window(self, shop: str, provider: str, source: str, start: datetime, end: datetime) -> Run | None:
        """Return the newest complete run of that source over exactly this window, or None."""
        asked = {"of_shop": shop, "of_provider": provider, "of_source": source, "start": start, "end": end}
        row = self._connection.execute(_OF_WINDOW, asked).one_or_none()
        return None if row is None else _run(row)

    def closes(self, shop: str, provider: str, since: datetime) -> list[Run]:
        """Return the runs that were to close a month and began since then, complete or not, oldest first."""
        asked = {"of_shop": shop, "of_provider": provider, "since": since}
        return [_run(row) for row in self._connection.execute(_CLOSES, asked)]

    def watermark(self, shop: str, provider: str, mode: Mode = Mode.FULL) -> datetime | None:
        """Return up to when complete runs of a mode cover time without a hole, or None before the first."""
        row = self._connection.execute(_WATERMARK, {"of_shop": shop, "of_provider": provider}).one_or_none()
        return None if row is None else getattr(row, _REACHED[mode])

    def advance_watermark(
        self, shop: str, provider: str, start: datetime, end: datetime, mode: Mode = Mode.FULL
    ) -> datetime:
        """Move the watermark of a mode to `end` if [start, end) continues it; return where it stands.

        The first run sets it. A run that starts after it would leave a hole, one that ends before it adds
        nothing: both leave it where it is.
        """
        column = _REACHED[mode]
        reached: datetime | None = getattr(lock_watermark(self._connection, shop, provider), column)
        if reached is not None and not start <= reached < end:
            return reached
        moved = upsert(WATERMARKS).values({"shop": shop, "provider": provider, column: end})
        self._connection.execute(moved.on_duplicate_key_update({column: end}))
        return end

    def lock(self, shop: str, provider: str) -> None:
        """Serialise the breaks of one shop and provider until the transaction ends."""
        lock_watermark(self._connection, shop, provider)


def _run(row: Row[Any]) -> Run:
    return Run(
        run_id=row.run_id,
        shop=row.shop,
        provider=row.provider,
        window_start=row.window_start,
        window_end=row.window_end,
        source=row.source,
        requested_by=row.requested_by,
        workflow_id=row.workflow_id,
        started_at=row.started_at,
        finished_at=row.finished_at,
        verdict=row.verdict,
        counts=row.counts,
        incomplete_because=tuple(row.incomplete_because),
        report=row.report,
        inputs=row.inputs,
        result_sha256=row.result_sha256,
    )


def _statement_values(run_id: str, statement: Statement) -> dict[str, Any]:
    return {
        "run_id": run_id,
        "currency": statement.currency,
        "ours_minor": statement.ours_minor,
        "theirs_minor": statement.theirs_minor,
        "fees_minor": statement.fees_minor,
        "net_minor": statement.net_minor,
        "bridge": {
            "lines": [_line_document(line) for line in statement.lines],
            "converted_minor": statement.converted_minor,
            "roll": None if statement.roll is None else _roll_document(statement.roll),
        },
    }


def _line_document(line: StatementLine) -> dict[str, Any]:
    return {"code": line.code, "label": line.label, "count": line.count, "amount_minor": line.amount_minor}


def _roll_document(roll: RollForward) -> dict[str, Any]:
    return {
        "previous_run": roll.previous_run,
        "opening_count": roll.opening_count,
        "opening_minor": roll.opening_minor,
        "lines": [_line_document(line) for line in roll.lines],
        "closing_count": roll.closing_count,
        "closing_minor": roll.closing_minor,
        "opened": roll.opened,
        "cleared": roll.cleared,
    }


def _lines(documents: Sequence[Mapping[str, Any]]) -> tuple[StatementLine, ...]:
    return tuple(StatementLine(**document) for document in documents)


def _roll(document: Mapping[str, Any] | None) -> RollForward | None:
    return None if document is None else RollForward(**{**document, "lines": _lines(document["lines"])})


def _statement(row: Row[Any]) -> Statement:
    # The first release stored the lines of the bridge alone.
    bridge: dict[str, Any] = {"lines": row.bridge} if isinstance(row.bridge, list) else row.bridge
    return Statement(
        currency=row.currency,
        ours_minor=row.ours_minor,
        theirs_minor=row.theirs_minor,
        lines=_lines(bridge["lines"]),
        fees_minor=row.fees_minor,
        net_minor=row.net_minor,
        converted_minor=bridge.get("converted_minor", 0),
        roll=_roll(bridge.get("roll")),
    )


def _finding_values(run_id: str, position: int, finding: Finding, text: str) -> dict[str, Any]:
    return {
        "run_id": run_id,
        "position": position,
        "leg": finding.leg.value,
        "subject": finding.key,
        "kind": finding.kind.value,
        "outcome": finding.outcome.value,
        "currency": finding.currency,
        "order_id": finding.order_id,
        "difference_minor": finding.difference_minor,
        "at_risk_minor": finding.at_risk_minor,
        "document": text,
    }
