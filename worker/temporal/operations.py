"""What operators ask of running workflows: cancel an order, run a reconciliation and wait for it."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

from temporalio.client import (
    Client,
    WorkflowFailureError,
    WorkflowHandle,
    WorkflowQueryFailedError,
    WorkflowUpdateFailedError,
)
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import ActivityError, ApplicationError
from temporalio.service import RPCError

from worker.contract.ids import order_workflow_id
from worker.contract.names import OrderMessage, Queue, WorkflowType
from worker.contract.orders import CancelOrder, OrderAnswer
from worker.contract.reconciliation import Progress, Reconcile, ReconciliationResult
from worker.domain.errors import Conflict, InvalidInput, OrdersError
from worker.temporal.answers import raise_for, refusal

PROGRESS = "progress"
BETWEEN_QUESTIONS = timedelta(milliseconds=500)
ASKED_FOR = timedelta(seconds=3)


async def cancel_order(client: Client, shop: str, order_id: str, request: CancelOrder) -> OrderAnswer:
    """Ask an order to stop. Raises NotFound for an unknown or finished order, Conflict when it is too late."""
    what = f"order {shop}/{order_id}"
    handle = client.get_workflow_handle(order_workflow_id(shop, order_id))
    try:
        answer: OrderAnswer = await handle.execute_update(
            OrderMessage.CANCEL, request, id=request.request_id, result_type=OrderAnswer
        )
        return answer
    except WorkflowUpdateFailedError as error:
        raise refusal(error, what) from error
    except RPCError as error:
        raise_for(error, what)


async def run_reconciliation(
    client: Client,
    request: Reconcile,
    workflow_id: str,
    *,
    again: bool = False,
    tell: Callable[[Progress], None] | None = None,
) -> ReconciliationResult:
    """Run a reconciliation and wait for its result; `tell` hears how far it is.

    One that runs under this id is waited for. One that has ended is done `again`, as a run of its own, or refused.

    Raises ProviderUnavailable when Temporal is away, InvalidInput when the request is refused (a window that has not
    ended, a statement file that was never imported), and Conflict when the run failed.
    """
    try:
        handle = await client.start_workflow(
            WorkflowType.RECONCILIATION,
            request,
            id=workflow_id,
            task_queue=Queue.RECONCILIATION,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE if again else WorkflowIDReusePolicy.REJECT_DUPLICATE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            result_type=ReconciliationResult,
            static_summary=f"{request.shop} with {request.provider}, asked for by {request.requested_by}",
        )
        return await watched(handle, tell)
    except WorkflowFailureError as error:
        raise _failed(error, workflow_id) from error
    except RPCError as error:
        raise_for(error, workflow_id)


async def watch_reconciliation(
    client: Client, workflow_id: str, tell: Callable[[Progress], None]
) -> ReconciliationResult:
    """Wait for a run that was started by whomever. Raises NotFound, and as `run_reconciliation` does."""
    handle = client.get_workflow_handle(workflow_id, result_type=ReconciliationResult)
    try:
        return await watched(handle, tell)
    except WorkflowFailureError as error:
        raise _failed(error, workflow_id) from error
    except RPCError as error:
        raise_for(error, workflow_id)


async def watched(
    handle: WorkflowHandle[Any, ReconciliationResult], tell: Callable[[Progress], None] | None
) -> ReconciliationResult:
    """Wait for a run and tell each change of its progress; a worker that is too busy to answer is asked later."""
    ended = asyncio.ensure_future(handle.result())
    if tell is None:
        return await ended
    told: Progress | None = None
    try:
        while not ended.done():
            with suppress(RPCError, WorkflowQueryFailedError):
                now = await handle.query(PROGRESS, result_type=Progress, rpc_timeout=ASKED_FOR)
                if now != told:
                    tell(now)
                    told = now
            await asyncio.wait([ended], timeout=BETWEEN_QUESTIONS.total_seconds())
    finally:
        ended.cancel()
    return await ended


def _failed(error: WorkflowFailureError, what: str) -> OrdersError:
    cause = error.cause
    if isinstance(cause, ActivityError) and cause.cause is not None:
        cause = cause.cause
    refused = isinstance(cause, ApplicationError) and cause.type == InvalidInput.code
    return (InvalidInput if refused else Conflict)(f"{what}: {cause}")
