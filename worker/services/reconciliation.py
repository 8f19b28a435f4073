"""Reconciliation: read the three books, compare, follow the breaks, store the answer.

A run is gathered once into the lake, then sifted, collected, judged and concluded, in steps that many workers may
share. A source that cannot be read to its end makes the run `incomplete`; it never looks green, and neither does a
statement file with rejected rows.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from worker.contract.reconciliation import Mode, Reconcile
from worker.domain.errors import InvalidInput, NotFound
from worker.domain.finding import Break
from worker.domain.matching.rules import PLAIN, Rules
from worker.domain.matching.scope import Scope
from worker.domain.window import Span, month_before, scheduled_window
from worker.services.books import BookReader
from worker.services.break_desk import reopen_lapsed
from worker.services.comparison import Comparison
from worker.services.conclusion import Conclusion
from worker.services.order_numbers import remember
from worker.services.ports import (
    Clock,
    Database,
    PaymentGateway,
    Run,
    ShopGateway,
    StatementFile,
    Transaction,
    WarehouseGateway,
    source_of,
)
from worker.services.ports.lake import RunLake
from worker.services.run_facts import RunFacts
from worker.services.run_result import Answer


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
        return self.rules.get(provider) or replace(PLAIN, provider=provider)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunInParts:
    """A run whose books are gathered: what the steps that follow need."""

    reference: str
    """Where its books lie; empty when the run is stored already."""
    buckets: int
    rows: int


class ReconciliationService:
    """Runs reconciliations over the ports."""

    def __init__(
        self,
        database: Database,
        payments: PaymentGateway,
        shop: ShopGateway,
        warehouse: WarehouseGateway,
        clock: Clock,
        graces: Graces,
        lake: RunLake,
    ) -> None:
        self._database = database
        self._outside = (payments, shop, warehouse)
        self._books = BookReader(database, payments, shop, warehouse)
        self._clock = clock
        self._graces = graces
        self._lake = lake
        self.comparison = Comparison(database, lake)
        self.conclusion = Conclusion(database, lake, clock)

    def window(self, request: Reconcile, nominal: datetime) -> Span:
        """Return the window to run: the asked-for one, the statement file's, or the schedule's.

        Raises InvalidInput for a window that has not ended (what is still under way would look like a break),
        for a provider whose ledger is not at hand, and for a statement file that was not imported or is of other books.
        """
        file = self._books.statement(request)
        mode = _mode(request)
        if request.window is not None:
            span = Span(datetime.fromisoformat(request.window.start), datetime.fromisoformat(request.window.end))
            if span.end > self._clock.now():
                raise InvalidInput(f"the window {span} has not ended yet")
            return span
        if file is not None:
            return _statement_span(file)
        if mode is Mode.CLOSE:
            return month_before(nominal)
        watermark = self._database.transact(lambda tx: tx.runs.watermark(request.shop, request.provider, mode))
        return scheduled_window(
            nominal,
            interval=timedelta(seconds=request.interval_seconds),
            offset=timedelta(seconds=request.offset_seconds),
            watermark=watermark,
        )

    def gather(
        self,
        request: Reconcile,
        span: Span,
        *,
        run_id: str,
        workflow_id: str,
        give_up: bool,
        progress: Callable[[str], None],
        dry: bool = False,
    ) -> RunInParts:
        """Begin the run and read all its books.

        Raises SourceUnreadable while trying again may help; with `give_up` the source is left out instead, and the run
        will be incomplete. `progress` is called before each step (it keeps the activity's heartbeat). A `dry` run is
        not begun: nothing of it is in the database.
        """
        run = Run(
            run_id=run_id,
            shop=request.shop,
            provider=request.provider,
            window_start=span.start,
            window_end=span.end,
            source=f"statement:{request.statement_sha256}" if request.statement_sha256 else source_of(_mode(request)),
            requested_by=request.requested_by,
            workflow_id=workflow_id,
            started_at=self._clock.now(),
        )
        if self.stored(run_id) is not None:
            return RunInParts(reference="", buckets=0, rows=0)
        if not dry:
            self._database.transact(lambda tx: self._begin(tx, run, scheduled=request.window is None))
            reopen_lapsed(self._database, request.shop, request.provider, self._clock.now())
        open_breaks = self._database.transact(lambda tx: tx.breaks.open(request.shop, request.provider))
        scope = self._scope(request, span, open_breaks)
        with self._lake.gathering(request.shop, request.provider, run_id) as gathering:
            rules = self._graces.rules_of(request.provider)
            told = self._books.read(
                request,
                scope,
                rules,
                open_breaks,
                gathering,
                give_up=give_up,
                progress=progress,
                now=run.started_at,
            )
            facts = RunFacts(
                run=run,
                scope=scope,
                rules=rules,
                legs_read=told.legs_read,
                incomplete_because=told.incomplete_because,
                unread_rows=told.unread_rows,
                payouts_until=told.payouts_until,
            )
            gathered = gathering.seal(facts.document())
        if not dry:
            remember(self._database, request.shop, told.numbers)
        return RunInParts(reference=gathered.reference, buckets=gathered.buckets, rows=gathered.rows)

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
        """Do the whole run here and now, step after step, and return it as stored. Raises as `gather` does."""
        parts = self.gather(request, span, run_id=run_id, workflow_id=workflow_id, give_up=give_up, progress=progress)
        if not parts.reference:
            return self._database.transact(lambda tx: _stored(tx, run_id))
        pieces = self.compare(parts, progress)
        progress("storing")
        return self.conclusion.conclude(parts.reference, pieces)

    def dry_run(self, request: Reconcile, span: Span, *, run_id: str, progress: Callable[[str], None]) -> Answer:
        """Compare, and return what a run would answer and do to the breaks. A source that is silent is left out.

        Nothing is stored: what was read is gone afterwards.
        """
        with self._lake.aside() as lake:
            aside = ReconciliationService(self._database, *self._outside, self._clock, self._graces, lake)
            parts = aside.gather(
                request, span, run_id=run_id, workflow_id="", give_up=True, progress=progress, dry=True
            )
            return aside.conclusion.answer(parts.reference, aside.compare(parts, progress))

    def compare(self, parts: RunInParts, progress: Callable[[str], None]) -> int:
        """Sift, collect and judge what was gathered, here and now; return in how many pieces it was judged."""
        return self.comparison.whole(parts.reference, parts.buckets, progress)

    def stored(self, run_id: str) -> Run | None:
        """Return the run if it was finished, None otherwise."""
        found = self._database.transact(lambda tx: tx.runs.get(run_id))
        return found if found is not None and found.finished_at is not None else None

    def _begin(self, tx: Transaction, run: Run, *, scheduled: bool) -> None:
        """Begin the run. The first scheduled one puts the watermark down, so that its window cannot be lost."""
        tx.runs.begin(run)
        marked = scheduled and run.of_api and run.mode is not Mode.CLOSE
        if marked and tx.runs.watermark(run.shop, run.provider, run.mode) is None:
            tx.runs.advance_watermark(run.shop, run.provider, run.window_start, run.window_start, run.mode)

    def _scope(self, request: Reconcile, span: Span, open_breaks: Sequence[Break]) -> Scope:
        rules = self._graces.rules_of(request.provider)
        # What is within its grace must still be looked at when the grace ends.
        light = _mode(request) is Mode.LIGHT
        lookback = rules.longest_grace(
            self._graces.payment if light else max(self._graces.lookback, self._graces.payment)
        )
        horizon = min([span.start - lookback, *(item.first_movement_at for item in open_breaks)])
        # Parts lie on either side of their whole: from the first to the last it may be twice as far.
        margin = rules.date_window * (2 if rules.many_to_one else 1)
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


def _mode(request: Reconcile) -> Mode:
    try:
        mode = Mode(request.mode)
    except ValueError:
        raise InvalidInput(f"{request.mode!r} is no mode of a run; use {', '.join(Mode)}") from None
    if request.statement_sha256 is not None and mode is not Mode.FULL:
        raise InvalidInput(f"a statement file is compared as a whole: there is no {mode} run of it")
    return mode


def _stored(tx: Transaction, run_id: str) -> Run:
    found = tx.runs.get(run_id)
    if found is None:
        raise NotFound(f"run {run_id} is not stored")
    return found


def _statement_span(file: StatementFile) -> Span:
    if file.first_at is None or file.last_at is None:
        raise InvalidInput(f"the statement file {file.sha256[:12]}... has no line that could be read")
    last = file.last_at.replace(microsecond=0) + timedelta(seconds=1)
    return Span(file.first_at.replace(microsecond=0), last)
