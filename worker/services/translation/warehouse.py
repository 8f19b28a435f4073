"""The warehouse's events, a Standard Webhooks sender: `{"type", "timestamp", "data": {...}}`.

`data.reference` is what we gave with the request: `{shop}/{order_id}`. `data.lines` says what a parcel holds, each item with
a `quantity` and the `line` of the order (from 1) or the `sku`; without it a parcel holds all that was left. `data.rest` names
the parcel in which the warehouse will send what this one lacks.
"""

from typing import Any

from worker.contract.orders import OrderEvent, OrderEventKind, ParcelLine
from worker.domain.errors import InvalidInput
from worker.services.translation.document import Document
from worker.services.translation.route import Route

_KINDS = {
    "shipment.shipped": OrderEventKind.SHIPPED,
    "shipment.failed": OrderEventKind.SHIPMENT_FAILED,
    "shipment.delivered": OrderEventKind.DELIVERED,
}
TOPICS = frozenset(_KINDS)
"""What is understood; a source that is not set up for one of them never hears of it."""
_TIMES = {OrderEventKind.DELIVERED: "delivered_at"}
MOST_PIECES = 10**9
MOST_LINES = 500
"""As many as an order may have; a list that is longer tells of no parcel of ours."""


def translate(shop: str, topic: str, event_id: str, body: Any, origin: str) -> Route:  # noqa: ARG001  one signature for all dialects
    """Translate a shipment event. Raises InvalidInput when the reference is not one of ours."""
    envelope = Document(body)
    kind = _KINDS.get(topic)
    if kind is None:
        return Route(reason=f"type {topic[:60]} is of no concern to orders")
    data = envelope.child("data")
    owner, slash, order_id = data.text("reference").partition("/")
    if not slash or not order_id:
        raise InvalidInput("$.data.reference: expected {shop}/{order_id}")
    if owner != shop:
        return Route(reason="the parcel belongs to another shop")
    at = _TIMES.get(kind, "shipped_at")
    event = OrderEvent(
        event_id=event_id,
        kind=kind,
        occurred_at=data.time(at) if data.text(at, "") else envelope.time("timestamp"),
        reference=data.text("id"),
        detail=data.text("reason", "") or data.text("tracking", ""),
        contents=_contents(data) if kind is OrderEventKind.SHIPPED else (),
        rest=data.text("rest", "") if kind is OrderEventKind.SHIPPED else "",
    )
    return Route(shop=shop, order_id=order_id, event=event)


def _contents(data: Document) -> tuple[ParcelLine, ...]:
    listed = data.children("lines")
    if len(listed) > MOST_LINES:
        raise InvalidInput(f"$.data.lines: at most {MOST_LINES}")
    return tuple(_line(item) for item in listed)


def _line(item: Document) -> ParcelLine:
    quantity, line, sku = item.integer("quantity"), item.integer("line", 0), item.text("sku", "")
    if not 0 < quantity <= MOST_PIECES:
        raise InvalidInput("$.data.lines: a quantity is at least 1")
    if not 0 <= line <= MOST_LINES or not (line or sku):
        raise InvalidInput("$.data.lines: each names a line from 1, or an SKU")
    return ParcelLine(quantity=quantity, line=line, sku=sku)
