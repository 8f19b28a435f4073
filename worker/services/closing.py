"""Closing months: each once, in order, however many runs come to it; what was missed or ended `incomplete`, again.

Who closes a month says so in the database before anything is read, under the lock of its shop and provider: a schedule
that fires twice, a run that sees to a month left open and a retried step meet there.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from worker.contract.reconciliation import SCHEDULE, Mode, Reconcile
from worker.domain.closing import (
    LEFT_TO_THE_SCHEDULE,
    CloseRule,
    CloseTry,
    OpenMonth,
    begun_at,
    closed_until,
    earliest,
    open_months,
)
from worker.domain.window import Span, month_before
from worker.services.ports import Clock, Database, Run, Transaction, source_of

CloseRules = Mapping[tuple[str, str], CloseRule]
"""When months are closed, by shop and provider; one without is closed on demand alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Which month a run closes, or which run closes or has closed it instead."""

    span: Span
    run_id: str
    mine: bool
    verdict: str = ""
    """Of the other run, once it has one."""


class MonthlyClose:
    """Says which month is to be closed, and by which run."""

    def __init__(self, database: Database, clock: Clock, rules: CloseRules) -> None:
        self._database = database
        self._clock = clock
        self._rules = rules

    def claim(self, request: Reconcile, nominal: datetime, *, run_id: str, workflow_id: str) -> Claim:
        """Take up a month for a run of the schedule: the one it names, else the oldest that was due at `nominal`.

        A month that is closed, or under way, is left to the run that has it. Asked again, a run gets the same month.
        """

        def work(tx: Transaction) -> Claim:
            tx.runs.lock(request.shop, request.provider)
            own = tx.runs.get(run_id)
            if own is not None:
                return Claim(span=Span(own.window_start, own.window_end), run_id=run_id, mine=True)
            now = self._clock.now()
            span = self._asked(tx, request, nominal, now)
            tries = [one for one in _tries(tx, request.shop, request.provider, span.end) if one.span == span]
            other = next((one for one in tries if one.closed or one.under_way(now)), None)
            if other is not None:
                return Claim(span=span, run_id=other.run_id, mine=False, verdict=other.verdict)
            tx.runs.begin(
                Run(
                    run_id=run_id,
                    shop=request.shop,
                    provider=request.provider,
                    window_start=span.start,
                    window_end=span.end,
                    source=source_of(Mode.CLOSE),
                    requested_by=request.requested_by,
                    workflow_id=workflow_id,
                    started_at=now,
                )
            )
            return Claim(span=span, run_id=run_id, mine=True)

        return self._database.transact(work)

    def next_month(self, shop: str, provider: str) -> Span | None:
        """Return the oldest month that its schedule left open and that may be tried now; None while one is under way."""
        rule = self._rules.get((shop, provider))
        if rule is None:
            return None

        def work(tx: Transaction) -> Span | None:
            tx.runs.lock(shop, provider)
            now = self._clock.now()
            _settle(tx, rule, shop, provider, now)
            left = months_left_open(tx, rule, shop, provider, now)
            if any(month.under_way for month in left):
                return None
            ripe = (month for month in left if max(month.again_at, month.due_at + LEFT_TO_THE_SCHEDULE) <= now)
            return next((month.span for month in ripe), None)

        return self._database.transact(work)

    def _asked(self, tx: Transaction, request: Reconcile, nominal: datetime, now: datetime) -> Span:
        if request.window is not None:
            return Span(datetime.fromisoformat(request.window.start), datetime.fromisoformat(request.window.end))
        newest = month_before(nominal)
        rule = self._rules.get((request.shop, request.provider))
        if rule is None:
            return newest
        if tx.runs.watermark(request.shop, request.provider, Mode.CLOSE) is None:
            _settle(tx, rule, request.shop, request.provider, now, first=newest.start)
        left = months_left_open(tx, rule, request.shop, request.provider, now)
        ripe = (month for month in left if month.due_at <= nominal and (month.again_at <= now or month.under_way))
        return next((month.span for month in ripe), newest)


def months_left_open(tx: Transaction, rule: CloseRule, shop: str, provider: str, now: datetime) -> list[OpenMonth]:
    """Return the months of a shop and provider that were due and are not closed, oldest first."""
    since = earliest(rule, now)
    reached = tx.runs.watermark(shop, provider, Mode.CLOSE)
    tries = _tries(tx, shop, provider, max(reached or since, since))
    return open_months(rule, begun_at(rule, tries, now) if reached is None else reached, tries, now)


def _settle(
    tx: Transaction, rule: CloseRule, shop: str, provider: str, now: datetime, first: datetime | None = None
) -> None:
    """Put the watermark down where there is none, and move it over what was closed out of turn, or by hand."""
    since = earliest(rule, now)
    reached = tx.runs.watermark(shop, provider, Mode.CLOSE)
    tries = _tries(tx, shop, provider, max(reached or since, since))
    if reached is None:
        begun = begun_at(rule, tries, now)
        reached = begun if first is None else min(begun, first)
        tx.runs.advance_watermark(shop, provider, reached, reached, Mode.CLOSE)
    tx.runs.advance_watermark(shop, provider, reached, closed_until(rule, reached, tries, now), Mode.CLOSE)


def _tries(tx: Transaction, shop: str, provider: str, since: datetime) -> list[CloseTry]:
    return [
        CloseTry(
            run_id=run.run_id,
            span=Span(run.window_start, run.window_end),
            started_at=run.started_at,
            finished_at=run.finished_at,
            verdict=run.verdict,
            scheduled=run.requested_by == SCHEDULE,
        )
        for run in tx.runs.closes(shop, provider, since)
    ]
