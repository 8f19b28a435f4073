"""An event again: its body from the history of the workflow that had it first, in a new run that says it is a replay.

The inbox knows every event for good but keeps no body; Temporal keeps the body until the namespace's retention ends.
"""

import asyncio
from datetime import timedelta

from temporalio.client import Client, WorkflowFailureError
from temporalio.common import Priority, WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.service import RPCError, RPCStatusCode

from worker.contract.events import EventResult, ProviderEvent
from worker.contract.ids import is_valid_part, replay_workflow_id
from worker.contract.names import Queue, Urgency, WorkflowType
from worker.domain.errors import Conflict, InvalidInput
from worker.services.events import REPLAY
from worker.services.ports import InboxEntry
from worker.temporal.answers import raise_for
from worker.temporal.client import RPC_TIMEOUT


async def event_of(client: Client, entry: InboxEntry) -> ProviderEvent | None:
    """Return the event as it was received, None when Temporal has it no more. Raises ProviderUnavailable, Conflict."""
    handle = client.get_workflow_handle(entry.workflow_id, run_id=entry.run_id)
    try:
        async for item in handle.fetch_history_events(page_size=1, rpc_timeout=RPC_TIMEOUT):
            started = item.workflow_execution_started_event_attributes
            (event,) = await client.data_converter.decode(started.input.payloads, [ProviderEvent])
            return event if isinstance(event, ProviderEvent) else None
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise_for(error, f"the history of {entry.workflow_id}")
    except (RuntimeError, TypeError, ValueError) as error:
        raise Conflict(f"the history of {entry.workflow_id} cannot be read as an event") from error
    return None


async def replay(client: Client, event: ProviderEvent, *, patience: timedelta) -> EventResult | None:
    """Run the event again and return what became of it this time, None when that takes longer than `patience`.

    One replay of an event at a time: a second one joins the first. What the event did before it does not do again:
    an order takes each event id once. A replay without a result goes on by itself. Raises ProviderUnavailable when
    Temporal does not answer, InvalidInput, Conflict.
    """
    if not is_valid_part(event.event_id):
        raise InvalidInput("the event's id is not usable as an id")
    again = ProviderEvent(
        source=event.source,
        dialect=event.dialect,
        shop=event.shop,
        event_id=event.event_id,
        topic=event.topic,
        body=event.body,
        received_at=event.received_at,
        origin=REPLAY,
    )
    try:
        handle = await client.start_workflow(
            WorkflowType.PROVIDER_EVENT,
            again,
            id=replay_workflow_id(event.source, event.event_id),
            task_queue=Queue.EVENTS,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            static_summary=f"{event.source} {event.topic} ({REPLAY})",
            priority=Priority(priority_key=int(Urgency.BACKGROUND), fairness_key=event.shop[:64]),
            rpc_timeout=RPC_TIMEOUT,
            result_type=EventResult,
        )
        async with asyncio.timeout(patience.total_seconds()):
            result: EventResult = await handle.result()
    except RPCError as error:
        raise_for(error, f"the replay of {event.event_id}")
    except TimeoutError:
        return None
    except WorkflowFailureError as error:
        raise Conflict(f"the workflow {handle.id} ended with an error: {error.cause}") from error
    return result
