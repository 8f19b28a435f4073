"""Where parcels go, in MySQL. Personal data: read where a parcel is asked for, and never part of an error."""

from dataclasses import asdict
from datetime import datetime

from sqlalchemy import Connection, bindparam, select, update
from sqlalchemy.dialects.mysql import insert

from worker.contract.shipping import ShipTo
from worker.domain.order import TERMINAL
from worker.repositories.address_tables import SHIPPING_ADDRESSES
from worker.repositories.schema import ORDERS
from worker.services.ports.orders import KnownAddress

_A = SHIPPING_ADDRESSES.c
_INSERT = insert(SHIPPING_ADDRESSES)
_SAVE = _INSERT.on_duplicate_key_update(
    {name: _INSERT.inserted[name] for name in ("address", "request_id", "changed_at")}
)
_OF_ORDER = select(SHIPPING_ADDRESSES).where(_A.shop == bindparam("of_shop"), _A.order_id == bindparam("of_order"))
_OF_CUSTOMER = (_A.shop == bindparam("of_shop"), _A.customer_id == bindparam("of_customer"))
_NEEDED = (
    select(_A.order_id)
    .join(ORDERS, (ORDERS.c.shop == _A.shop) & (ORDERS.c.order_id == _A.order_id))
    .where(*_OF_CUSTOMER, _A.address.is_not(None), ORDERS.c.state.not_in(sorted(TERMINAL)))
    .order_by(_A.order_id)
)
_IDS = select(_A.order_id).where(*_OF_CUSTOMER).order_by(_A.order_id)
_FORGET = (
    update(SHIPPING_ADDRESSES)
    .where(*_OF_CUSTOMER, _A.address.is_not(None))
    .values(address=None, said_fingerprint=None, changed_at=bindparam("at"))
)
_HEARD = (
    update(SHIPPING_ADDRESSES)
    .where(_A.shop == bindparam("of_shop"), _A.order_id == bindparam("of_order"), _A.address.is_not(None))
    .where(_A.said_at.is_(None) | (_A.said_at <= bindparam("at")))
    .values(said_fingerprint=bindparam("fingerprint"), said_at=bindparam("at"))
)


class MysqlShippingAddressStore:
    """Implements `ShippingAddressStore`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def save(
        self, shop: str, order_id: str, customer_id: str, ship_to: ShipTo, at: datetime, *, request_id: str = ""
    ) -> None:
        """Insert or replace the address of an order that is in the books."""
        values = {
            "shop": shop,
            "order_id": order_id,
            "customer_id": customer_id,
            "address": asdict(ship_to),
            "request_id": request_id,
            "changed_at": at,
            # An address that the order came with is what its sender said. A later change leaves that as it is.
            "said_fingerprint": None if request_id else ship_to.fingerprint,
        }
        self._connection.execute(_SAVE, values)

    def of_order(self, shop: str, order_id: str) -> KnownAddress | None:
        """Return what is known of an order's address; None where it never had one."""
        row = self._connection.execute(_OF_ORDER, {"of_shop": shop, "of_order": order_id}).one_or_none()
        if row is None:
            return None
        ship_to = None if row.address is None else ShipTo(**{**row.address, "lines": tuple(row.address["lines"])})
        return KnownAddress(
            ship_to=ship_to,
            request_id=row.request_id,
            changed_at=row.changed_at,
            said_fingerprint=row.said_fingerprint or "",
            said_at=row.said_at,
        )

    def heard(self, shop: str, order_id: str, fingerprint: str, at: datetime) -> None:
        """Keep what the shop said at a time of the address of an order that has one, unless it said something newer."""
        values = {"of_shop": shop, "of_order": order_id, "fingerprint": fingerprint, "at": at}
        self._connection.execute(_HEARD, values)

    def needed(self, shop: str, customer_id: str) -> list[str]:
        """Return the customer's orders that have an address and are not over."""
        return list(self._connection.execute(_NEEDED, {"of_shop": shop, "of_customer": customer_id}).scalars())

    def of_customer(self, shop: str, customer_id: str) -> list[str]:
        """Return the customer's orders that have an address, or had one."""
        return list(self._connection.execute(_IDS, {"of_shop": shop, "of_customer": customer_id}).scalars())

    def forget(self, shop: str, customer_id: str, at: datetime) -> int:
        """Remove every address of a customer's orders; return how many there were."""
        return self._connection.execute(_FORGET, {"of_shop": shop, "of_customer": customer_id, "at": at}).rowcount
