"""What stands in a workflow's history, and waiting for it."""

import asyncio
from typing import Any

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType
from temporalio.api.update.v1 import UpdateRef, WaitPolicy
from temporalio.api.workflowservice.v1 import PollWorkflowExecutionUpdateRequest
from temporalio.client import WorkflowFailureError, WorkflowHandle
from temporalio.service import RPCError, RPCStatusCode

PATIENCE_SECONDS = 60


async def until(handle: WorkflowHandle[Any, Any], *wanted: EventType.ValueType) -> None:
    """Wait until the history holds events of the wanted types in this order (others may stand between)."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            types = iter([event.event_type for event in (await handle.fetch_history()).events])
            if all(kind in types for kind in wanted):
                return
            await asyncio.sleep(0.01)


async def admitted(handle: WorkflowHandle[Any, Any], update_id: str) -> None:
    """Wait until the server has an update, whatever the workflow will say to it."""
    where = WorkflowExecution(workflow_id=handle.id, run_id=handle.result_run_id or "")
    asked = PollWorkflowExecutionUpdateRequest(
        namespace=handle._client.namespace,
        update_ref=UpdateRef(workflow_execution=where, update_id=update_id),
        wait_policy=WaitPolicy(),
    )
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            try:
                await handle._client.workflow_service.poll_workflow_execution_update(asked)
            except RPCError as error:
                if error.status is not RPCStatusCode.NOT_FOUND:
                    raise
                await asyncio.sleep(0.01)
            else:
                return


async def activities_in(handle: WorkflowHandle[Any, Any]) -> list[str]:
    """Return the types of the activities that went through a queue, in order."""
    return [
        event.activity_task_scheduled_event_attributes.activity_type.name
        for event in (await handle.fetch_history()).events
        if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED
    ]


async def ended(handle: WorkflowHandle[Any, Any]) -> None:
    """Wait for the end, whichever."""
    async with asyncio.timeout(60):
        try:
            await handle.result()
        except WorkflowFailureError:
            return
