"""Reconciliation: read the three books, compare, follow the breaks, store the answer.

A source that cannot be read to its end makes the run `incomplete`; it never looks green, and neither does a
statement file with rejected rows. Storing happens in one transaction under a lock per shop and provider, so
overlapping runs cannot count a break twice, and a run that died is simply done again under the same run id.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TypeVar

from worker.contract.reconciliation import Reconcile
from worker.domain.errors import InvalidInput
from worker.domain.finding import (
    OPEN_STATUSES,
    Break,
    Finding,
    FindingKind,
    Leg,
    Outcome,
    Statement,
    Verdict,
    break_id,
)
from worker.domain.matching.bridge import statements
from worker.domain.matching.lifecycle import LifecycleStep, acknowledged, advance
from worker.domain.matching.orders import match_orders
from worker.domain.matching.payments import match_payments
from worker.domain.matching.payouts import match_payouts, payout_sums
from worker.domain.matching.rejects import rejected_rows
from worker.domain.matching.rollforward import Opening, opening_of
from worker.domain.matching.rules import PLAIN, Rules
from worker.domain.matching.scope import Scope
from worker.domain.matching.shipments import disputes, match_shipments
from worker.domain.matching.suggestions import suggested
from worker.domain.matching.verdict import verdict
from worker.domain.money import format_minor
from worker.domain.window import Span, scheduled_window
from worker.services.books import BookReader, Books
from worker.services.break_desk import reopen_lapsed
from worker.services.ports import (
    BreakAction,
    Clock,
    Database,
    PaymentGateway,
    Run,
    ShopGateway,
    StatementFile,
    Transaction,
    WarehouseGateway,
)

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Graces:
    """How long each side may be silent, how far back a run looks, and the rules of each provider."""

    payment: timedelta
    shipment: timedelta
    order: timedelta
    lookback: timedelta
    rules: Mapping[str, Rules] = field(default_factory=dict)

    def rules_of(self, provider: str) -> Rules:
        """Return the rules of a provider; those that allow nothing where the settings name none."""
        return self.rules.get(provider, PLAIN)


class ReconciliationService:
    """Runs one reconciliation over the ports."""

    def __init__(
        self,
        database: Database,
        payments: PaymentGateway,
        shop: ShopGateway,
        warehouse: WarehouseGateway,
        clock: Clock,
        graces: Graces,
    ) -> None:
        self._database = database
        self._books = BookReader(database, payments, shop, warehouse, graces.rules_of)
        self._clock = clock
        self._graces = graces

    def window(self, request: Reconcile, nominal: datetime) -> Span:
        """Return the window to run: the asked-for one, the statement file's, or the schedule's.

        Raises InvalidInput for a window that has not ended (what is still under way would look like a break),
        for a provider whose ledger is not at hand, and for a statement file that was not imported or is of other books.
        """
        file = self._books.statement(request)
        if request.window is not None:
            span = Span(datetime.fromisoformat(request.window.start), datetime.fromisoformat(request.window.end))
            if span.end > self._clock.now():
                raise InvalidInput(f"the window {span} has not ended yet")
            return span
        if file is not None:
            return _statement_span(file)
        watermark = self._database.transact(lambda tx: tx.runs.watermark(request.shop, request.provider))
        return scheduled_window(
            nominal,
            interval=timedelta(seconds=request.interval_seconds),
            offset=timedelta(seconds=request.offset_seconds),
            watermark=watermark,
        )

    def run(
        self,
        request: Reconcile,
        span: Span,
        *,
        run_id: str,
        workflow_id: str,
        give_up: bool,
        progress: Callable[[str], None],
    ) -> Run:
        """Do the whole run and return it as stored.

        Raises SourceUnreadable while trying again may help; with `give_up` the run is stored as incomplete
        instead. `progress` is called before each step (it keeps the activity's heartbeat).
        """
        run = Run(
            run_id=run_id,
            shop=request.shop,
            provider=request.provider,
            window_start=span.start,
            window_end=span.end,
            source=f"statement:{request.statement_sha256}" if request.statement_sha256 else "api",
            requested_by=request.requested_by,
            workflow_id=workflow_id,
            started_at=self._clock.now(),
        )
        stored = self._database.transact(lambda tx: tx.runs.get(run_id))
        if stored is not None and stored.finished_at is not None:
            return stored
        self._database.transact(lambda tx: self._begin(tx, run, scheduled=request.window is None))
        reopen_lapsed(self._database, request.shop, request.provider, self._clock.now())
        open_breaks = self._database.transact(lambda tx: tx.breaks.open(request.shop, request.provider))
        scope = self._scope(request, span, open_breaks)
        books = self._books.read(request, scope, open_breaks, give_up=give_up, progress=progress)
        progress("comparing")
        rules = self._graces.rules_of(request.provider)
        findings = self._settled(run, self._compare(books, scope, rules))
        bridges: tuple[Statement, ...] = ()
        if Leg.PAYMENTS in books.legs_read:
            of_payments = _of(findings, Leg.PAYMENTS)
            openings = self._openings(run)
            bridges = statements(
                books.entries, books.lines, of_payments, books.order_of_payment, scope, rules, openings
            )
        progress("storing")
        return self._database.transact(lambda tx: self._store(tx, run, scope, books, findings, bridges))

    def _begin(self, tx: Transaction, run: Run, *, scheduled: bool) -> None:
        """Begin the run. The first scheduled one puts the watermark down, so that its window cannot be lost."""
        tx.runs.begin(run)
        if scheduled and run.source == "api" and tx.runs.watermark(run.shop, run.provider) is None:
            tx.runs.advance_watermark(run.shop, run.provider, run.window_start, run.window_start)

    def _scope(self, request: Reconcile, span: Span, open_breaks: Sequence[Break]) -> Scope:
        rules = self._graces.rules_of(request.provider)
        # What is within its grace must still be looked at when the grace ends.
        lookback = rules.longest_grace(max(self._graces.lookback, self._graces.payment))
        horizon = min([span.start - lookback, *(item.first_movement_at for item in open_breaks)])
        margin = rules.date_window
        if request.statement_sha256 is not None:
            # A file says nothing of what happened before its first line, but may settle what we booked days ago.
            horizon, margin = span.start, lookback
        return Scope(
            window_start=span.start,
            window_end=span.end,
            horizon_start=horizon,
            payment_grace=self._graces.payment,
            shipment_grace=self._graces.shipment,
            order_grace=self._graces.order,
            margin=margin,
        )

    def _settled(self, run: Run, findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
        """Return the findings, those that a person settled weighed as such."""
        ids = [
            break_id(run.shop, run.provider, finding.leg, finding.key, finding.currency)
            for finding in findings
            if finding.outcome is Outcome.BREAK
        ]
        past = self._database.transact(lambda tx: tx.breaks.by_ids(ids))
        return acknowledged(findings, past, shop=run.shop, provider=run.provider, now=self._clock.now())

    def _openings(self, run: Run) -> dict[str, Opening] | None:
        """Return what the run before left open; None where no complete run ends where this one starts."""

        def read(tx: Transaction) -> dict[str, Opening] | None:
            before = tx.runs.before(run.shop, run.provider, run.source, run.window_start)
            if before is None:
                return None
            return opening_of(before.run_id, tx.runs.statements(before.run_id), tx.runs.findings(before.run_id))

        return self._database.transact(read)

    def _compare(self, books: Books, scope: Scope, rules: Rules) -> tuple[Finding, ...]:
        findings: list[Finding] = []
        if Leg.PAYMENTS in books.legs_read:
            of_payments = match_payments(books.entries, books.lines, books.order_of_payment, scope, rules)
            findings += suggested(of_payments, rules)
            findings += rejected_rows(books.unread_rows, Leg.PAYMENTS)
        if Leg.PAYOUTS in books.legs_read:
            findings += match_payouts(payout_sums(books.lines), scope, rules)
        if Leg.ORDERS in books.legs_read:
            findings += match_orders(books.shop_orders, books.own_orders, scope)
        if Leg.SHIPMENTS in books.legs_read:
            findings += match_shipments(books.own_orders, books.parcels, scope, rules, disputes(findings))
        return tuple(findings)

    def _store(
        self,
        tx: Transaction,
        run: Run,
        scope: Scope,
        books: Books,
        findings: tuple[Finding, ...],
        bridges: tuple[Statement, ...],
    ) -> Run:
        tx.runs.lock(run.shop, run.provider)
        already = tx.runs.get(run.run_id)
        if already is not None and already.finished_at is not None:
            return already
        known = {item.break_id: item for item in tx.breaks.open(run.shop, run.provider)}
        concerned = [
            break_id(run.shop, run.provider, finding.leg, finding.key, finding.currency)
            for finding in findings
            if finding.outcome is Outcome.BREAK
        ]
        known |= tx.breaks.by_ids([item for item in concerned if item not in known])
        now = self._clock.now()
        because = books.incomplete_because + _unexplained(bridges)
        decided = verdict(findings, bridges, because)
        step = advance(
            known,
            findings,
            shop=run.shop,
            provider=run.provider,
            now=now,
            scope=scope,
            incomplete=decided is Verdict.INCOMPLETE,
            legs_read=books.legs_read,
            read_at=run.started_at,
        )
        for item in step.upserts:
            tx.breaks.save(item, _action(item, known.get(item.break_id), now, run.run_id))
        finished = replace(
            run,
            finished_at=now,
            verdict=decided,
            counts=_counts(findings, step, known),
            incomplete_because=because,
        )
        # What a rule explains is agreed, but it is no plain match: it is listed, and the next run opens with it.
        told = [finding for finding in findings if finding.kind is not FindingKind.MATCHED]
        tx.runs.finish(finished, bridges, told)
        # A window asked for by hand continues the watermark but never starts it: the schedule would go on from there.
        covered = tx.runs.watermark(run.shop, run.provider) is not None
        if decided is not Verdict.INCOMPLETE and run.source == "api" and covered:
            tx.runs.advance_watermark(run.shop, run.provider, run.window_start, run.window_end)
        return finished


def _statement_span(file: StatementFile) -> Span:
    if file.first_at is None or file.last_at is None:
        raise InvalidInput(f"the statement file {file.sha256[:12]}... has no line that could be read")
    last = file.last_at.replace(microsecond=0) + timedelta(seconds=1)
    return Span(file.first_at.replace(microsecond=0), last)


def _unexplained(bridges: Iterable[Statement]) -> tuple[str, ...]:
    return tuple(
        f"{bridge.currency} {format_minor(bridge.residual_minor, bridge.currency)} of the difference is unexplained"
        for bridge in bridges
        if bridge.residual_minor
    ) + tuple(
        f"{bridge.currency} {format_minor(bridge.roll.residual_minor, bridge.currency)} of the open items is unexplained"
        for bridge in bridges
        if bridge.roll is not None and bridge.roll.residual_minor
    )


def _of(findings: Iterable[Finding], leg: Leg) -> tuple[Finding, ...]:
    return tuple(finding for finding in findings if finding.leg is leg)


def _counts(findings: Iterable[Finding], step: LifecycleStep, known: dict[str, Break]) -> dict[str, int]:
    outcomes = Counter(finding.outcome for finding in findings)
    kinds = Counter(finding.kind for finding in findings)
    after = known | {item.break_id: item for item in step.upserts}
    return {
        "matched": outcomes[Outcome.MATCHED],
        "within_tolerance": kinds[FindingKind.MATCHED_WITHIN_TOLERANCE],
        "pending": outcomes[Outcome.PENDING],
        "warnings": outcomes[Outcome.WARNING],
        "breaks": outcomes[Outcome.BREAK],
        "breaks_open": sum(1 for item in after.values() if item.status in OPEN_STATUSES),
        "breaks_new": step.new,
        "breaks_persisting": step.persisting,
        "breaks_reopened": step.reopened,
        "breaks_resolved": step.resolved,
    }


def _action(item: Break, before: Break | None, at: datetime, run_id: str) -> BreakAction | None:
    """Return the line for the break's history; None when the run only saw it again, unchanged."""
    if before is None:
        return BreakAction(at=at, actor="reconciliation", action="found", run_id=run_id, detail=item.finding.kind)
    if before.status in OPEN_STATUSES and item.status not in OPEN_STATUSES:
        return BreakAction(at=at, actor="reconciliation", action="resolved", run_id=run_id, detail=item.resolution)
    if before.status not in OPEN_STATUSES and item.status in OPEN_STATUSES:
        return BreakAction(at=at, actor="reconciliation", action="reopened", run_id=run_id, detail=item.finding.kind)
    if before.finding.kind is not item.finding.kind:
        change = f"{before.finding.kind} -> {item.finding.kind}"
        return BreakAction(at=at, actor="reconciliation", action="class_changed", run_id=run_id, detail=change)
    return None
