"""Stripe's events. Amounts are integer minor units; the order's id travels in the payment's metadata.

Source: Stripe API, Event, PaymentIntent and Charge objects.
"""

from typing import Any

from worker.contract.orders import OrderEvent, OrderEventKind
from worker.services.translation.document import Document
from worker.services.translation.route import Route

_PAYMENTS = frozenset(
    {
        "payment_intent.amount_capturable_updated",
        "payment_intent.succeeded",
        "payment_intent.payment_failed",
        "payment_intent.canceled",
        "charge.refunded",
    }
)
_DISPUTES = {
    "charge.dispute.created": OrderEventKind.DISPUTE_OPENED,
    "charge.dispute.funds_withdrawn": OrderEventKind.DISPUTE_OPENED,
    "charge.dispute.funds_reinstated": OrderEventKind.DISPUTE_WON,
}
_DISPUTE_CLOSED = "charge.dispute.closed"
TOPICS = frozenset({*_PAYMENTS, *_DISPUTES, _DISPUTE_CLOSED})
"""What is understood; a source that is not set up for one of them never hears of it."""


def translate(shop: str, topic: str, event_id: str, body: Any, origin: str) -> Route:  # noqa: ARG001  one signature for all dialects
    """Translate an event. Payments without our metadata are somebody else's: nothing to do."""
    if topic in _DISPUTES or topic == _DISPUTE_CLOSED:
        return _dispute(shop, topic, event_id, Document(body))
    if topic not in _PAYMENTS:
        return Route(reason=f"type {topic[:60]} is of no concern to orders")
    envelope = Document(body)
    found = envelope.child("data").child("object")
    metadata = found.child("metadata")
    order_id = metadata.text("order_id", "")
    if not order_id:
        return Route(reason="the payment carries no order id")
    if metadata.text("shop", shop) != shop:
        return Route(reason="the payment belongs to another shop")
    at = envelope.epoch("created")
    currency = found.currency("currency")
    if topic == "payment_intent.amount_capturable_updated":
        event = OrderEvent(
            event_id=event_id,
            kind=OrderEventKind.PAYMENT_AUTHORISED,
            occurred_at=at,
            reference=found.text("id"),
            amount_minor=found.integer("amount_capturable", found.integer("amount")),
            currency=currency,
            detail="the provider says authorised",
        )
    elif topic == "payment_intent.succeeded":
        event = OrderEvent(
            event_id=event_id,
            kind=OrderEventKind.PAYMENT_CAPTURED,
            occurred_at=at,
            reference=found.text("id"),
            amount_minor=found.integer("amount_received", found.integer("amount")),
            currency=currency,
            detail="the provider says captured",
        )
    elif topic == "payment_intent.payment_failed":
        event = OrderEvent(
            event_id=event_id,
            kind=OrderEventKind.PAYMENT_FAILED,
            occurred_at=at,
            reference=found.text("id"),
            detail=found.child("last_payment_error").text("code", "failed"),
        )
    elif topic == "payment_intent.canceled":
        event = OrderEvent(
            event_id=event_id,
            kind=OrderEventKind.PAYMENT_VOIDED,
            occurred_at=at,
            reference=found.text("id"),
            detail=f"the provider let the payment go: {found.text('cancellation_reason', 'no reason given')}",
        )
    else:
        event = OrderEvent(
            event_id=event_id,
            kind=OrderEventKind.REFUNDED,
            occurred_at=at,
            reference=found.text("payment_intent"),
            amount_minor=found.integer("amount_refunded"),
            currency=currency,
        )
    return Route(shop=shop, order_id=order_id, event=event)


def _dispute(shop: str, topic: str, event_id: str, envelope: Document) -> Route:
    """Translate a word about a dispute. Stripe's disputes carry no metadata of the payment, so the payment is named."""
    found = envelope.child("data").child("object")
    metadata = found.child("metadata")
    if metadata.text("shop", shop) != shop:
        return Route(reason="the payment belongs to another shop")
    status = found.text("status", "")
    closed = OrderEventKind.DISPUTE_LOST if status == "lost" else OrderEventKind.DISPUTE_WON
    event = OrderEvent(
        event_id=event_id,
        kind=_DISPUTES.get(topic, closed),
        occurred_at=envelope.epoch("created"),
        reference=found.text("id"),
        amount_minor=found.integer("amount"),
        currency=found.currency("currency"),
        detail=found.text("reason", ""),
    )
    return Route(
        shop=shop, order_id=metadata.text("order_id", ""), payment=found.text("payment_intent", ""), event=event
    )
