"""Orders: place one, pay it otherwise, ask one to stop, give money back. Business rules are the worker's; here only the schema is checked."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from flask import Response, g, request
from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes

from functions.auth import Caller
from functions.body import json_object, raw_body, request_fingerprint
from functions.fields import Fields
from functions.idempotency import id_from_key, idempotency_key
from functions.problems import Ended, FieldProblem, NotFound, Unprocessable
from functions.replies import reply, started_reply
from functions.temporal import Start, Temporal
from worker.contract.currencies import EXPONENTS
from worker.contract.ids import fingerprint, is_valid_part, order_workflow_id, refund_workflow_id
from worker.contract.names import OrderMessage, Queue, SearchAttribute, WorkflowType
from worker.contract.orders import (
    CancelOrder,
    LateRefund,
    OrderAnswer,
    OrderLine,
    PaymentAnswer,
    PaymentMode,
    PlaceOrder,
    RefundAnswer,
    RefundOrder,
    RetryPayment,
)

MAX_LINES = 500
MAX_MINOR = 10**12
_SKU = re.compile(r"[!-~](?:[ -~]{0,62}[!-~])?", re.ASCII)
_CUSTOMER = re.compile(r"[!-~]{1,128}", re.ASCII)
_PAYMENT_METHOD = re.compile(r"[a-z]{2,12}_[A-Za-z0-9_]{1,120}", re.ASCII)
"""A provider's token has a prefix (`pm_...`), which a card number has not."""
_METHOD_MEANING = "a token of the payment provider, like pm_..."

_STATE = SearchAttributeKey.for_keyword(SearchAttribute.ORDER_STATE)
_SHOP = SearchAttributeKey.for_keyword(SearchAttribute.SHOP)
_CUSTOMER_ID = SearchAttributeKey.for_keyword(SearchAttribute.CUSTOMER)
_AMOUNT = SearchAttributeKey.for_int(SearchAttribute.AMOUNT_MINOR)
_CURRENCY = SearchAttributeKey.for_keyword(SearchAttribute.CURRENCY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a client wants of an order: to stop it, `amount_minor` (None: all) back, or to pay with `payment_method`.

    `shop` and `request_id` are empty where the body names none.
    """

    shop: str
    request_id: str
    reason: str
    amount_minor: int | None = None
    payment_method: str = ""

    @property
    def fingerprint(self) -> str:
        """What is wanted, whoever asks and however the request is named."""
        wanted = [self.payment_method] if self.payment_method else [self.amount_minor, self.reason]
        return fingerprint(json.dumps(wanted).encode())


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

        Before capture the payment is voided, after capture it is refunded. The request id (`request_id`, else the
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
        return reply(
            200,
            {
                "workflow_id": workflow_id,
                "order_id": order_id,
                "request_id": wish.request_id,
                "outcome": answer.outcome,
                "state": answer.state,
                "currency": answer.currency,
                "amount_minor": answer.amount_minor,
                "refunded_minor": answer.refunded_minor,
            },
        )

    def pay(self, order_id: str) -> Response:
        """POST /orders/{order_id}/payment: Pay with another method.

        While the order waits for its money: in `awaiting_method` or `lapsed` after a refusal, or in `awaiting_payment`
        instead of what the customer was asked to do. The request needs an id of its own (`request_id` or the
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
        return reply(
            200,
            {
                "workflow_id": workflow_id,
                "order_id": order_id,
                "request_id": wish.request_id,
                "outcome": answer.outcome,
                "state": answer.state,
                "reason": answer.reason,
            },
        )

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
        return {"place": self.place, "cancel": self.cancel, "refund": self.refund, "pay": self.pay}


def read_cancellation(fields: Fields) -> Wish:
    """Read why an order is to stop. Raises Unprocessable with every problem."""
    wish = _read_wish(fields, None)
    fields.finish()
    return wish


def read_refund(fields: Fields) -> Wish:
    """Read what is to be given back. Raises Unprocessable with every problem."""
    wish = _read_wish(fields, fields.integer("amount_minor", 1, MAX_MINOR) if fields.present("amount_minor") else None)
    fields.finish()
    return wish


def read_payment(fields: Fields) -> Wish:
    """Read which method an order is to be paid with. Raises Unprocessable with every problem."""
    method = fields.matching("payment_method", _PAYMENT_METHOD, _METHOD_MEANING)
    wish = Wish(
        shop=fields.key("shop") if fields.present("shop") else "",
        request_id=fields.key("request_id") if fields.present("request_id") else "",
        reason="",
        payment_method=method,
    )
    fields.finish()
    return wish


def _need_id(wish: Wish, why: str) -> None:
    if not wish.request_id:
        problem = FieldProblem("request_id", "is needed, here or as the Idempotency-Key header")
        raise Unprocessable(why, fields=[problem])


def _read_wish(fields: Fields, amount_minor: int | None) -> Wish:
    return Wish(
        shop=fields.key("shop") if fields.present("shop") else "",
        request_id=fields.key("request_id") if fields.present("request_id") else "",
        reason=fields.text("reason", 500) if fields.present("reason") else "",
        amount_minor=amount_minor,
    )


def read_order(fields: Fields, shop: str, now: datetime, own_id: str = "") -> PlaceOrder:
    """Read an order; `shop`, `now` and `own_id` (unless empty) stand in for what it may leave out.

    Raises Unprocessable with every problem.
    """
    currency = fields.member("currency", EXPONENTS, "a currency code of ISO 4217")
    mode = fields.choice("payment_mode", PaymentMode)
    method = None
    if fields.present("payment_method"):
        method = fields.matching("payment_method", _PAYMENT_METHOD, _METHOD_MEANING)
    if (mode is not PaymentMode.COLLECTED_BY_SHOP) != fields.present("payment_method") and fields.present(
        "payment_mode"
    ):
        fields.refuse("payment_method", "is needed when we charge or authorise, and only then")
    order = PlaceOrder(
        shop=fields.key("shop") if fields.present("shop") else shop,
        order_id=own_id if own_id and not fields.present("order_id") else fields.key("order_id"),
        currency=currency,
        total_minor=fields.integer("total_minor", 1, MAX_MINOR),
        lines=fields.parts("lines", MAX_LINES, _read_line),
        customer_id=fields.matching("customer_id", _CUSTOMER, "1 to 128 visible ASCII characters"),
        payment_mode=mode,
        placed_at=(fields.instant("placed_at") if fields.present("placed_at") else now).isoformat(),
        payment_method=method,
        shipping_minor=fields.integer("shipping_minor", 0, MAX_MINOR, default=0),
        discount_minor=fields.integer("discount_minor", 0, MAX_MINOR, default=0),
    )
    fields.finish()
    return order


def _read_line(fields: Fields) -> OrderLine:
    return OrderLine(
        sku=fields.matching("sku", _SKU, "1 to 64 printable ASCII characters"),
        quantity=fields.integer("quantity", 1, 1_000_000),
        unit_price_minor=fields.integer("unit_price_minor", 0, MAX_MINOR),
    )


def amount_text(minor: int, currency: str) -> str:
    """Write a non-negative amount for people: 12345 EUR -> `EUR 123.45`."""
    digits = EXPONENTS[currency]
    whole, rest = divmod(minor, 10**digits)
    return f"{currency} {whole}" + (f".{rest:0{digits}d}" if digits else "")
