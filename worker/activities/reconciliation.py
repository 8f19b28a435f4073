"""Activities of the reconciliation process. Rows stay here: only counts go into the history."""

import asyncio
import contextvars
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from temporalio import activity

from worker.contract.events import ProviderEvent
from worker.contract.reconciliation import Reconcile, Window
from worker.domain.errors import ProviderUnavailable, SourceUnreadable
from worker.domain.repair_policy import AttemptOutcome
from worker.domain.window import Span
from worker.services.inquiry import Answer
from worker.services.ports import Processes, Run
from worker.services.reconciliation import ReconciliationService
from worker.services.repair import MOST_REPAIRS, RepairService
from worker.services.reporting import ReportingService

TRIES_PER_SOURCE = 4
"""How often a source that cannot be read is asked before the run is stored as incomplete, by each process at most."""

ENOUGH_UNANSWERED = 3
"""After so many repairs without an answer from outside the rest is left to the next run."""

HEARTBEAT_SECONDS = 20.0
"""How often a comparison says that it is at work; one page of a long list is not the end of a step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to plan a window for; `nominal` is the schedule's time, ISO 8601 UTC."""

    request: Reconcile
    nominal: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOrder:
    """One run to do."""

    request: Reconcile
    window: Window
    run_id: str
    workflow_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """A run whose books are gathered."""

    reference: str
    """Where its books lie; empty when the run is stored already."""
    buckets: int
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PartOrder:
    """One part of a run to work on: a bucket to sift, or a piece to judge."""

    reference: str
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Conclude:
    """A run to conclude."""

    run_id: str
    reference: str
    pieces: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunAnswer:
    """What a run answered."""

    verdict: str
    counts: dict[str, int]
    incomplete_because: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairOrder:
    """Repair what a run found."""

    shop: str
    provider: str
    run_id: str


class ReconciliationActivities:
    """Steps of ReconciliationWorkflow."""

    def __init__(
        self,
        reconciliation: ReconciliationService,
        repair: RepairService,
        reporting: ReportingService,
        processes: Processes,
    ) -> None:
        self._reconciliation = reconciliation
        self._repair = repair
        self._reporting = reporting
        self._processes = processes
        self._unread: Counter[str] = Counter()
        """How often a source of each run that is under way could not be read, as far as this process tried."""

    @activity.defn
    def plan_window(self, plan: Plan) -> Window:
        """Return the window to run, back to the watermark."""
        span = self._reconciliation.window(plan.request, datetime.fromisoformat(plan.nominal))
        return Window(start=span.start.isoformat(), end=span.end.isoformat())

    @activity.defn
    def compare_books(self, order: RunOrder) -> RunAnswer:
        """Read all sides, compare, follow the breaks, store the answer."""
        with _heartbeats(), self._patience(order.run_id) as give_up:
            return _answer(self._reconciliation.run(**_asked(order), give_up=give_up))

    @activity.defn
    def gather_books(self, order: RunOrder) -> Parts:
        """Read all sides into the lake."""
        with _heartbeats(), self._patience(order.run_id) as give_up:
            parts = self._reconciliation.gather(**_asked(order), give_up=give_up)
        return Parts(reference=parts.reference, buckets=parts.buckets, rows=parts.rows)

    @activity.defn
    def sift_bucket(self, order: PartOrder) -> None:
        """Set aside what does not trivially agree in one bucket."""
        with _heartbeats():
            self._reconciliation.comparison.sift(order.reference, order.number)

    @activity.defn
    def collect_exceptions(self, reference: str) -> int:
        """Bring together what the rules must judge; return in how many pieces."""
        with _heartbeats():
            return self._reconciliation.comparison.collect(reference)

    @activity.defn
    def judge_piece(self, order: PartOrder) -> None:
        """Let the rules say what is wrong with the keys of one piece."""
        with _heartbeats():
            self._reconciliation.comparison.judge(order.reference, order.number)

    @activity.defn
    def conclude_run(self, order: Conclude) -> RunAnswer:
        """Store the statement, the verdict and the next state of the breaks; a run that is stored stays as it is."""
        with _heartbeats():
            stored = self._reconciliation.stored(order.run_id)
            return _answer(stored or self._reconciliation.conclusion.conclude(order.reference, order.pieces))

    @activity.defn
    async def repair_breaks(self, order: RepairOrder) -> int:
        """Make the repairs that are due and allowed; return how many messages were delivered or parcels asked for.

        A provider that does not answer keeps nobody: its attempt is finished by a later run, under the same id.
        """
        made = delivered = unanswered = 0
        for break_id in await asyncio.to_thread(self._repair.due, order.shop, order.provider, order.run_id):
            if made >= MOST_REPAIRS or unanswered >= ENOUGH_UNANSWERED:
                break
            activity.heartbeat(made)
            claim = await asyncio.to_thread(self._repair.claim, break_id, order.run_id)
            if claim is None:
                continue
            made += 1
            try:
                answer = await asyncio.to_thread(self._repair.carry_out, claim)
            except (ProviderUnavailable, SourceUnreadable) as problem:
                unanswered += 1
                activity.logger.warning("a repair waits for an outside system", extra={"cause": str(problem)})
                continue
            if isinstance(answer, ProviderEvent):
                await self._processes.start_event(answer)
                answer = Answer(outcome=AttemptOutcome.DELIVERED, detail=f"{answer.topic} to {answer.source}")
            await asyncio.to_thread(self._repair.finished, claim, answer)
            delivered += answer.outcome is AttemptOutcome.DELIVERED
        return delivered

    @activity.defn
    def write_report(self, run_id: str) -> str:
        """Render the report; return where it is."""
        return self._reporting.write(run_id)

    @contextmanager
    def _patience(self, run_id: str) -> Iterator[bool]:
        """Say whether a source that cannot be read is to be left out now.

        Counted are failures of sources alone: after an outage of MySQL, or with a full disk, the step has failed often, and
        the first hiccup of a source would be taken for its end.
        """
        try:
            yield self._unread[run_id] >= TRIES_PER_SOURCE - 1
        except SourceUnreadable:
            self._unread[run_id] += 1
            raise
        self._unread.pop(run_id, None)


def _asked(order: RunOrder) -> dict[str, Any]:
    span = Span(datetime.fromisoformat(order.window.start), datetime.fromisoformat(order.window.end))
    # The engine asks for what it reads from threads of its own, which know of no activity.
    surroundings = contextvars.copy_context()
    return {
        "request": order.request,
        "span": span,
        "run_id": order.run_id,
        "workflow_id": order.workflow_id,
        "progress": lambda step: surroundings.copy().run(activity.heartbeat, step),
    }


def _answer(run: Run) -> RunAnswer:
    return RunAnswer(verdict=run.verdict, counts=dict(run.counts or {}), incomplete_because=run.incomplete_because)


@contextmanager
def _heartbeats() -> Iterator[None]:
    """Heartbeat while the block runs, from a thread of its own: reading a long list is one step for its caller.

    Every call to the outside has a time-out, so the block cannot hang behind it for ever.
    """
    done = threading.Event()

    def beat() -> None:
        while not done.wait(HEARTBEAT_SECONDS):
            with suppress(Exception):  # a heartbeat that is lost is made up for by the next one
                activity.heartbeat()

    context = contextvars.copy_context()
    thread = threading.Thread(target=context.run, args=(beat,), name="heartbeats", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
