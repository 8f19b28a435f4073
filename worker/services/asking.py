"""Asking again: what became of a payment that an order waits for, when nobody has told.

A message that was lost is made up for as if it had come now, through the same steps: an order that the customer has paid
need not wait for a reconciliation, and money that was only authorised stands in no ledger that one could find it in.
"""

from datetime import datetime

from worker.contract.orders import OrderEvent, OrderEventKind, OrderStatus
from worker.domain.errors import NotFound, ProviderRejected
from worker.domain.order import Order, OrderState
from worker.domain.payment import IN_FLIGHT, PaymentState
from worker.services.orders import OrderService
from worker.services.ports import Clock, Database, PaymentGateway

_TOLD = "said so when it was asked again"
_EVENTS = {
    PaymentState.AUTHORISED: OrderEventKind.PAYMENT_AUTHORISED,
    PaymentState.CAPTURED: OrderEventKind.PAYMENT_CAPTURED,
}


class Asking:
    """Asks the owner of an order's payment."""

    def __init__(self, database: Database, payments: PaymentGateway, orders: OrderService, clock: Clock) -> None:
        self._database = database
        self._payments = payments
        self._orders = orders
        self._clock = clock

    def ask(self, shop: str, order_id: str) -> OrderStatus:
        """Ask, and return where the order stands then; one that does not wait any more is left as it is.

        Raises NotFound for an unknown order, and ProviderUnavailable: then everything stays as it was.
        """
        order = self._database.transact(lambda tx: tx.orders.get(shop, order_id))
        if order is not None and order.state is OrderState.AWAITING_PAYMENT:
            now = self._clock.now()
            events = self._of_provider(order, now) if order.paid_through_us else [_of_shop(now)]
            for event in events:
                try:
                    self._orders.apply(shop, order_id, event)
                except ProviderRejected:
                    continue  # its owner knows nothing of it: a reason to go on waiting, not to fail
        return self._orders.status(shop, order_id)

    def _of_provider(self, order: Order, now: datetime) -> list[OrderEvent]:
        events = []
        for known in self._database.transact(lambda tx: tx.payments.of_order(order.shop, order.order_id)):
            if known.state not in IN_FLIGHT:
                continue
            try:
                kind = _EVENTS.get(self._payments.retrieve(known.reference).state)
            except NotFound:
                continue
            if kind is not None:
                events.append(
                    OrderEvent(
                        event_id=f"ask:{known.reference}",
                        kind=kind,
                        occurred_at=now.isoformat(),
                        reference=known.reference,
                        detail=f"the provider {_TOLD}",
                    )
                )
        return events


def _of_shop(now: datetime) -> OrderEvent:
    """Return an event without a payment or an amount: the shop's own transactions say what was paid, if anything was."""
    return OrderEvent(
        event_id="ask:shop",
        kind=OrderEventKind.PAYMENT_CAPTURED,
        occurred_at=now.isoformat(),
        detail=f"the shop {_TOLD}",
    )
