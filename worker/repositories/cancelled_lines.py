"""Cancelled pieces of orders in MySQL, and the orders that became smaller by them."""

from dataclasses import asdict, replace
from datetime import datetime

from sqlalchemy import Connection, bindparam, insert, select, update

from worker.domain.order import Order
from worker.repositories.held_orders import HeldOrders
from worker.repositories.line_tables import CANCELLED_LINES
from worker.repositories.schema import ORDERS
from worker.services.ports.orders import CancelledLines

_C = CANCELLED_LINES.c
_ADD = insert(CANCELLED_LINES)
_OF_REQUEST = select(CANCELLED_LINES).where(
    _C.shop == bindparam("of_shop"), _C.order_id == bindparam("of_order"), _C.request_id == bindparam("of_request")
)
_RESIZE = (
    update(ORDERS)
    .where(ORDERS.c.shop == bindparam("of_shop"), ORDERS.c.order_id == bindparam("of_order"))
    .values(
        positions=bindparam("positions", type_=ORDERS.c.positions.type),
        total_minor=bindparam("total"),
        tax_minor=bindparam("tax"),
        discount_minor=bindparam("discount"),
        updated_at=bindparam("at", type_=ORDERS.c.updated_at.type),
    )
)


class MysqlLineStore:
    """Implements `LineStore`."""

    def __init__(self, connection: Connection, held: HeldOrders) -> None:
        self._connection = connection
        self._held = held

    def of_request(self, shop: str, order_id: str, request_id: str) -> CancelledLines | None:
        """Return what a request cancelled; None where it has not."""
        key = {"of_shop": shop, "of_order": order_id, "of_request": request_id}
        row = self._connection.execute(_OF_REQUEST, key).one_or_none()
        if row is None:
            return None
        return CancelledLines(
            request_id=row.request_id,
            pieces={int(number): pieces for number, pieces in row.pieces.items()},
            amount_minor=row.amount_minor,
            back_minor=row.back_minor,
            requested_by=row.requested_by,
        )

    def cancel(self, smaller: Order, cancelled: CancelledLines, at: datetime) -> None:
        """Write down what was cancelled, and the order as it is without it. The order must be locked."""
        held = self._held[smaller.shop, smaller.order_id]
        held.order = replace(smaller, updated_at=at)
        self._connection.execute(
            _RESIZE,
            {
                "of_shop": smaller.shop,
                "of_order": smaller.order_id,
                "positions": [asdict(line) for line in smaller.lines],
                "total": smaller.total_minor,
                "tax": smaller.tax_minor,
                "discount": smaller.discount_minor,
                "at": at,
            },
        )
        self._connection.execute(
            _ADD,
            {
                "shop": smaller.shop,
                "order_id": smaller.order_id,
                "request_id": cancelled.request_id,
                "pieces": {str(number): pieces for number, pieces in cancelled.pieces.items()},
                "amount_minor": cancelled.amount_minor,
                "back_minor": cancelled.back_minor,
                "requested_by": cancelled.requested_by[:255],
                "happened_at": at,
            },
        )
