"""Our record of a parcel, as events tell of it: one that was sent stays sent, whatever comes late."""

from datetime import datetime

from worker.contract.orders import OrderEvent
from worker.domain.ledger import Shipment, ShipmentState
from worker.domain.order import Order
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
