"""What there is to do, as Temporal tells: what waits in the queues, what happened lately, what runs at this moment.

Everything that is to be done comes through a queue sooner or later: a start, an update, a timer that is over, a retry
that is due, a run of a schedule. The server counts what waits also while nobody polls, and keeps the count when it
forgets an idle queue (tests/integration/test_waker.py holds it to that).
"""

import asyncio
from collections.abc import Iterable
from datetime import datetime, timedelta

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import PendingActivityState, PendingWorkflowTaskState, TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import (
    CountWorkflowExecutionsRequest,
    DescribeTaskQueueRequest,
    DescribeWorkflowExecutionRequest,
    DescribeWorkflowExecutionResponse,
    ListWorkflowExecutionsRequest,
)
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode, TLSConfig

from infra.waker.decision import Waiting
from worker.contract.temporal_tls import TemporalConfig, tls_pieces

_TIMEOUT = timedelta(seconds=5)
_KINDS = (TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW, TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY)
_AT_WORK = {
    PendingActivityState.PENDING_ACTIVITY_STATE_STARTED,
    PendingActivityState.PENDING_ACTIVITY_STATE_CANCEL_REQUESTED,
    PendingActivityState.PENDING_ACTIVITY_STATE_PAUSE_REQUESTED,
}
_STARTED = PendingWorkflowTaskState.PENDING_WORKFLOW_TASK_STATE_STARTED

MOST = 500
"""So many open workflows are looked at one by one. An environment with more of them is in use, and does not sleep."""

_AT_ONCE = 20


async def connected(config: TemporalConfig) -> Client:
    """Connect to the server. Raises RuntimeError when it does not answer in time."""
    pieces = tls_pieces(config)
    tls = pieces is not None and TLSConfig(
        server_root_ca_cert=pieces.server_root_ca_cert,
        domain=pieces.domain,
        client_cert=pieces.client_cert,
        client_private_key=pieces.client_private_key,
    )
    return await Client.connect(
        config.address,
        namespace=config.namespace,
        tls=tls,
        api_key=config.api_key.reveal() if config.api_key else None,
        identity="waker",
        connect_timeout=_TIMEOUT,
    )


async def waiting(client: Client, queues: Iterable[str]) -> Waiting:
    """Return what the queues hold, workflow and activity tasks together. Raises RPCError."""
    found = await asyncio.gather(*(_one(client, queue, kind) for queue in queues for kind in _KINDS))
    return Waiting(
        tasks=sum(each.tasks for each in found),
        oldest=max((each.oldest for each in found), default=timedelta(0)),
        moving=any(each.moving for each in found),
    )


async def recent(client: Client, queues: Iterable[str], since: datetime) -> int:
    """Return how many workflows of the queues began or ended since then. Raises RPCError."""
    moment = since.isoformat()
    asked = CountWorkflowExecutionsRequest(
        namespace=client.namespace,
        query=f"{_on(queues)} AND (StartTime > '{moment}' OR CloseTime > '{moment}')",
    )
    return (await client.workflow_service.count_workflow_executions(asked, retry=True, timeout=_TIMEOUT)).count


async def under_way(client: Client, queues: Iterable[str]) -> int | None:
    """Return how many steps run at this moment, None when more than MOST workflows would have to be asked.

    A step is an activity that a worker has begun, or the code of a workflow. Raises RPCError.
    """
    asked = ListWorkflowExecutionsRequest(
        namespace=client.namespace, page_size=MOST + 1, query=f"{_on(queues)} AND ExecutionStatus = 'Running'"
    )
    listed = await client.workflow_service.list_workflow_executions(asked, retry=True, timeout=_TIMEOUT)
    if len(listed.executions) > MOST or listed.next_page_token:
        return None
    gate = asyncio.Semaphore(_AT_ONCE)

    async def steps(execution: WorkflowExecution) -> int:
        async with gate:
            return await _steps(client, execution)

    return sum(await asyncio.gather(*(steps(each.execution) for each in listed.executions)))


def _on(queues: Iterable[str]) -> str:
    return f"TaskQueue IN ({', '.join(repr(queue) for queue in queues)})"


async def _one(client: Client, queue: str, kind: "TaskQueueType.ValueType") -> Waiting:
    asked = DescribeTaskQueueRequest(
        namespace=client.namespace, task_queue=TaskQueue(name=queue), task_queue_type=kind, report_stats=True
    )
    stats = (await client.workflow_service.describe_task_queue(asked, retry=True, timeout=_TIMEOUT)).stats
    return Waiting(
        tasks=stats.approximate_backlog_count,
        oldest=stats.approximate_backlog_age.ToTimedelta(),
        moving=stats.tasks_add_rate > 0 or stats.tasks_dispatch_rate > 0,
    )


async def _steps(client: Client, execution: WorkflowExecution) -> int:
    asked = DescribeWorkflowExecutionRequest(namespace=client.namespace, execution=execution)
    try:
        found = await client.workflow_service.describe_workflow_execution(asked, retry=True, timeout=_TIMEOUT)
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:  # it ended, and was forgotten, since it was listed
            return 0
        raise
    return _at_work(found)


def _at_work(found: DescribeWorkflowExecutionResponse) -> int:
    activities = sum(each.state in _AT_WORK for each in found.pending_activities)
    return activities + (found.HasField("pending_workflow_task") and found.pending_workflow_task.state == _STARTED)
