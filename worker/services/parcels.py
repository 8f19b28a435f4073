"""Our record of a parcel, with its entry in the order's timeline: one that was sent stays sent, whatever comes late."""

from dataclasses import replace
from datetime import datetime

from worker.contract.orders import OrderEvent
from worker.domain.ledger import Shipment, ShipmentState
from worker.domain.order import Order, OrderState
from worker.domain.timeline import of_parcel
from worker.services.ports import Transaction


def note_parcel(tx: Transaction, order: Order, event: OrderEvent, state: ShipmentState) -> None:
    """Record that the parcel an event speaks of stands in `state`."""
    at = datetime.fromisoformat(event.occurred_at)
    known = {parcel.shipment_id: parcel for parcel in tx.shipments.of_order(order.shop, order.order_id)}
    before = known.get(event.reference)
    if before is not None and before.state is ShipmentState.SHIPPED:
        return
    parcel = Shipment(
        shipment_id=event.reference,
        order_id=order.order_id,
        state=state,
        requested_at=before.requested_at if before else at,
        shipped_at=at if state is ShipmentState.SHIPPED else None,
    )
    tx.shipments.save(order.shop, parcel)
    tx.timeline.add(of_parcel(order.shop, parcel, at, "warehouse"))


def note_requested(tx: Transaction, shop: str, parcel: Shipment, at: datetime, actor: str) -> None:
    """Record a parcel that the warehouse accepted at our request."""
    tx.shipments.save(shop, parcel)
    tx.timeline.add(of_parcel(shop, parcel, at, actor))


def note_stopped(tx: Transaction, shop: str, parcel: Shipment, at: datetime, actor: str) -> None:
    """Record that a parcel was kept from leaving."""
    stopped = replace(parcel, state=ShipmentState.FAILED)
    tx.shipments.save(shop, stopped)
    tx.timeline.add(of_parcel(shop, stopped, at, actor, stopped=True))


def has_left(tx: Transaction, order: Order) -> bool:
    """Tell whether our books know of a parcel of the order that has left."""
    return any(parcel.state is ShipmentState.SHIPPED for parcel in tx.shipments.of_order(order.shop, order.order_id))


def sent(tx: Transaction, order: Order, at: datetime, actor: str, reason: str = "") -> Order:
    """Take a paid order whose parcel has left to its end."""
    if order.state is OrderState.PAID:  # the warehouse was quicker than our own record of its acceptance
        order = tx.orders.move(order, OrderState.FULFILLING, at=at, actor=actor)
    shipped = tx.orders.move(order, OrderState.SHIPPED, at=at, actor=actor, reason=reason)
    return tx.orders.move(shipped, OrderState.COMPLETED, at=at, actor=actor)
