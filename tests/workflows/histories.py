"""What stands in a workflow's history, and waiting for it."""

import asyncio
from typing import Any

from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowFailureError, WorkflowHandle

PATIENCE_SECONDS = 20


async def until(handle: WorkflowHandle[Any, Any], *wanted: EventType.ValueType) -> None:
    """Wait until the history holds events of the wanted types in this order (others may stand between)."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            types = iter([event.event_type for event in (await handle.fetch_history()).events])
            if all(kind in types for kind in wanted):
                return
            await asyncio.sleep(0.01)


async def activities_in(handle: WorkflowHandle[Any, Any]) -> list[str]:
    """Return the types of the activities that went through a queue, in order."""
    return [
        event.activity_task_scheduled_event_attributes.activity_type.name
        for event in (await handle.fetch_history()).events
        if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED
    ]


async def ended(handle: WorkflowHandle[Any, Any]) -> None:
    """Wait for the end, whichever."""
    async with asyncio.timeout(30):
        try:
            await handle.result()
        except WorkflowFailureError:
            return
