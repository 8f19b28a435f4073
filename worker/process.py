"""The worker process: check the schema, serve health, poll the queues, keep house, drain on a signal."""

import asyncio
import gc
import tempfile
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from temporalio.client import Client, Interceptor

from worker.app import Application, compose
from worker.config import WorkerConfig
from worker.connections import engine_of, lake_folder, user_keys_of
from worker.contract.settings import ConfigurationError
from worker.domain.finding import OPEN_STATUSES, Break
from worker.domain.stuck import StuckStep
from worker.gateways.clock import SystemClock
from worker.housekeeping import (
    Housekeeping,
    books,
    cloudwatch,
    convergence,
    expiry,
    heartbeat,
    leftovers,
    outbound_letters,
    outbound_upkeep,
    outbox,
    promotion,
    queue_backlog,
    schedule_watch,
    stuck_work,
)
from worker.lake.retention import clear, expire, kept_for
from worker.observability.health import Health, HealthServer, Pulse
from worker.observability.metrics import Metrics
from worker.observability.progress import Progress
from worker.repositories.database import MysqlDatabase
from worker.repositories.schema_version import check
from worker.services.figures import BusinessFigures
from worker.services.stuck import StuckSteps
from worker.temporal import search_attributes
from worker.temporal.backlog import temporal_ping
from worker.temporal.client import connect
from worker.temporal.codec import converter_of
from worker.temporal.interceptors import ActivityInterceptor
from worker.temporal.lifetime import run_until_signal
from worker.temporal.runtime import telemetry_runtime
from worker.temporal.worker import activity_executor, build_workers

MOST_GAUGED = 10_000
"""So many open breaks, the largest, and so many stuck steps, the oldest, are counted for CloudWatch; the gauges count all."""


async def run_worker(config: WorkerConfig) -> int:
    """Run the worker process until a signal; return its exit code.

    Raises SchemaMismatch when the database is not the code's, ProviderUnavailable when Temporal does not answer.
    """
    if not config.tracing.wanted:
        return await _run(config, [])
    try:
        from worker.temporal.tracing import tracing  # noqa: PLC0415 - an extra of the package
    except ImportError as missing:
        told = "tracing: spans are wanted, and OpenTelemetry is not installed: install the package with its extra `tracing`"
        raise ConfigurationError([told]) from missing
    with tracing(config.tracing) as interceptor:
        return await _run(config, [interceptor])


async def _run(config: WorkerConfig, interceptors: Sequence[Interceptor]) -> int:
    runtime, sdk_metrics = telemetry_runtime()
    engine = engine_of(config.database)
    user_keys = user_keys_of(config.encryption, MysqlDatabase(engine))
    client = await connect(
        config.temporal, converter_of(config.encryption, user_keys), runtime=runtime, interceptors=interceptors
    )
    application = compose(config, client, engine, user_keys)
    await asyncio.to_thread(check, application.engine)
    # Workflows set these attributes: without them the server refuses the workflow task.
    await search_attributes.converge(client)
    metrics, pulse, progress = Metrics(), Pulse(), Progress(config.worker.activity_threads)
    health = Health(
        pulse,
        {"database": application.database.ping, "temporal": temporal_ping(client)},
        {"activities": progress.activities, "polling": progress.polling},
    )
    executor = activity_executor(config.worker)
    stuck = StuckSteps(application.database, SystemClock(), timedelta(seconds=config.worker.stuck_after_seconds))
    workers = build_workers(
        client, config.worker, application.plan, executor, interceptors=[ActivityInterceptor(metrics, stuck, progress)]
    )
    house = _housekeeping(application, client, metrics, pulse, stuck, progress)
    _seldom_collected()
    clerk = asyncio.create_task(application.clerk.serve(), name="clerk")

    async def ready() -> None:
        health.ready = True

    async def stopping() -> None:
        health.ready = False
        clerk.cancel()
        await house.stop()

    server = HealthServer(
        health,
        [metrics.exposition, sdk_metrics],
        host=config.worker.health_host,
        port=config.worker.health_port,
    )
    with server:
        house.start()
        try:
            return await run_until_signal(
                workers, grace_seconds=config.worker.grace_seconds, on_ready=ready, on_stopping=stopping
            )
        finally:
            clerk.cancel()
            await house.stop()
            executor.shutdown(wait=False, cancel_futures=True)
            application.engine.dispose()


def _seldom_collected() -> None:
    """Let Python look for cycles of objects seldom, and never among what is loaded now.

    A run makes hundreds of thousands of objects, an order some thousand, and next to none are in a cycle: looking for
    some after every 700 took a tenth of the time of concluding and reporting, and found nothing. What was loaded has two
    thousand such objects in 150,000: to find them is not worth the fifth of a second that it takes.
    """
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    gc.enable()


def _housekeeping(
    application: Application,
    client: Client,
    metrics: Metrics,
    pulse: Pulse,
    stuck: StuckSteps,
    progress: Progress,
) -> Housekeeping:
    config, database, clock = application.config, application.database, SystemClock()
    declared = list(config.schedules.values())
    shops = [config.shop.name, *(schedule.shop for schedule in declared)]

    def open_ones() -> list[Break]:
        listed = database.transact(lambda tx: tx.breaks.listed(None, status="open", limit=MOST_GAUGED))
        return [item for item in listed if item.status in OPEN_STATUSES]

    def read_stuck() -> list[StuckStep]:
        return stuck.listed(MOST_GAUGED)

    jobs = [
        heartbeat(pulse),
        convergence(client, config.schedules, config.reconciliation, metrics),
        books(BusinessFigures(database, clock, shops).sample, metrics),
        schedule_watch(client, declared, metrics, began=clock.now()),
        queue_backlog(client, config.worker.queues, metrics, progress),
        stuck_work(client, read_stuck, metrics),
        outbox(application.clerk),
        outbound_letters(application.outbound, metrics),
        outbound_upkeep(application.outbound),
    ]
    temporary = {Path(tempfile.gettempdir())} | ({Path(config.lake.spill)} if config.lake.spill else set())
    jobs.append(leftovers(lambda: clear(temporary, clock.now())))
    folder = lake_folder(config)
    if folder is not None:
        jobs.append(expiry(lambda: expire(folder, kept_for(config.lake.keep_days), clock.now())))
    if config.worker.release:
        jobs.append(promotion(client, config.worker.release, config.worker.queues))
    if config.metrics.emf_namespace:
        jobs.append(cloudwatch(client, database, config, open_ones, read_stuck, began=clock.now()))
    return Housekeeping(jobs, metrics)
