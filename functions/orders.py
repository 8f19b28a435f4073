"""Orders: place one, pay it otherwise, send it elsewhere, ask one or lines of it to stop, give money back. Business rules are the worker's; here only the schema is checked."""

from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import UTC, datetime

from flask import Response, g, request
from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes

from functions.auth import Caller
from functions.body import json_object, raw_body, request_fingerprint
from functions.fields import Fields
from functions.idempotency import id_from_key, idempotency_key
from functions.order_requests import (
    Wish,
    read_cancellation,
    read_order,
    read_payment,
    read_readdressing,
    read_refund,
    read_unwanted_lines,
)
from functions.problems import Ended, FieldProblem, NotFound, Unprocessable
from functions.replies import reply, started_reply
from functions.temporal import Start, Temporal
from worker.contract.currencies import EXPONENTS
from worker.contract.ids import is_valid_part, order_workflow_id, refund_workflow_id
from worker.contract.names import OrderMessage, Queue, SearchAttribute, WorkflowType
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
    RetryPayment,
)

_STATE = SearchAttributeKey.for_keyword(SearchAttribute.ORDER_STATE)
_SHOP = SearchAttributeKey.for_keyword(SearchAttribute.SHOP)
_CUSTOMER_ID = SearchAttributeKey.for_keyword(SearchAttribute.CUSTOMER)
_AMOUNT = SearchAttributeKey.for_int(SearchAttribute.AMOUNT_MINOR)
_CURRENCY = SearchAttributeKey.for_keyword(SearchAttribute.CURRENCY)


class Orders:
    """The function `orders`."""

    def __init__(self, temporal: Temporal, *, max_body_bytes: int) -> None:
        self._temporal = temporal
        self._max_body_bytes = max_body_bytes

    def place(self) -> Response:
        """POST /orders: Place an order.

        The order's own id makes a repeat safe: the same order again is answered as a duplicate, another order under
        the same id is a conflict. An order without an id takes one from the Idempotency-Key header.
        """
        caller: Caller = g.caller
        body = json_object(request, raw_body(request, self._max_body_bytes))
        own_id = id_from_key(caller.holder, idempotency_key(request))
        order = read_order(Fields(body), caller.shops[0], datetime.now(UTC), own_id)
        caller.acts_for(order.shop)
        workflow_id = order_workflow_id(order.shop, order.order_id)
        print_of_request = request_fingerprint(body)
        started = self._temporal.start(
            Start(
                workflow=WorkflowType.ORDER,
                workflow_id=workflow_id,
                queue=Queue.ORDERS,
                argument=order,
                fingerprint=print_of_request,
                summary=f"{order.shop} order {order.order_id}, {amount_text(order.total_minor, order.currency)}",
                search_attributes=TypedSearchAttributes(
                    [
                        SearchAttributePair(_STATE, "received"),
                        SearchAttributePair(_SHOP, order.shop),
                        SearchAttributePair(_CUSTOMER_ID, order.customer_id),
                        SearchAttributePair(_AMOUNT, order.total_minor),
                        SearchAttributePair(_CURRENCY, order.currency),
                    ]
                ),
            )
        )
        return started_reply(started, print_of_request, workflow_id=workflow_id, order_id=order.order_id)

    def cancel(self, order_id: str) -> Response:
        """POST /orders/{order_id}/cancel: Ask an order to stop.

        Before capture the payment is voided, after capture it is refunded. `applied` says that the order stops unless its
        parcel leaves before the warehouse can stop it: then it completes. The request id (`request_id`, else the
        Idempotency-Key header, else the body's hash) makes a repeat safe: it gets the first answer.
        """
        shop, wish = self._wish(order_id, read_cancellation, body_optional=True)
        request_id = wish.request_id or f"cancel-{wish.fingerprint[:32]}"
        workflow_id = order_workflow_id(shop, order_id)
        answer = self._temporal.update(
            workflow_id,
            OrderMessage.CANCEL,
            CancelOrder(request_id=request_id, requested_by=g.caller.holder, reason=wish.reason),
            update_id=f"cancel:{request_id}",
            answer=OrderAnswer,
        )
        return reply(
            202, {"workflow_id": workflow_id, "order_id": order_id, "outcome": answer.outcome, "state": answer.state}
        )

    def refund(self, order_id: str) -> Response:
        """POST /orders/{order_id}/refund: Give money back.

        `amount_minor` of it, or everything that is left. An order whose money is all given back before its parcel
        left is stopped; one that is over stays as it ended. The request needs an id of its own (`request_id` or the
        Idempotency-Key header): the same refund again gets the first answer, another one under the id is a conflict.
        The answer is given when the money is on its way.
        """
        shop, wish = self._wish(order_id, read_refund)
        _need_id(wish, "a refund needs an id, so that it is made once")
        refund = RefundOrder(
            request_id=wish.request_id,
            requested_by=g.caller.holder,
            amount_minor=wish.amount_minor,
            reason=wish.reason,
        )
        workflow_id = order_workflow_id(shop, order_id)
        until = self._temporal.deadline()  # one for both ways: the caller does not wait twice
        try:
            answer = self._temporal.update(
                workflow_id,
                OrderMessage.REFUND,
                refund,
                # With the fingerprint, so that another refund under the same id reaches the workflow, which refuses it.
                update_id=f"refund:{wish.request_id}:{wish.fingerprint[:16]}",
                answer=RefundAnswer,
                until=until,
            )
        except (Ended, NotFound):  # the order is over, perhaps for so long that Temporal has forgotten it
            workflow_id = refund_workflow_id(shop, order_id, wish.request_id)
            answer = self._temporal.run(
                Start(
                    workflow=WorkflowType.REFUND,
                    workflow_id=workflow_id,
                    queue=Queue.ORDERS,
                    argument=LateRefund(shop=shop, order_id=order_id, refund=refund),
                    fingerprint=wish.fingerprint,
                    summary=f"refund for {shop} order {order_id}, asked for by {g.caller.holder}",
                    search_attributes=TypedSearchAttributes([SearchAttributePair(_SHOP, shop)]),
                    again_after_failure=True,
                ),
                answer=RefundAnswer,
                until=until,
            )
        return _answered(workflow_id, order_id, wish.request_id, answer)

    def pay(self, order_id: str) -> Response:
        """POST /orders/{order_id}/payment: Pay with another method.

        While the order waits for its money: in `awaiting_method` after a refusal, in `lapsed` when what was held is gone (of
        an order that has left in part, only what is still owed is charged), or in `awaiting_payment` instead of what the
        customer was asked to do. The request needs an id of its own (`request_id` or the
        Idempotency-Key header): the same method again gets the first answer, another one under the id is a conflict. A
        method that is refused is answered `declined` with the provider's code; the state says whether another may follow.
        """
        shop, wish = self._wish(order_id, read_payment)
        _need_id(wish, "a payment needs an id, so that it is tried once")
        workflow_id = order_workflow_id(shop, order_id)
        answer = self._temporal.update(
            workflow_id,
            OrderMessage.RETRY_PAYMENT,
            RetryPayment(request_id=wish.request_id, requested_by=g.caller.holder, payment_method=wish.payment_method),
            # With the fingerprint, so that another method under the same id reaches the workflow, which refuses it.
            update_id=f"payment:{wish.request_id}:{wish.fingerprint[:16]}",
            answer=PaymentAnswer,
        )
        return _answered(workflow_id, order_id, wish.request_id, answer)

    def change_address(self, order_id: str) -> Response:
        """POST /orders/{order_id}/address: Send the parcel elsewhere.

        As long as the warehouse was not asked for it; afterwards the address stays, and the answer is a conflict. The
        request needs an id of its own (`request_id` or the Idempotency-Key header): the same address again gets the
        first answer, another one under the id is a conflict.
        """
        shop, wish = self._wish(order_id, read_readdressing)
        _need_id(wish, "a change of address needs an id, so that it is made once")
        workflow_id = order_workflow_id(shop, order_id)
        answer = self._temporal.update(
            workflow_id,
            OrderMessage.CHANGE_ADDRESS,
            ReaddressOrder(
                request_id=wish.request_id,
                requested_by=g.caller.holder,
                ship_to=wish.ship_to,
                reason=wish.reason,
            ),
            # With the fingerprint, so that another address under the same id reaches the workflow, which refuses it.
            update_id=f"address:{wish.request_id}:{wish.fingerprint[:16]}",
            answer=OrderAnswer,
        )
        return _answered(workflow_id, order_id, wish.request_id, answer)

    def cancel_lines(self, order_id: str) -> Response:
        """POST /orders/{order_id}/cancel-lines: Cancel single lines.

        Pieces of lines (numbered from 1, as the order was placed) that have not left, once the order's money is held or
        taken. The parcel that holds them is stopped and the rest asked for anew; what has left, or was cancelled before,
        is a conflict, and so is a line of an order whose money the shop collects. Less is owed by `amount_minor`: prices,
        and the share of tax and discount that lies on them. Shipping stays. `refunded_minor` of it was captured and is given back;
        the rest was only held. All that has not left cancels the order (`reason` is `order_cancelled`). The request needs an
        id of its own (`request_id` or the Idempotency-Key header): the same lines again get the first answer, others under
        the id are a conflict.
        """
        shop, wish = self._wish(order_id, read_unwanted_lines)
        _need_id(wish, "a cancellation of lines needs an id, so that it is made once")
        workflow_id = order_workflow_id(shop, order_id)
        answer = self._temporal.update(
            workflow_id,
            OrderMessage.CANCEL_LINES,
            CancelLines(request_id=wish.request_id, requested_by=g.caller.holder, lines=wish.lines, reason=wish.reason),
            # With the fingerprint, so that other lines under the same id reach the workflow, which refuses them.
            update_id=f"lines:{wish.request_id}:{wish.fingerprint[:16]}",
            answer=LinesAnswer,
        )
        return _answered(workflow_id, order_id, wish.request_id, answer)

    def _wish(self, order_id: str, read: Callable[[Fields], Wish], *, body_optional: bool = False) -> tuple[str, Wish]:
        """Read what is wanted of an order; return the shop that it concerns with it."""
        if not is_valid_part(order_id):
            raise NotFound("there is no such thing")
        caller: Caller = g.caller
        raw = raw_body(request, self._max_body_bytes)
        wish = read(Fields({} if body_optional and not raw else json_object(request, raw)))
        key = idempotency_key(request)
        shop = wish.shop or caller.shops[0]
        caller.acts_for(shop)
        return shop, replace(wish, request_id=wish.request_id or key)

    @property
    def operations(self) -> dict[str, Callable[..., Response]]:
        """The views by their name in the route table."""
        return {
            "place": self.place,
            "cancel": self.cancel,
            "refund": self.refund,
            "pay": self.pay,
            "change_address": self.change_address,
            "cancel_lines": self.cancel_lines,
        }


def _need_id(wish: Wish, why: str) -> None:
    if not wish.request_id:
        problem = FieldProblem("request_id", "is needed, here or as the Idempotency-Key header")
        raise Unprocessable(why, fields=[problem])


def _answered(
    workflow_id: str, order_id: str, request_id: str, answer: OrderAnswer | RefundAnswer | PaymentAnswer | LinesAnswer
) -> Response:
    """Tell whoever asked what the order answered, field by field as the contract names them."""
    asked = {"workflow_id": workflow_id, "order_id": order_id, "request_id": request_id}
    return reply(200, asked | asdict(answer))


def amount_text(minor: int, currency: str) -> str:
    """Write a non-negative amount for people: 12345 EUR -> `EUR 123.45`."""
    digits = EXPONENTS[currency]
    whole, rest = divmod(minor, 10**digits)
    return f"{currency} {whole}" + (f".{rest:0{digits}d}" if digits else "")
