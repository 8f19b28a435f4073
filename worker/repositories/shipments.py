"""Our record of parcels in MySQL. A parcel belongs to one order for good."""

from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, Row, bindparam, select
from sqlalchemy import insert as plain_insert
from sqlalchemy.dialects.mysql import insert

from worker.domain.errors import Conflict
from worker.domain.ledger import Packed, Shipment, ShipmentState
from worker.repositories.held_orders import HeldOrders
from worker.repositories.insertion import insert_once
from worker.repositories.schema import SHIPMENTS

_ADD = plain_insert(SHIPMENTS)
_INSERT = insert(SHIPMENTS)
_SAVE = _INSERT.on_duplicate_key_update(
    {
        name: _INSERT.inserted[name]
        for name in ("state", "requested_at", "shipped_at", "tracking", "contents", "delivered_at")
    }
)
_OWNER = select(SHIPMENTS.c.order_id).where(
    SHIPMENTS.c.shop == bindparam("of_shop"), SHIPMENTS.c.shipment_id == bindparam("of_shipment")
)
_OF_ORDER = (
    select(SHIPMENTS)
    .where(SHIPMENTS.c.shop == bindparam("of_shop"), SHIPMENTS.c.order_id == bindparam("of_order"))
    .order_by(SHIPMENTS.c.requested_at, SHIPMENTS.c.shipment_id)
)


class MysqlShipmentStore:
    """Implements `ShipmentStore`."""

    def __init__(self, connection: Connection, held: HeldOrders) -> None:
        self._connection = connection
        self._held = held
        self._owner_of: dict[tuple[str, str], str] = {}
        """Whose the parcels are that were read or saved in this transaction: they stay theirs."""

    def save(self, shop: str, shipment: Shipment) -> None:
        """Insert or update by (shop, shipment_id). Raises Conflict when the parcel is another order's."""
        values = {
            "shop": shop,
            "shipment_id": shipment.shipment_id,
            "order_id": shipment.order_id,
            "state": shipment.state.value,
            "requested_at": shipment.requested_at,
            "shipped_at": shipment.shipped_at,
            "tracking": shipment.tracking,
            "contents": [asdict(packed) for packed in shipment.contents] or None,
            "delivered_at": shipment.delivered_at,
        }
        parcel = (shop, shipment.shipment_id)
        # What was neither read nor saved here is new, as a rule: then that it can be inserted says whose it is.
        if parcel not in self._owner_of and insert_once(self._connection, _ADD, values):
            self._owner_of[parcel] = shipment.order_id
        else:
            self._connection.execute(_SAVE, values)
        if parcel not in self._owner_of:
            key = {"of_shop": shop, "of_shipment": shipment.shipment_id}
            self._owner_of[parcel] = self._connection.execute(_OWNER, key).scalar_one()
        owner = self._owner_of[parcel]
        if owner != shipment.order_id:
            raise Conflict(f"parcel {shipment.shipment_id} belongs to order {owner}, not to {shipment.order_id}")
        if held := self._held.get((shop, shipment.order_id)):
            held.has_parcel(shipment)

    def of_order(self, shop: str, order_id: str) -> list[Shipment]:
        """Return the parcels of an order, oldest request first."""
        held = self._held.get((shop, order_id))
        if held is not None and held.parcels is not None:
            return list(held.parcels)
        rows = self._connection.execute(_OF_ORDER, {"of_shop": shop, "of_order": order_id})
        found = [shipment_of(row) for row in rows]
        self._owner_of |= {(shop, each.shipment_id): each.order_id for each in found}
        if held is not None:
            held.parcels = list(found)
        return found


def shipment_of(row: Row[Any]) -> Shipment:
    """Return the parcel of a row."""
    return Shipment(
        shipment_id=row.shipment_id,
        order_id=row.order_id,
        state=ShipmentState(row.state),
        requested_at=row.requested_at,
        shipped_at=row.shipped_at,
        tracking=row.tracking,
        contents=tuple(Packed(**packed) for packed in row.contents or ()),
        delivered_at=row.delivered_at,
    )
