"""What operators ask of running workflows: cancel an order, run a reconciliation and wait for it."""

from temporalio.client import Client, WorkflowFailureError, WorkflowUpdateFailedError
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import ActivityError, ApplicationError
from temporalio.service import RPCError

from worker.contract.ids import order_workflow_id
from worker.contract.names import OrderMessage, Queue, WorkflowType
from worker.contract.orders import CancelOrder, OrderAnswer
from worker.contract.reconciliation import Reconcile, ReconciliationResult
from worker.domain.errors import Conflict, InvalidInput, OrdersError
from worker.temporal.answers import raise_for, refusal


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


async def run_reconciliation(client: Client, request: Reconcile, workflow_id: str) -> ReconciliationResult:
    """Run a reconciliation and wait for its result.

    Raises ProviderUnavailable when Temporal is away, InvalidInput when the request is refused (a window that has not
    ended, a statement file that was never imported), and Conflict when the run failed.
    """
    try:
        result: ReconciliationResult = await client.execute_workflow(
            WorkflowType.RECONCILIATION,
            request,
            id=workflow_id,
            task_queue=Queue.RECONCILIATION,
            id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            result_type=ReconciliationResult,
            static_summary=f"{request.shop} with {request.provider}, asked for by {request.requested_by}",
        )
        return result
    except WorkflowFailureError as error:
        raise _failed(error, workflow_id) from error
    except RPCError as error:
        raise_for(error, workflow_id)


def _failed(error: WorkflowFailureError, what: str) -> OrdersError:
    cause = error.cause
    if isinstance(cause, ActivityError) and cause.cause is not None:
        cause = cause.cause
    refused = isinstance(cause, ApplicationError) and cause.type == InvalidInput.code
    return (InvalidInput if refused else Conflict)(f"{what}: {cause}")
