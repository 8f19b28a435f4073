"""Another shipping address for an order, in one transaction with its entries in timeline and audit trail.

Neither says where: the timeline tells that the address was changed, by whom and when, the trail also why.
"""

from worker.contract.orders import OrderStatus, ReaddressOrder
from worker.contract.shipping import problems_of
from worker.domain.errors import InvalidInput
from worker.domain.ledger import ShipmentState
from worker.domain.order import OrderState
from worker.domain.readdressing import check
from worker.domain.timeline import Happening, of_request
from worker.services.deeds import deed
from worker.services.order_messages import status_of
from worker.services.ports import Clock, Database, Transaction

ACTION = "address_changed"


class Readdressing:
    """Changes of shipping addresses."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def change(
        self, shop: str, order_id: str, request: ReaddressOrder, *, asked_once_paid: bool = False
    ) -> OrderStatus:
        """Put another address in force; the same request again changes nothing.

        With `asked_once_paid` it is too late as soon as the order is paid: the warehouse may be hearing the old one.

        Raises Conflict when it is too late, InvalidInput for an address that is not sound, NotFound.
        """
        if problems := problems_of(request.ship_to):
            raise InvalidInput("; ".join(f"ship_to.{name} {problem}" for name, problem in problems))

        def work(tx: Transaction) -> OrderStatus:
            order = tx.orders.lock(shop, order_id)
            known = tx.shipping_addresses.of_order(shop, order_id)
            if known is not None and known.request_id == request.request_id:
                return status_of(order)
            asking = asked_once_paid and order.state is OrderState.PAID
            check(order.state, asked_for=asking or under_way(tx, shop, order_id))
            now = self._clock.now()
            tx.shipping_addresses.save(
                shop, order_id, order.customer_id, request.ship_to, now, request_id=request.request_id
            )
            told = of_request(
                Happening.ADDRESS_CHANGED, shop, order_id, request.request_id, actor=request.requested_by, at=now
            )
            tx.timeline.add(told)
            tx.audit.append(
                shop,
                deed(
                    ACTION,
                    f"order/{order_id}",
                    now,
                    actor=request.requested_by,
                    reason=request.reason,
                    request_id=request.request_id,
                ),
            )
            return status_of(order)

        return self._database.transact(work)


def under_way(tx: Transaction, shop: str, order_id: str) -> bool:
    """Tell whether a parcel of the order is at the warehouse, or has left it."""
    return any(parcel.state is not ShipmentState.FAILED for parcel in tx.shipments.of_order(shop, order_id))
