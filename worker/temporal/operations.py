"""What operators ask of running workflows: cancel an order, pay it with another method, run a reconciliation and wait for it."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any, TypeVar

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import ResetActivityRequest
from temporalio.client import (
    Client,
    WorkflowFailureError,
    WorkflowHandle,
    WorkflowQueryFailedError,
    WorkflowUpdateFailedError,
)
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import ActivityError, ApplicationError, WorkflowAlreadyStartedError
from temporalio.service import RPCError

from worker.contract.ids import (
    fingerprint,
    order_workflow_id,
    refund_workflow_id,
    resolution_workflow_id,
    user_workflow_id,
)
from worker.contract.names import OrderMessage, Queue, UserMessage, WorkflowType
from worker.contract.orders import (
    CancelLines,
    CancelOrder,
    LateRefund,
    LinesAnswer,
    OrderAnswer,
    PaymentAnswer,
    ReaddressOrder,
    RefundAnswer,
    RefundOrder,
    ResolveOrder,
    RetryPayment,
)
from worker.contract.reconciliation import Progress, Reconcile, ReconciliationResult
from worker.contract.users import ResendConfirmation, UserStatus
from worker.domain.errors import Conflict, InvalidInput, NotFound, OrdersError
from worker.temporal.answers import raise_for, refusal

T = TypeVar("T")

PROGRESS = "progress"
BETWEEN_QUESTIONS = timedelta(milliseconds=500)
ASKED_FOR = timedelta(seconds=3)


async def cancel_order(client: Client, shop: str, order_id: str, request: CancelOrder) -> OrderAnswer:
    """Ask an order to stop. Raises NotFound for an unknown or finished order, Conflict when it is too late."""
    return await _asked(client, shop, order_id, OrderMessage.CANCEL, request, request.request_id, OrderAnswer)


async def retry_payment(client: Client, shop: str, order_id: str, request: RetryPayment) -> PaymentAnswer:
    """Pay an order with another method. Raises NotFound as `cancel_order`, Conflict when it waits for none."""
    update_id = f"payment:{request.request_id}"
    return await _asked(client, shop, order_id, OrderMessage.RETRY_PAYMENT, request, update_id, PaymentAnswer)


async def readdress_order(client: Client, shop: str, order_id: str, request: ReaddressOrder) -> OrderAnswer:
    """Send an order's parcel elsewhere. Raises NotFound as `cancel_order`, Conflict when it is too late."""
    # With the fingerprint, so that another address under the same id reaches the workflow, which refuses it.
    update_id = f"address:{request.request_id}:{request.ship_to.fingerprint[:16]}"
    return await _asked(client, shop, order_id, OrderMessage.CHANGE_ADDRESS, request, update_id, OrderAnswer)


async def cancel_lines(client: Client, shop: str, order_id: str, request: CancelLines) -> LinesAnswer:
    """Cancel pieces of an order. Raises NotFound as `cancel_order`, InvalidInput, Conflict when they cannot be cancelled."""
    # With the pieces, so that others under the same id reach the workflow, which refuses them.
    pieces = fingerprint(repr([(each.line, each.quantity) for each in request.lines]).encode())
    update_id = f"lines:{request.request_id}:{pieces[:16]}"
    return await _asked(client, shop, order_id, OrderMessage.CANCEL_LINES, request, update_id, LinesAnswer)


async def resolve_order(client: Client, request: ResolveOrder) -> OrderAnswer:
    """End an order that waits for a person, as its goods and money say, and wait for the answer.

    Raises NotFound for an unknown order, InvalidInput without a reason, Conflict when goods and money do not match.
    """
    what = f"order {request.shop}/{request.order_id}"
    try:
        answer: OrderAnswer = await client.execute_workflow(
            WorkflowType.RESOLUTION,
            request,
            id=resolution_workflow_id(request.shop, request.order_id),
            task_queue=Queue.ORDERS,
            result_type=OrderAnswer,
            # Refused ones changed nothing; one that is under way is somebody else's, with another reason.
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
            static_summary=f"{what} resolved by {request.requested_by}",
        )
        return answer
    except WorkflowFailureError as error:
        raise _failed(error, what) from error
    except WorkflowAlreadyStartedError as error:
        raise Conflict(f"{what} is being resolved by somebody else") from error
    except RPCError as error:
        raise_for(error, what)


async def _asked(
    client: Client, shop: str, order_id: str, message: OrderMessage, request: object, update_id: str, answer: type[T]
) -> T:
    what = f"order {shop}/{order_id}"
    handle = client.get_workflow_handle(order_workflow_id(shop, order_id))
    try:
        answered: T = await handle.execute_update(message, request, id=update_id, result_type=answer)
        return answered
    except WorkflowUpdateFailedError as error:
        raise refusal(error, what) from error
    except RPCError as error:
        raise_for(error, what)


async def resend_confirmation(client: Client, user_id: str, request: ResendConfirmation) -> UserStatus:
    """Have a user's token mailed again. Raises NotFound for one whose registration is over, Conflict, TooSoon."""
    what = f"user {user_id}"
    handle = client.get_workflow_handle(user_workflow_id(user_id))
    try:
        answer: UserStatus = await handle.execute_update(
            UserMessage.RESEND, request, id=f"resend:{request.request_id}", result_type=UserStatus
        )
        return answer
    except WorkflowUpdateFailedError as error:
        raise refusal(error, what) from error
    except RPCError as error:
        raise_for(error, what)


async def refund_order(client: Client, shop: str, order_id: str, request: RefundOrder) -> RefundAnswer:
    """Give money back for an order, through its own process or, when that is over, through one for the refund.

    Raises Conflict or InvalidInput when it is refused, ProviderRejected when the provider refuses it.
    """
    what = f"order {shop}/{order_id}"
    handle = client.get_workflow_handle(order_workflow_id(shop, order_id))
    try:
        answer: RefundAnswer = await handle.execute_update(
            OrderMessage.REFUND, request, id=f"refund:{request.request_id}", result_type=RefundAnswer
        )
        return answer
    except WorkflowUpdateFailedError as error:
        raise refusal(error, what) from error
    except RPCError as error:
        try:
            raise_for(error, what)
        except NotFound:
            return await _refund_late(client, LateRefund(shop=shop, order_id=order_id, refund=request))


async def _refund_late(client: Client, late: LateRefund) -> RefundAnswer:
    workflow_id = refund_workflow_id(late.shop, late.order_id, late.refund.request_id)
    try:
        answer: RefundAnswer = await client.execute_workflow(
            WorkflowType.REFUND,
            late,
            id=workflow_id,
            task_queue=Queue.ORDERS,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            result_type=RefundAnswer,
            static_summary=f"refund for {late.shop} order {late.order_id}, asked for by {late.refund.requested_by}",
        )
        return answer
    except WorkflowAlreadyStartedError:
        # It was made before: its answer is kept.
        before = client.get_workflow_handle(workflow_id, result_type=RefundAnswer)
        made: RefundAnswer = await before.result()
        if late.refund.amount_minor not in {None, made.amount_minor}:
            raise Conflict(f"{workflow_id} gave back {made.amount_minor}, not {late.refund.amount_minor}") from None
        return replace(made, outcome="duplicate")
    except WorkflowFailureError as error:
        raise _failed(error, workflow_id) from error
    except RPCError as error:
        raise_for(error, workflow_id)


async def retry_steps(client: Client, workflow_id: str, *, dry_run: bool = False) -> list[str]:
    """Let the steps of a workflow that failed be tried again now, not at their next time; return what they are.

    Nothing is done twice: a step that waits for its next attempt makes it at once. A dry run only looks. Raises
    NotFound for a workflow that is unknown, Conflict for one that is over.
    """
    try:
        found = await client.get_workflow_handle(workflow_id).describe(rpc_timeout=ASKED_FOR)
        # A step that has not failed needs no help, and is not disturbed.
        failing = [one for one in found.raw_description.pending_activities if one.attempt > 1]
        if found.close_time is not None:
            raise Conflict(f"{workflow_id} is over ({found.status.name.lower() if found.status else 'ended'})")
        for one in failing if not dry_run else ():
            request = ResetActivityRequest(
                namespace=client.namespace,
                execution=WorkflowExecution(workflow_id=workflow_id, run_id=found.run_id),
                identity=client.identity,
                id=one.activity_id,
            )
            await client.workflow_service.reset_activity(request, retry=True, timeout=ASKED_FOR)
    except RPCError as error:
        raise_for(error, workflow_id)
    return [
        # What a failure says is sealed; its code is not.
        f"{one.activity_type.name}, attempt {one.attempt}: {one.last_failure.application_failure_info.type or 'failed'}"
        for one in failing
    ]


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
    refused = cause.type if isinstance(cause, ApplicationError) else None
    return {InvalidInput.code: InvalidInput, NotFound.code: NotFound}.get(refused or "", Conflict)(f"{what}: {cause}")
