"""Workers of one process: one per task queue, from explicit lists of workflows and activities.

Fixed slots, sized to the process: the resource-based tuner misreads containers.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

from temporalio.client import Client
from temporalio.common import VersioningBehavior, WorkerDeploymentVersion
from temporalio.worker import Interceptor, Worker, WorkerDeploymentConfig

from worker.config import ProcessConfig
from worker.contract.names import Queue
from worker.domain.errors import InvalidInput, OrdersError
from worker.temporal.client import default_identity
from worker.temporal.runner import workflow_runner
from worker.temporal.versions import DEPLOYMENT

BULK_QUEUES = frozenset({Queue.RECONCILIATION})
"""Queues whose activities run long: together they may hold a third of the threads, so that orders never starve."""

WAITING_QUEUES = frozenset({Queue.OUTBOUND})
"""Queues whose activities wait for others in the event loop and hold no thread meanwhile."""
WAITING_SLOTS = 60

# A heartbeat's answer is how an activity learns that it was cancelled: not later than every five seconds.
_HEARTBEAT_THROTTLE = timedelta(seconds=5)


UNRELEASED = "unreleased"
"""What histories say of the code of a worker that has no release."""

Duties = tuple[Sequence[type[Any]], Sequence[Callable[..., Any]]]
"""What the worker of one queue can do: its workflow classes, its activities."""


def activity_executor(config: ProcessConfig) -> ThreadPoolExecutor:
    """Return the threads for the process's synchronous activities; shut it down after the workers."""
    return ThreadPoolExecutor(max_workers=config.activity_threads, thread_name_prefix="activity")


def build_workers(
    client: Client,
    config: ProcessConfig,
    plan: Mapping[Queue, Duties],
    executor: ThreadPoolExecutor,
    *,
    interceptors: Sequence[Interceptor] = (),
) -> list[Worker]:
    """Return a worker for each queue of `config.queues`, not yet running.

    `plan` says what each queue's worker can do; queues that the settings do not name are left to other processes.
    Raises InvalidInput for a queue that is unknown, named twice or has no duties.
    """
    queues = _queues(config, plan)
    cached = max(1, config.max_cached_workflows // len(queues))
    grace = timedelta(seconds=config.grace_seconds)
    return [
        Worker(
            client,
            task_queue=str(queue),
            workflows=list(plan[queue][0]),
            activities=list(plan[queue][1]),
            activity_executor=executor,
            max_concurrent_activities=_slots(queue, queues, config.activity_threads),
            # Each needs a thread; one that waits for it must not be taken for one that takes long.
            max_concurrent_local_activities=config.activity_threads,
            workflow_runner=workflow_runner(),
            interceptors=list(interceptors),
            identity=f"{default_identity()}/{queue}",
            max_cached_workflows=cached,
            # After a crash, the tasks of cached workflows wait this long for the dead process.
            sticky_queue_schedule_to_start_timeout=timedelta(seconds=config.sticky_timeout_seconds),
            graceful_shutdown_timeout=grace,
            max_heartbeat_throttle_interval=_HEARTBEAT_THROTTLE,
            default_heartbeat_throttle_interval=_HEARTBEAT_THROTTLE,
            # Without this a domain error would fail the workflow task, which is retried for ever.
            workflow_failure_exception_types=[OrdersError],
            deployment_config=_announced(config.release),
            # Unsaid, the SDK reads the code of all modules anew to tell one code from another: 0.3 s of each start's CPU,
            # for a name that changes with what happens to be imported.
            build_id=None if config.release else UNRELEASED,
        )
        for queue in queues
    ]


def _announced(release: str) -> WorkerDeploymentConfig | None:
    """Return what a worker says of its version; one without a release takes tasks as they come."""
    if not release:
        return None
    return WorkerDeploymentConfig(
        version=WorkerDeploymentVersion(deployment_name=DEPLOYMENT, build_id=release),
        use_worker_versioning=True,
        # Running workflows go on with a new release at their next task: patches and recorded histories keep it safe.
        default_versioning_behavior=VersioningBehavior.AUTO_UPGRADE,
    )


def _queues(config: ProcessConfig, plan: Mapping[Queue, Duties]) -> list[Queue]:
    problems = []
    queues: list[Queue] = []
    for name in config.queues:
        if name not in list(Queue):
            problems.append(f"{name!r} is not a task queue; use {', '.join(Queue)}")
        elif Queue(name) in queues:
            problems.append(f"{name!r} is named twice")
        elif Queue(name) not in plan:
            problems.append(f"{name!r} has neither workflows nor activities")
        else:
            queues.append(Queue(name))
    if not queues and not problems:
        problems.append("no task queue is named")
    if problems:
        raise InvalidInput("worker.queues: " + "; ".join(problems))
    return queues


def _slots(queue: Queue, queues: Sequence[Queue], threads: int) -> int:
    """Return how many activities a queue may run at once.

    All threads for the quick queues (they share; a moment's wait is bounded by the bulk share), a third for bulk
    work unless it has the process to itself.
    """
    if queue in WAITING_QUEUES:
        return WAITING_SLOTS
    if queue in BULK_QUEUES and set(queues) - BULK_QUEUES:
        return max(1, math.ceil(threads / 3))
    return threads
