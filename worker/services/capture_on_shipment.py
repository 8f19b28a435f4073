"""Money that is held when an order is placed and taken when its parcel has left.

Goods that left and money that cannot be taken are a person's matter at once (`needs_attention`), never a silent loss.
"""

from worker.contract.orders import OrderStatus
from worker.domain.errors import NotFound, PaymentDeclined, ProviderRejected
from worker.domain.order import Order, OrderState
from worker.domain.payment import Payment, PaymentState, held
from worker.domain.stock import Fate
from worker.services.letting_go import decided
from worker.services.order_messages import capture_entry, status_of
from worker.services.orders import ACTOR
from worker.services.parcels import has_left, sent
from worker.services.ports import Clock, Database, PaymentGateway, Transaction

_MONEY_THERE = frozenset({OrderState.PAID, OrderState.FULFILLING})


class CaptureOnShipment:
    """Captures what a parcel that left is paid from."""

    def __init__(self, database: Database, payments: PaymentGateway, clock: Clock) -> None:
        self._database = database
        self._payments = payments
        self._clock = clock

    def capture(self, shop: str, order_id: str, idempotency_key: str) -> OrderStatus:
        """Capture the money of an order whose parcel has left, and complete it; without a parcel, change nothing.

        Raises NotFound, ProviderUnavailable.
        """
        order = self._order(shop, order_id)
        if not self._database.transact(lambda tx: has_left(tx, order)):
            return status_of(order)
        payment = self._captured(order, idempotency_key) if order.state is OrderState.AUTHORISED else None

        def work(tx: Transaction) -> Order:
            now = self._clock.now()
            current = tx.orders.lock(shop, order_id)
            if payment is not None:
                tx.payments.save(shop, order_id, payment, now)
            if payment is not None and payment.state is PaymentState.CAPTURED:
                tx.payments.post(capture_entry(current, payment, now))
                if current.state is OrderState.AUTHORISED:
                    current = tx.orders.move(current, OrderState.PAID, at=now, actor=ACTOR)
            if current.state in _MONEY_THERE:
                sent(tx, current, now, ACTOR)
            elif current.state is OrderState.AUTHORISED:
                # Whatever becomes of the order, they are gone.
                tx.stock.settle(shop, order_id, Fate.SHIPPED, now, ACTOR)
                why = f"the parcel left, but its money could not be taken: {_said(payment)}"
                tx.orders.move(current, OrderState.NEEDS_ATTENTION, at=now, actor=ACTOR, reason=why)
            return tx.orders.get(shop, order_id) or current

        return status_of(self._database.transact(work))

    def lapse(self, shop: str, order_id: str, *, may_retry: bool) -> OrderStatus:
        """Let an order whose authorisation is gone and whose parcel is stopped wait for another method, or end it."""
        to = OrderState.LAPSED if may_retry else OrderState.DECLINED

        def work(tx: Transaction) -> Order:
            current = tx.orders.lock(shop, order_id)
            if current.state is not OrderState.AUTHORISED:
                return current
            reason = "the authorisation was let go before the parcel left"
            return tx.orders.move(current, to, at=self._clock.now(), actor=ACTOR, reason=reason)

        return status_of(self._database.transact(work))

    def _captured(self, order: Order, key: str) -> Payment | None:
        """Capture what is held and return the payment as it stands then; None when nothing ever was held."""
        found = held(self._database.transact(lambda tx: tx.payments.of_order(order.shop, order.order_id)))
        if found is None:
            return None
        reference = found.reference
        try:
            payment = self._payments.capture(reference, idempotency_key=key)
        except (PaymentDeclined, ProviderRejected):
            payment = self._payments.retrieve(reference)
        if payment.state is PaymentState.PROCESSING:
            # Asked anew: a repeated capture would be answered from the provider's memory.
            payment = decided(self._payments.retrieve(reference), frozenset({PaymentState.PROCESSING}))
        return payment

    def _order(self, shop: str, order_id: str) -> Order:
        order = self._database.transact(lambda tx: tx.orders.get(shop, order_id))
        if order is None:
            raise NotFound(f"order {shop}/{order_id} is not in our books")
        return order


def _said(payment: Payment | None) -> str:
    return f"payment {payment.reference} is {payment.state}" if payment else "there is no payment"
