"""Deleting a workflow and its history from Temporal, at once instead of at the end of the retention."""

import asyncio
import time

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from worker.domain.errors import ProviderUnavailable
from worker.temporal.answers import raise_for
from worker.temporal.client import RPC_TIMEOUT

PATIENCE_SECONDS = 90.0
"""How long the server may take until what was deleted is gone; it does so in the background.

A workflow that has only just ended is deleted once the server's queues have noted its end, which may take a minute.
"""
_BETWEEN_QUESTIONS = 0.2


async def forget(client: Client, workflow_id: str, *, patience_seconds: float = PATIENCE_SECONDS) -> int:
    """Delete every run of a workflow, ending one that is under way; return how many were asked for.

    May be repeated. Raises ProviderUnavailable when the server does not answer, or has not done it in time.
    """
    deadline, deleted = time.monotonic() + patience_seconds, set[str]()
    while True:
        runs = await _runs(client, workflow_id)
        for run in sorted(runs - deleted):
            await _delete(client, workflow_id, run)
        deleted |= runs
        if not runs:
            return len(deleted)
        if time.monotonic() > deadline:
            raise ProviderUnavailable(f"the server has not deleted {workflow_id} yet: ask again")
        await asyncio.sleep(_BETWEEN_QUESTIONS)


async def _runs(client: Client, workflow_id: str) -> set[str]:
    """Return the runs that the server knows: of the index, which may lag, and the newest one itself."""
    try:
        # Ids have no quotes and no backslashes (see `contract.ids`).
        found = {run.run_id async for run in client.list_workflows(f'WorkflowId = "{workflow_id}"')}
    except RPCError as error:
        raise_for(error, f"the runs of {workflow_id}")
    try:
        newest = await client.get_workflow_handle(workflow_id).describe(rpc_timeout=RPC_TIMEOUT)
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise_for(error, workflow_id)
        return found
    return found | {newest.run_id}


async def _delete(client: Client, workflow_id: str, run_id: str) -> None:
    request = DeleteWorkflowExecutionRequest(
        namespace=client.namespace,
        workflow_execution=WorkflowExecution(workflow_id=workflow_id, run_id=run_id),
    )
    try:
        await client.workflow_service.delete_workflow_execution(request, retry=True, timeout=RPC_TIMEOUT)
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise_for(error, workflow_id)
