"""The warehouse's events, a Standard Webhooks sender: `{"type", "timestamp", "data": {...}}`.

`data.reference` is what we gave with the request: `{shop}/{order_id}`.
"""

from typing import Any

from worker.contract.orders import OrderEvent, OrderEventKind
from worker.domain.errors import InvalidInput
from worker.services.translation.document import Document
from worker.services.translation.route import Route

_KINDS = {"shipment.shipped": OrderEventKind.SHIPPED, "shipment.failed": OrderEventKind.SHIPMENT_FAILED}


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
    event = OrderEvent(
        event_id=event_id,
        kind=kind,
        occurred_at=data.time("shipped_at") if data.text("shipped_at", "") else envelope.time("timestamp"),
        reference=data.text("id"),
        detail=data.text("reason", "") or data.text("tracking", ""),
    )
    return Route(shop=shop, order_id=order_id, event=event)
