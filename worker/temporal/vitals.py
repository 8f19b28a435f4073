"""What a Temporal server says of itself: its version, the namespace's retention, what time it has."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import (
    DescribeNamespaceRequest,
    DescribeTaskQueueRequest,
    GetSystemInfoRequest,
    PollActivityTaskQueueRequest,
)
from temporalio.client import Client
from temporalio.service import RPCError

from worker.temporal.answers import raise_for

_TIMEOUT = timedelta(seconds=3)
_QUEUE = "doctor"
_POLL = timedelta(seconds=4)
_LOOKS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerVitals:
    """The server's version and how long the namespace keeps what has ended."""

    version: str
    retention: timedelta


async def vitals(client: Client) -> ServerVitals:
    """Ask the server. Raises NotFound for a namespace that it does not have, ProviderUnavailable, ProviderRejected."""
    try:
        system = await client.workflow_service.get_system_info(GetSystemInfoRequest(), timeout=_TIMEOUT)
        request = DescribeNamespaceRequest(namespace=client.namespace)
        namespace = await client.workflow_service.describe_namespace(request, timeout=_TIMEOUT)
    except RPCError as error:
        raise_for(error, f"namespace {client.namespace}")
    return ServerVitals(
        version=system.server_version,
        retention=namespace.config.workflow_execution_retention_ttl.ToTimedelta(),
    )


async def clock_skew(client: Client) -> timedelta | None:
    """Return by how much the server's clock is ahead of ours; None when it does not tell.

    No call answers with the server's time, but it notes when somebody last asked a task queue for work: we ask one that
    nobody uses, and read the note.
    """
    identity = f"doctor {datetime.now(UTC).timestamp()}"
    queue = TaskQueue(name=_QUEUE)
    asked = PollActivityTaskQueueRequest(namespace=client.namespace, task_queue=queue, identity=identity)
    look = DescribeTaskQueueRequest(
        namespace=client.namespace, task_queue=queue, task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY
    )
    before = datetime.now(UTC)
    poll = asyncio.ensure_future(client.workflow_service.poll_activity_task_queue(asked, timeout=_POLL))
    try:
        for _ in range(_LOOKS):
            found = await client.workflow_service.describe_task_queue(look, timeout=_TIMEOUT)
            after = datetime.now(UTC)
            for poller in found.pollers:
                if poller.identity == identity:
                    at = poller.last_access_time.ToDatetime(UTC)
                    # Within the time that asking took nobody can tell.
                    return at - after if at > after else at - before if at < before else timedelta(0)
            await asyncio.sleep(0.05)
    except RPCError as error:
        raise_for(error, "the clock of the server")
    finally:
        poll.cancel()
        with suppress(asyncio.CancelledError, RPCError):
            await poll
    return None
