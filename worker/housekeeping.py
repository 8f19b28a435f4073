"""Upkeep of one process, on APScheduler: the only module that knows it.

A job may live here only if running it in every replica, not at all during an outage, or twice at once makes no
business difference. Everything else is a Temporal Schedule. Jobs live in memory, run at intervals (UTC, no
calendars), one instance each, bounded in time; a late run is merged into the next.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from apscheduler.events import EVENT_JOB_ERROR, EVENT_JOB_MAX_INSTANCES, EVENT_JOB_MISSED, JobEvent
from apscheduler.executors.asyncio import AsyncIOExecutor
from apscheduler.jobstores.memory import MemoryJobStore
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from temporalio.client import Client

from worker import cloudwatch as report
from worker.config import ScheduleConfig, WorkerConfig
from worker.domain.finding import Break
from worker.domain.stuck import StuckStep
from worker.observability import emf
from worker.observability.emf import Figures
from worker.observability.figures import Books
from worker.observability.health import Pulse
from worker.observability.metrics import Metrics
from worker.observability.progress import Progress
from worker.services.outbound import OVERDUE, OutboundService
from worker.services.ports import Database
from worker.temporal import schedules, search_attributes, versions
from worker.temporal.backlog import backlog
from worker.temporal.failing_tasks import count_failing_tasks
from worker.temporal.outbox import Clerk
from worker.temporal.schedule_control import describe_all
from worker.temporal.schedule_definition import Defaults

_log = logging.getLogger(__name__)

_MISFIRE_SECONDS = 30
_STOP_SECONDS = 2.0
_EVENTS = {EVENT_JOB_ERROR: "failed", EVENT_JOB_MISSED: "missed", EVENT_JOB_MAX_INSTANCES: "overlapped"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Upkeep:
    """One job: `run` every `every_seconds`, the first time at once, each run bounded by `timeout_seconds`."""

    name: str
    every_seconds: float
    run: Callable[[], Awaitable[None]]
    timeout_seconds: float = 20
    jitter_seconds: int = 0


class Housekeeping:
    """Runs the jobs in the event loop that starts it. A failing job is logged and counted, and runs again."""

    def __init__(self, jobs: Sequence[Upkeep], metrics: Metrics) -> None:
        self._metrics = metrics
        self._running: set[asyncio.Task[None]] = set()
        self._scheduler = AsyncIOScheduler(
            timezone=UTC,
            jobstores={"default": MemoryJobStore()},
            executors={"default": AsyncIOExecutor()},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": _MISFIRE_SECONDS},
        )
        self._scheduler.add_listener(self._on_event, EVENT_JOB_ERROR | EVENT_JOB_MISSED | EVENT_JOB_MAX_INSTANCES)
        for job in jobs:
            self._scheduler.add_job(
                self._bounded,
                "interval",
                args=[job],
                id=job.name,
                seconds=job.every_seconds,
                jitter=job.jitter_seconds or None,
                next_run_time=datetime.now(UTC),
            )

    def start(self) -> None:
        """Begin; call it in the running event loop, after the workers."""
        self._scheduler.start()

    async def stop(self) -> None:
        """Start nothing more, give running jobs a moment, then cancel them. Stopping twice is harmless."""
        if not self._scheduler.running:
            return
        self._scheduler.pause()
        if self._running:
            await asyncio.wait(self._running, timeout=_STOP_SECONDS)
        # The scheduler cannot wait for coroutines; what still runs is cancelled by its shutdown.
        self._scheduler.shutdown(wait=False)
        if self._running:
            await asyncio.wait(self._running, timeout=_STOP_SECONDS)

    async def _bounded(self, job: Upkeep) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._running.add(task)
            task.add_done_callback(self._running.discard)
        async with asyncio.timeout(job.timeout_seconds):
            await job.run()
        self._metrics.upkeep.labels(job.name, "done").inc()

    def _on_event(self, event: JobEvent) -> None:
        outcome = _EVENTS.get(event.code, "failed")
        error = getattr(event, "exception", None)
        self._metrics.upkeep.labels(event.job_id, outcome).inc()
        _log.warning(
            "housekeeping job did not run well",
            extra={"job": event.job_id, "outcome": outcome, "error": type(error).__name__ if error else None},
        )


def heartbeat(pulse: Pulse) -> Upkeep:
    """Return the job that proves the event loop runs."""

    async def run() -> None:
        pulse.beat()

    return Upkeep(name="heartbeat", every_seconds=2, run=run, timeout_seconds=1)


def convergence(client: Client, declared: Mapping[str, ScheduleConfig], defaults: Defaults, metrics: Metrics) -> Upkeep:
    """Return the job that makes the namespace what the settings say: search attributes, then schedules.

    Any replica may do it, at any time: it is idempotent, keeps what operators did, and never deletes.
    """

    async def run() -> None:
        attributes = await search_attributes.converge(client)
        if attributes.added or attributes.wrong:
            _log.warning("search attributes", extra={"added": attributes.added, "wrong": attributes.wrong})
        planned = await schedules.plan(client, declared.values(), defaults)
        metrics.show_drift(schedules.count(planned))
        done = await schedules.apply(client, planned)
        if done.created or done.updated:
            _log.info("schedules converged", extra={"schedules": {"created": done.created, "updated": done.updated}})

    return Upkeep(name="convergence", every_seconds=300, run=run, timeout_seconds=60, jitter_seconds=30)


def books(read: Callable[[], Books], metrics: Metrics) -> Upkeep:
    """Return the job that shows what the books say; `read` asks the database and runs in a thread."""

    async def run() -> None:
        metrics.show_books(await asyncio.to_thread(read))

    # The first sample sums all of the books: a minute is tens of millions of entries.
    return Upkeep(name="books", every_seconds=30, run=run, timeout_seconds=60, jitter_seconds=5)


def schedule_watch(client: Client, declared: Sequence[ScheduleConfig], metrics: Metrics, *, began: datetime) -> Upkeep:
    """Return the job that shows which schedules missed their run, and which runs failed."""

    async def run() -> None:
        now = datetime.now(UTC)
        views = await describe_all(client, [schedule.id for schedule in declared])
        failed = await report.failed_runs(client, now)
        metrics.show_runs(missed=report.missed(views, declared, began, now), failed=failed)

    return Upkeep(name="schedule_watch", every_seconds=60, run=run, timeout_seconds=40, jitter_seconds=5)


def stuck_work(client: Client, read: Callable[[], Iterable[StuckStep]], metrics: Metrics) -> Upkeep:
    """Return the job that shows what does not get on; `read` asks the database and runs in a thread."""

    async def run() -> None:
        steps = await asyncio.to_thread(lambda: list(read()))
        metrics.show_stuck(Counter((step.activity, step.code) for step in steps))
        metrics.failing_tasks.set(await count_failing_tasks(client))

    return Upkeep(name="stuck_work", every_seconds=30, run=run, jitter_seconds=5)


def cloudwatch(
    client: Client,
    database: Database,
    config: WorkerConfig,
    read_breaks: Callable[[], Iterable[Break]],
    read_stuck: Callable[[], Sequence[StuckStep]],
    *,
    began: datetime,
) -> Upkeep:
    """Return the job that reports figures to CloudWatch, each group by itself: one that fails hides no other."""
    shops = sorted({schedule.shop for schedule in config.schedules.values()} | {config.shop.name})
    declared = list(config.schedules.values())

    async def queues() -> list[Figures]:
        return report.of_queues(await backlog(client, config.worker.queues))

    async def breaks() -> list[Figures]:
        now = datetime.now(UTC)
        return await asyncio.to_thread(lambda: report.of_breaks(read_breaks(), shops, now))

    async def work() -> list[Figures]:
        now = datetime.now(UTC)
        views = await describe_all(client, [schedule.id for schedule in declared])
        return [
            report.of_work(
                missed_schedules=report.missed(views, declared, began, now),
                failed=await report.failed_runs(client, now),
                dead=await asyncio.to_thread(report.dead_letters, database, now),
                stuck=len(await asyncio.to_thread(read_stuck)) + await count_failing_tasks(client),
                dead_webhooks=await asyncio.to_thread(report.dead_webhooks, database, now),
            )
        ]

    async def run() -> None:
        found = await asyncio.gather(queues(), breaks(), work(), return_exceptions=True)
        figures = [each for group in found if not isinstance(group, BaseException) for each in group]
        emf.write(config.metrics.emf_namespace, figures, datetime.now(UTC))
        for group in found:
            if isinstance(group, BaseException):
                raise group

    return Upkeep(name="cloudwatch", every_seconds=60, run=run, timeout_seconds=40, jitter_seconds=2)


def promotion(client: Client, release: str, queues: Sequence[str]) -> Upkeep:
    """Return the job that makes a release's version the current one once it polls (worker/temporal/versions.py).

    Every replica may do it, at any time: what is current stays so, and what an operator decided is left alone.
    """

    async def run() -> None:
        await versions.promote(client, release, queues)

    return Upkeep(name="promotion", every_seconds=5, run=run, jitter_seconds=1)


def expiry(expire: Callable[[], int]) -> Upkeep:
    """Return the job that removes what the lake need not keep any more; `expire` runs in a thread and says how much."""

    async def run() -> None:
        if removed := await asyncio.to_thread(expire):
            _log.info("the lake's files of old runs are gone", extra={"files": removed})

    return Upkeep(name="expiry", every_seconds=6 * 3600, run=run, timeout_seconds=600, jitter_seconds=600)


def leftovers(clear: Callable[[], int]) -> Upkeep:
    """Return the job that removes what killed processes left on disk; `clear` runs in a thread and says how much."""

    async def run() -> None:
        if removed := await asyncio.to_thread(clear):
            _log.warning("folders of processes that were killed are gone", extra={"folders": removed})

    return Upkeep(name="leftovers", every_seconds=3600, run=run, timeout_seconds=600, jitter_seconds=60)


def queue_backlog(client: Client, queues: Sequence[str], metrics: Metrics, progress: Progress | None = None) -> Upkeep:
    """Return the job that shows what waits in the task queues, and tells `progress` when we last asked for work."""

    async def run() -> None:
        found = await backlog(client, queues)
        metrics.show_backlog(found)
        if progress is not None:
            # Workflow tasks only: who is full of activities does well not to ask for more.
            progress.polled({each.queue: each.own_poll_seconds for each in found if each.kind == "workflow"})

    return Upkeep(name="queue_backlog", every_seconds=15, run=run, jitter_seconds=3)


def outbox(clerk: Clerk) -> Upkeep:
    """Return the job that starts the delivery of webhooks whose own start was lost."""

    async def run() -> None:
        if started := await clerk.round(overdue=OVERDUE):
            _log.info("deliveries of webhooks started", extra={"deliveries": started})

    return Upkeep(name="outbox", every_seconds=5, run=run, timeout_seconds=60, jitter_seconds=1)


def outbound_letters(outbound: OutboundService, metrics: Metrics) -> Upkeep:
    """Return the job that shows which webhooks wait and which are dead letters."""

    async def run() -> None:
        metrics.show_letters(await asyncio.to_thread(outbound.counts))

    return Upkeep(name="outbound_letters", every_seconds=30, run=run, jitter_seconds=5)


def outbound_upkeep(outbound: OutboundService) -> Upkeep:
    """Return the job that removes webhooks that are over for long, some at a time."""

    async def run() -> None:
        await asyncio.to_thread(outbound.forget)

    return Upkeep(name="outbound_upkeep", every_seconds=300, run=run, timeout_seconds=60, jitter_seconds=60)
