"""Processes: how a use case reaches other running workflows. Implements `worker.services.ports.Processes`.

Every call is idempotent (the workflow id and the update id are the keys) and bounded in time, so an activity may
repeat it without looking. A start answers once the server has it on disk.
"""

import contextlib
import json
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from temporalio.client import (
    Client,
    RPCTimeoutOrCancelledError,
    WorkflowExecutionStatus,
    WorkflowHandle,
    WorkflowUpdateFailedError,
)
from temporalio.common import (
    Priority,
    SearchAttributeKey,
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from worker.contract.events import ProviderEvent
from worker.contract.ids import event_workflow_id, fingerprint, notification_workflow_id, order_workflow_id
from worker.contract.names import (
    FINGERPRINT_MEMO,
    NotificationMessage,
    OrderMessage,
    Queue,
    SearchAttribute,
    Urgency,
    WorkflowType,
)
from worker.contract.orders import OrderAnswer, OrderEvent, PlaceOrder, ReaddressOrder
from worker.contract.outbound import Notification
from worker.domain.errors import Conflict, OrdersError, ProviderUnavailable
from worker.domain.money import Money
from worker.domain.order import OrderState
from worker.temporal.answers import raise_for, refusal
from worker.temporal.client import RPC_TIMEOUT

_STATE = SearchAttributeKey.for_keyword(SearchAttribute.ORDER_STATE)
_SHOP = SearchAttributeKey.for_keyword(SearchAttribute.SHOP)
_CUSTOMER = SearchAttributeKey.for_keyword(SearchAttribute.CUSTOMER)
_AMOUNT = SearchAttributeKey.for_int(SearchAttribute.AMOUNT_MINOR)
_CURRENCY = SearchAttributeKey.for_keyword(SearchAttribute.CURRENCY)
_WEBHOOK, _REPAIR = "webhook", "repair"


class TemporalProcesses:
    """The running workflows behind one client. `rpc_timeout` bounds each call to the server."""

    def __init__(self, client: Client, *, rpc_timeout: timedelta = RPC_TIMEOUT) -> None:
        self._client = client
        self._rpc_timeout = rpc_timeout

    async def start_order(self, order: PlaceOrder) -> bool:
        """Start the order's workflow; False when it has been started before, running or closed.

        Raises ProviderUnavailable, ProviderRejected.
        """
        return await self._start(
            WorkflowType.ORDER,
            order,
            workflow_id=order_workflow_id(order.shop, order.order_id),
            queue=Queue.ORDERS,
            request_fingerprint=_fingerprint(order),
            summary=f"{order.shop} order {order.order_id}, {Money(order.total_minor, order.currency)}",
            urgency=Urgency.BACKGROUND if order.origin == _REPAIR else Urgency.ORDER,
            search_attributes=[
                SearchAttributePair(_STATE, str(OrderState.RECEIVED)),
                SearchAttributePair(_SHOP, order.shop),
                SearchAttributePair(_CUSTOMER, order.customer_id),
                SearchAttributePair(_AMOUNT, order.total_minor),
                SearchAttributePair(_CURRENCY, order.currency),
            ],
        )

    async def deliver(self, shop: str, order_id: str, event: OrderEvent) -> OrderAnswer:
        """Deliver an event to an order exactly once: the update id is the event id.

        A repetition is answered with the first answer, also after the workflow ended. Raises NotFound when the order has no workflow, Conflict when its workflow is closed, and
        ProviderUnavailable when no answer came in time (the event may have been delivered; deliver it again).
        """
        what = f"event {event.event_id} for {order_workflow_id(shop, order_id)}"
        return await self._update(shop, order_id, OrderMessage.DELIVER_EVENT, event, event.event_id, what)

    async def readdress(self, shop: str, order_id: str, request: ReaddressOrder) -> OrderAnswer:
        """Send an order's parcel elsewhere, once per request id; raises as `deliver` does."""
        what = f"another address for {order_workflow_id(shop, order_id)}"
        # As the function names it: the same request is one, whichever way it comes.
        key = f"address:{request.request_id}:{request.ship_to.fingerprint[:16]}"
        return await self._update(shop, order_id, OrderMessage.CHANGE_ADDRESS, request, key, what)

    async def start_event(self, event: ProviderEvent) -> bool:
        """Start the event's workflow, as a webhook would; False when it has been started before.

        Raises ProviderUnavailable, ProviderRejected.
        """
        return await self._start(
            WorkflowType.PROVIDER_EVENT,
            event,
            workflow_id=event_workflow_id(event.source, event.event_id),
            queue=Queue.EVENTS,
            request_fingerprint=fingerprint(event.body.encode()),
            summary=f"{event.source} {event.topic} ({event.origin})",
            urgency=Urgency.EVENT if event.origin == _WEBHOOK else Urgency.BACKGROUND,
            search_attributes=[SearchAttributePair(_SHOP, event.shop)],
        )

    async def start_notification(self, subscription: str, message_id: str) -> bool:
        """Start the delivery of a message; False when one runs, which then tries again at once.

        One that has ended may be started anew: the message's row says whether there is anything to send. Raises
        ProviderUnavailable, ProviderRejected.
        """
        workflow_id = notification_workflow_id(subscription, message_id)
        try:
            await self._client.start_workflow(
                str(WorkflowType.NOTIFICATION),
                Notification(subscription=subscription, message_id=message_id),
                id=workflow_id,
                task_queue=str(Queue.OUTBOUND),
                id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
                id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
                static_summary=f"webhook {message_id} to {subscription}",
                # One endpoint's flood does not starve another's messages.
                priority=Priority(priority_key=int(Urgency.EVENT), fairness_key=subscription[:64]),
                rpc_timeout=self._rpc_timeout,
            )
        except WorkflowAlreadyStartedError:
            with contextlib.suppress(RPCError):  # it has ended just now
                handle: WorkflowHandle[Any, Any] = self._client.get_workflow_handle(workflow_id)
                await handle.signal(str(NotificationMessage.HURRY), rpc_timeout=self._rpc_timeout)
            return False
        except RPCError as error:
            raise_for(error, workflow_id)
        return True

    async def _update(
        self,
        shop: str,
        order_id: str,
        message: OrderMessage,
        argument: OrderEvent | ReaddressOrder,
        update_id: str,
        what: str,
    ) -> OrderAnswer:
        handle: WorkflowHandle[Any, Any] = self._client.get_workflow_handle(order_workflow_id(shop, order_id))
        try:
            answer: OrderAnswer = await handle.execute_update(
                str(message), argument, id=update_id, result_type=OrderAnswer, rpc_timeout=self._rpc_timeout
            )
        except WorkflowUpdateFailedError as error:
            raise refusal(error, what) from None
        except RPCTimeoutOrCancelledError as error:
            raise ProviderUnavailable(f"no answer in time to {what}") from error
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                raise await self._closed(handle) from None
            raise_for(error, what)
        return answer

    async def _start(
        self,
        workflow: WorkflowType,
        argument: PlaceOrder | ProviderEvent,
        *,
        workflow_id: str,
        queue: Queue,
        request_fingerprint: str,
        summary: str,
        urgency: Urgency,
        search_attributes: list[SearchAttributePair[Any]],
    ) -> bool:
        try:
            await self._client.start_workflow(
                str(workflow),
                argument,
                id=workflow_id,
                task_queue=str(queue),
                id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
                # FAIL, not USE_EXISTING: "already there" must be an answer, and attaching does not say so.
                # A repetition inside this call is still one start (the SDK sends one request id).
                id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
                memo={FINGERPRINT_MEMO: request_fingerprint},
                search_attributes=TypedSearchAttributes(search_attributes),
                static_summary=summary,
                # The server takes 64 bytes of a fairness key.
                priority=Priority(priority_key=int(urgency), fairness_key=argument.shop[:64]),
                rpc_timeout=self._rpc_timeout,
            )
        except WorkflowAlreadyStartedError:
            return False
        except RPCError as error:
            raise_for(error, workflow_id)
        return True

    async def _closed(self, handle: WorkflowHandle[Any, Any]) -> OrdersError:
        """Tell an unknown workflow (raises NotFound) from one that has ended (returns Conflict).

        One that runs was started between the two questions: it must be asked again (ProviderUnavailable).
        """
        try:
            description = await handle.describe(rpc_timeout=self._rpc_timeout)
        except RPCError as error:
            raise_for(error, handle.id)
        if description.status is WorkflowExecutionStatus.RUNNING:
            return ProviderUnavailable(f"{handle.id} was started just now")
        return Conflict(f"{handle.id} has ended")


def _fingerprint(order: PlaceOrder) -> str:
    """Fingerprint an order by its content; who brought it in makes no difference to what it is."""
    content = {key: value for key, value in asdict(order).items() if key != "origin"}
    return fingerprint(json.dumps(content, sort_keys=True, separators=(",", ":")).encode())
