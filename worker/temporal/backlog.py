"""How much waits in the task queues, and a ping: what housekeeping and health ask of the server."""

import asyncio
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import PollerInfo, TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client
from temporalio.service import RPCError

from worker.domain.errors import ProviderUnavailable
from worker.observability.metrics import Backlog
from worker.temporal.answers import raise_for
from worker.temporal.client import RPC_TIMEOUT, default_identity

_PING_SECONDS = 2.0
_KINDS = {
    "workflow": TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
    "activity": TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
}


async def backlog(client: Client, queues: Iterable[str]) -> list[Backlog]:
    """Return what waits in each queue, workflow and activity tasks apart.

    The counts are the server's approximation; the tasks of workflows cached by a worker are not in them.
    """
    return [await _one(client, queue, kind) for queue in queues for kind in _KINDS]


def temporal_ping(client: Client) -> Callable[[], None]:
    """Return a function that asks, from another thread, whether the server answers. Raises when it does not.

    Call this in the client's event loop.
    """
    loop = asyncio.get_running_loop()

    async def ask() -> None:
        if not await client.service_client.check_health(timeout=timedelta(seconds=_PING_SECONDS)):
            raise ProviderUnavailable("the Temporal server says it is not serving")

    def ping() -> None:
        asyncio.run_coroutine_threadsafe(ask(), loop).result(_PING_SECONDS)

    return ping


async def _one(client: Client, queue: str, kind: str) -> Backlog:
    # As worker.temporal.worker names the workers of this process.
    ours = f"{default_identity()}/"
    request = DescribeTaskQueueRequest(
        namespace=client.namespace,
        task_queue=TaskQueue(name=queue),
        task_queue_type=_KINDS[kind],
        report_stats=True,
    )
    try:
        found = await client.workflow_service.describe_task_queue(request, retry=True, timeout=RPC_TIMEOUT)
    except RPCError as error:
        raise_for(error, f"task queue {queue}")
    return Backlog(
        queue=queue,
        kind=kind,
        tasks=found.stats.approximate_backlog_count,
        oldest_seconds=found.stats.approximate_backlog_age.ToTimedelta().total_seconds(),
        pollers=len(found.pollers),
        own_poll_seconds=min((_age(each) for each in found.pollers if each.identity.startswith(ours)), default=None),
    )


def _age(poller: PollerInfo) -> float:
    return max(0.0, (datetime.now(UTC) - poller.last_access_time.ToDatetime(UTC)).total_seconds())
