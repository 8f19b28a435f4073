"""Our record of parcels, with their entries in the order's timeline: one that was sent stays sent, whatever comes late."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from worker.contract.orders import OrderEvent, OrderEventKind, OrderStatus, ParcelLine
from worker.domain.errors import NotFound
from worker.domain.ledger import Packed, Shipment, ShipmentState
from worker.domain.order import Order, OrderState
from worker.domain.parcel_told import news_of, of_delivery, of_surplus
from worker.domain.parcels import Goods, fulfilment, shipped_goods
from worker.domain.timeline import of_parcel
from worker.services.order_messages import status_of
from worker.services.ports import Database, Transaction, WarehouseGateway

WAREHOUSE = "warehouse"


def note_parcel(
    tx: Transaction,
    order: Order,
    event: OrderEvent,
    state: ShipmentState,
    listed: Sequence[Shipment] | None = None,
) -> bool:
    """Record that the parcel an event speaks of stands in `state`; return whether it does: one that left never failed.

    `listed` are the order's parcels, where they were read.

    A parcel whose contents are not told holds what was owed when it left. What goes beyond the order is no error of
    the event's: it is recorded as it is, told in the timeline, and reported by reconciliation.
    """
    at = datetime.fromisoformat(event.occurred_at)
    listed = tx.shipments.of_order(order.shop, order.order_id) if listed is None else listed
    before = next((parcel for parcel in listed if parcel.shipment_id == event.reference), None)
    shipped = state is ShipmentState.SHIPPED
    if before is not None and before.state is ShipmentState.SHIPPED:
        _note_rest(tx, order, event, listed, at)  # its arrival, which names no rest, may have been heard of first
        return shipped
    known = shipped_goods(order.lines, listed)
    told = tuple(Packed(quantity=each.quantity, line=each.line, sku=each.sku) for each in event.contents)
    owed = tuple(Packed(line=number, quantity=pieces) for number, pieces in known.owed.items())
    parcel = Shipment(
        shipment_id=event.reference,
        order_id=order.order_id,
        state=state,
        requested_at=before.requested_at if before else at,
        shipped_at=at if shipped else None,
        # Of the only parcel nothing needs to be said: it is the order.
        contents=(told or (owed if known.parcels else ())) if shipped else (),
    )
    tx.shipments.save(order.shop, parcel)
    entry = of_parcel(order.shop, parcel, at, WAREHOUSE, lines=order.lines)
    tx.timeline.add(entry)
    if not shipped:
        return True
    with_it = [*(each for each in listed if each.shipment_id != parcel.shipment_id), parcel]
    tx.outbound.changed(news_of(entry, order, parcel, with_it))
    beyond = shipped_goods(order.lines, with_it).surplus[len(known.surplus) :]
    if beyond or known.complete:
        tx.timeline.add(of_surplus(order.shop, parcel, beyond, at, order.lines))
    _note_rest(tx, order, event, with_it, at)
    return True


def _note_rest(tx: Transaction, order: Order, event: OrderEvent, known: Sequence[Shipment], at: datetime) -> None:
    if event.rest and event.rest not in {each.shipment_id for each in known}:
        rest = Shipment(shipment_id=event.rest, order_id=order.order_id, state=ShipmentState.REQUESTED, requested_at=at)
        note_requested(tx, order.shop, rest, at, WAREHOUSE)


def arrived(database: Database, warehouse: WarehouseGateway, shop: str, order_id: str, event: OrderEvent) -> OrderEvent:
    """Return the event of a parcel's arrival, with what it holds where nobody had told that it left.

    An arrival says nothing of that, and may be heard of first: what is left out would be taken for all that is owed,
    and paid for. Raises ProviderUnavailable.
    """
    known = database.transact(lambda tx: tx.shipments.of_order(shop, order_id))
    left = {parcel.shipment_id for parcel in known if parcel.state is ShipmentState.SHIPPED}
    if event.contents or event.reference in left:
        return event
    try:
        return replace(event, contents=_told(warehouse.contents(event.reference)))
    except NotFound:
        return event


def unheard(parcel: Shipment, contents: Sequence[Packed], at: datetime) -> OrderEvent:
    """Return the event of a parcel that had left when it was to be stopped, and of which nobody had told."""
    return OrderEvent(
        event_id=f"stop:{parcel.shipment_id}",
        kind=OrderEventKind.SHIPPED,
        occurred_at=at.isoformat(),
        reference=parcel.shipment_id,
        detail="had left before it could be stopped",
        contents=_told(contents),
    )


def _told(contents: Sequence[Packed]) -> tuple[ParcelLine, ...]:
    return tuple(ParcelLine(quantity=each.quantity, line=each.line, sku=each.sku) for each in contents)


def note_delivered(tx: Transaction, order: Order, event: OrderEvent) -> bool:
    """Record that a parcel reached the customer; return whether that was new. One that arrived has left before."""
    at = datetime.fromisoformat(event.occurred_at)
    note_parcel(tx, order, replace(event, kind=OrderEventKind.SHIPPED), ShipmentState.SHIPPED)
    listed = tx.shipments.of_order(order.shop, order.order_id)
    parcel = next(each for each in listed if each.shipment_id == event.reference)
    if parcel.delivered_at is not None:
        return False
    there = replace(parcel, delivered_at=at)
    tx.shipments.save(order.shop, there)
    entry = of_delivery(order.shop, there, at)
    tx.timeline.add(entry)
    tx.outbound.changed(
        news_of(entry, order, there, [there if each.shipment_id == there.shipment_id else each for each in listed])
    )
    return True


def note_requested(tx: Transaction, shop: str, parcel: Shipment, at: datetime, actor: str) -> None:
    """Record a parcel that the warehouse accepted at our request, or announced."""
    # What it holds is known when it leaves: until then the warehouse may split it.
    asked = replace(parcel, contents=())
    tx.shipments.save(shop, asked)
    tx.timeline.add(of_parcel(shop, asked, at, actor))


def note_stopped(tx: Transaction, shop: str, parcel: Shipment, at: datetime, actor: str) -> None:
    """Record that a parcel was kept from leaving."""
    stopped = replace(parcel, state=ShipmentState.FAILED)
    tx.shipments.save(shop, stopped)
    tx.timeline.add(of_parcel(shop, stopped, at, actor, stopped=True))


def asked_for_anew(parcels: Sequence[Shipment], stopped: str) -> bool:
    """Tell whether another parcel was asked for after one that will not leave, and is under way."""
    before = next(parcel for parcel in parcels if parcel.shipment_id == stopped)
    return any(
        parcel.state is ShipmentState.REQUESTED and parcel.requested_at > before.requested_at for parcel in parcels
    )


def goods_of(tx: Transaction, order: Order) -> Goods:
    """Return what of an order has left, as far as our books know."""
    return shipped_goods(order.lines, tx.shipments.of_order(order.shop, order.order_id))


def known_order(tx: Transaction, shop: str, order_id: str) -> Order:
    """Return an order as it stands, not locked. Raises NotFound."""
    order = tx.orders.get(shop, order_id)
    if order is None:
        raise NotFound(f"order {shop}/{order_id} is not in our books")
    return order


def standing(tx: Transaction, shop: str, order_id: str) -> OrderStatus:
    """Return where an order stands, its goods included. Raises NotFound."""
    order = known_order(tx, shop, order_id)
    return status_of(order, fulfilment(order, tx.shipments.of_order(shop, order_id)))


def has_left(tx: Transaction, order: Order) -> bool:
    """Tell whether our books know of a parcel of the order that has left."""
    return any(parcel.state is ShipmentState.SHIPPED for parcel in tx.shipments.of_order(order.shop, order.order_id))


def waiting(tx: Transaction, shop: str, order_id: str) -> bool:
    """Tell whether our books know of a parcel of the order that was asked for and is neither gone nor stopped."""
    return any(parcel.state is ShipmentState.REQUESTED for parcel in tx.shipments.of_order(shop, order_id))


def sent(tx: Transaction, order: Order, at: datetime, actor: str, reason: str = "") -> Order:
    """Take a paid order to its end: all that is owed of it has left."""
    order = waiting_for_rest(tx, order, at, actor)
    shipped = tx.orders.move(order, OrderState.SHIPPED, at=at, actor=actor, reason=reason)
    return tx.orders.move(shipped, OrderState.COMPLETED, at=at, actor=actor)


def waiting_for_rest(tx: Transaction, order: Order, at: datetime, actor: str) -> Order:
    """Let a paid order wait for the rest of its goods."""
    if order.state is OrderState.PAID:  # the warehouse was quicker than our own record of its acceptance
        return tx.orders.move(order, OrderState.FULFILLING, at=at, actor=actor)
    return order


def take_out(tx: Transaction, order: Order, event: OrderEvent, at: datetime, actor: str, *, held: bool) -> bool:
    """Note that a parcel left and move the order accordingly; return whether that changed anything.

    `held`: its money is held, it is paid for after this and moves when it is.
    """
    shop, order_id = order.shop, order.order_id
    before = tx.shipments.of_order(shop, order_id)
    note_parcel(tx, order, event, ShipmentState.SHIPPED, before)
    goods = goods_of(tx, order)
    if not held and order.state not in {OrderState.PAID, OrderState.FULFILLING}:
        tx.stock.left(shop, order_id, goods.by_sku, at, actor)
        return False
    if goods.partial:
        tx.stock.parted(shop, order_id, goods.by_sku, at, actor)
    if held:
        return True
    if goods.partial:
        waiting_for_rest(tx, order, at, actor)
        return tx.shipments.of_order(shop, order_id) != before
    sent(tx, order, at, actor, event.detail)
    return True
