"""A real Temporal server on which time can be skipped, and workers with queues of their own.

Time stands unless a test moves it (`env.fast_forward`): workflows start with skipping off, so that a test which
waits for a message never races a window of days.
"""

import uuid
from collections.abc import AsyncIterator, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from temporalio.client import Client
from temporalio.testing import TimeSkippingConfig, WorkflowEnvironment
from temporalio.worker import Worker

from infra.local.temporal import WHOLE_QUEUES, server_program
from tests.integration.nothing_stuck import NOTHING_IS_STUCK
from tests.workflows.sandbox import sandbox
from worker.contract.names import SEARCH_ATTRIBUTE_TYPES
from worker.domain.errors import OrdersError
from worker.observability.metrics import Metrics
from worker.temporal.interceptors import ActivityInterceptor

_RATES = (
    "history.transferProcessorMaxPollRPS",
    "history.timerProcessorMaxPollRPS",
    "history.visibilityProcessorMaxPollRPS",
)
LONG_HISTORY = 120
"""Events after which the server tells a workflow to go on as a new run; its own number is 4,096."""
_OPTIONS = (
    ("--dynamic-config-value", "frontend.WorkflowTimeSkippingEnabled=true"),
    ("--dynamic-config-value", f"limit.historyCount.suggestContinueAsNew={LONG_HISTORY}"),
    *(("--dynamic-config-value", f"{rate}=500") for rate in _RATES),
    *(("--dynamic-config-value", f"{partitions}=1") for partitions in WHOLE_QUEUES),
    *(("--search-attribute", f"{name}={kind}") for name, kind in SEARCH_ATTRIBUTE_TYPES.items()),
)


async def time_skipping_server() -> WorkflowEnvironment:
    """Start a server in memory; the caller ends it (`async with`)."""
    return await WorkflowEnvironment.start_time_skipping_v2(
        ts_config=TimeSkippingConfig(enabled=False),
        dev_server_existing_path=str(server_program()),
        dev_server_log_level="error",
        dev_server_startup_timeout=timedelta(seconds=30),
        dev_server_extra_args=[word for option in _OPTIONS for word in option],
        identity="tests",
    )


@asynccontextmanager
async def serving(
    client: Client,
    workflows: Iterable[type],
    activities: Iterable[Callable[..., Any]],
    queue: str = "",
) -> AsyncIterator[str]:
    """Run a worker with the settings that decide behaviour in production; yield its task queue."""
    queue = queue or f"test-{uuid.uuid4().hex[:10]}"
    worker = Worker(
        client,
        task_queue=queue,
        workflows=list(workflows),
        activities=list(activities),
        activity_executor=ThreadPoolExecutor(1, "activities"),
        workflow_runner=sandbox(),
        interceptors=[ActivityInterceptor(Metrics(), NOTHING_IS_STUCK)],
        identity="tests",
        workflow_failure_exception_types=[OrdersError],
        sticky_queue_schedule_to_start_timeout=timedelta(seconds=1),
    )
    async with worker:
        yield queue
