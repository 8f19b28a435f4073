"""Orders: place one, ask one to stop. Business rules are the worker's; here only the schema is checked."""

import re
from collections.abc import Callable
from datetime import UTC, datetime

from flask import Response, g, request
from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes

from functions.body import json_object, raw_body, request_fingerprint
from functions.fields import Fields
from functions.problems import Malformed, NotFound
from functions.replies import reply, started_reply
from functions.temporal import Start, Temporal
from worker.contract.currencies import EXPONENTS
from worker.contract.ids import is_valid_part, order_workflow_id
from worker.contract.names import OrderMessage, Queue, SearchAttribute, WorkflowType
from worker.contract.orders import CancelOrder, OrderAnswer, OrderLine, PaymentMode, PlaceOrder

MAX_LINES = 500
MAX_MINOR = 10**12
_SKU = re.compile(r"[!-~](?:[ -~]{0,62}[!-~])?", re.ASCII)
_CUSTOMER = re.compile(r"[!-~]{1,128}", re.ASCII)
_PAYMENT_METHOD = re.compile(r"[a-z]{2,12}_[A-Za-z0-9_]{1,120}", re.ASCII)
"""A provider's token has a prefix (`pm_...`), which a card number has not."""

_STATE = SearchAttributeKey.for_keyword(SearchAttribute.ORDER_STATE)
_SHOP = SearchAttributeKey.for_keyword(SearchAttribute.SHOP)
_CUSTOMER_ID = SearchAttributeKey.for_keyword(SearchAttribute.CUSTOMER)
_AMOUNT = SearchAttributeKey.for_int(SearchAttribute.AMOUNT_MINOR)
_CURRENCY = SearchAttributeKey.for_keyword(SearchAttribute.CURRENCY)


class Orders:
    """The function `orders`."""

    def __init__(self, temporal: Temporal, *, shop: str, max_body_bytes: int) -> None:
        self._temporal = temporal
        self._shop = shop
        self._max_body_bytes = max_body_bytes

    def place(self) -> Response:
        """POST /orders: start the order's workflow. The same order again is a duplicate, another one a conflict."""
        body = json_object(request, raw_body(request, self._max_body_bytes))
        order = read_order(Fields(body), self._shop, datetime.now(UTC))
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
        """POST /orders/{order_id}/cancel: ask the order to stop; 202 with what it answered.

        The request id (`request_id`, else the Idempotency-Key header, else the body's hash) makes a repeat safe.
        """
        if not is_valid_part(order_id):
            raise NotFound("there is no such thing")
        raw = raw_body(request, self._max_body_bytes)
        body = json_object(request, raw) if raw else {}
        fields = Fields(body)
        reason = fields.text("reason", 500) if fields.present("reason") else ""
        request_id = fields.key("request_id") if fields.present("request_id") else ""
        fields.finish()
        request_id = request_id or request.headers.get("Idempotency-Key", "")
        request_id = request_id or f"cancel-{request_fingerprint(body)[:32]}"
        if not is_valid_part(request_id):
            raise Malformed("the Idempotency-Key must be 1 to 128 of A-Z a-z 0-9 . _ : # @ + -")
        workflow_id = order_workflow_id(self._shop, order_id)
        answer = self._temporal.update(
            workflow_id,
            OrderMessage.CANCEL,
            CancelOrder(request_id=request_id, requested_by=g.holder, reason=reason),
            update_id=request_id,
            answer=OrderAnswer,
        )
        return reply(
            202, {"workflow_id": workflow_id, "order_id": order_id, "outcome": answer.outcome, "state": answer.state}
        )

    @property
    def operations(self) -> dict[str, Callable[..., Response]]:
        """The views by their name in the route table."""
        return {"place": self.place, "cancel": self.cancel}


def read_order(fields: Fields, shop: str, now: datetime) -> PlaceOrder:
    """Read an order. Raises Unprocessable with every problem. Without `placed_at` it was placed `now`."""
    currency = fields.text("currency", 3)
    if currency not in EXPONENTS:
        fields.refuse("currency", "must be a currency code of ISO 4217")
    mode = fields.choice("payment_mode", PaymentMode)
    method = None
    if fields.present("payment_method"):
        method = fields.matching("payment_method", _PAYMENT_METHOD, "a token of the payment provider, like pm_...")
    if (mode is PaymentMode.CHARGE) != fields.present("payment_method") and fields.present("payment_mode"):
        fields.refuse("payment_method", "is needed when we charge, and only then")
    order = PlaceOrder(
        shop=shop,
        order_id=fields.key("order_id"),
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
