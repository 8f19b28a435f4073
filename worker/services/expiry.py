"""The end of waiting for money: a window has closed, and what could still be paid is given up first."""

from worker.contract.orders import OrderEvent, OrderEventKind, OrderStatus
from worker.domain.order import Order, OrderState
from worker.domain.payment import IN_FLIGHT, Payment, PaymentState
from worker.services.letting_go import let_go
from worker.services.order_messages import status_of
from worker.services.orders import OrderService
from worker.services.parcels import has_left, waiting
from worker.services.ports import Clock, Database, PaymentGateway, Transaction
from worker.services.warehousing import ACTOR

_ENDS = {
    OrderState.AWAITING_PAYMENT: (OrderState.EXPIRED, "nobody paid within the window"),
    OrderState.AWAITING_METHOD: (OrderState.DECLINED, "no other payment method was supplied within the window"),
    OrderState.LAPSED: (OrderState.DECLINED, "the authorisation lapsed, and no other method was supplied in time"),
}


class Expiry:
    """Ends orders that nobody paid."""

    def __init__(self, database: Database, payments: PaymentGateway, orders: OrderService, clock: Clock) -> None:
        self._database = database
        self._payments = payments
        self._orders = orders
        self._clock = clock

    def expire(self, shop: str, order_id: str) -> OrderStatus:
        """End an order whose time to be paid has passed: `expired`, or `declined` after a refusal.

        One that holds part of its money stays where it is: that money has to go back first. So does one whose hold lapsed
        when a part of it had left: its rest is closed (worker.services.remainder); or of which a parcel was noted since: that
        is stopped. Raises NotFound.
        """
        order = self._database.transact(lambda tx: tx.orders.get(shop, order_id))
        if order is None or order.state not in _ENDS:
            return self._orders.status(shop, order_id)
        for payment in self._database.transact(lambda tx: tx.payments.of_order(shop, order_id)):
            if payment.state in IN_FLIGHT:
                now_held = let_go(self._payments, payment, f"expire:{shop}:{order_id}")
                if now_held.state is PaymentState.CAPTURED:  # paid at the last moment: the money decides
                    self._captured_late(order, now_held)

        def work(tx: Transaction) -> Order:
            current = tx.orders.lock(shop, order_id)
            if current.state not in _ENDS or current.kept_minor > 0:
                return current
            if current.state is OrderState.LAPSED and (has_left(tx, current) or waiting(tx, shop, order_id)):
                return current
            to, reason = _ENDS[current.state]
            return tx.orders.move(current, to, at=self._clock.now(), actor=ACTOR, reason=reason)

        return status_of(self._database.transact(work))

    def _captured_late(self, order: Order, payment: Payment) -> None:
        event = OrderEvent(
            event_id=f"expire:{payment.reference}",
            kind=OrderEventKind.PAYMENT_CAPTURED,
            occurred_at=self._clock.now().isoformat(),
            reference=payment.reference,
            detail="paid at the last moment",
        )
        self._orders.apply(order.shop, order.order_id, event)
