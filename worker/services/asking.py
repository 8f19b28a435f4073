"""Asking again: what became of a payment that an order waits for, when nobody has told.

A message that was lost is made up for as if it had come now, through the same steps: an order that the customer has paid
need not wait for a reconciliation, and money that was only authorised stands in no ledger that one could find it in. Nor does a hold that was let go: an
order that is captured on shipment asks after it, or its parcel would leave and nothing would be there to take.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from worker.contract.orders import OrderEvent, OrderEventKind, OrderStatus
from worker.domain.errors import NotFound, ProviderRejected
from worker.domain.order import Order, OrderState
from worker.domain.payment import IN_FLIGHT, PaymentState, hold_lost
from worker.services.orders import OrderService
from worker.services.ports import Clock, Database, PaymentGateway

_TOLD = "said so when it was asked again"
_OF_WAITING = {
    PaymentState.AUTHORISED: OrderEventKind.PAYMENT_AUTHORISED,
    PaymentState.CAPTURED: OrderEventKind.PAYMENT_CAPTURED,
}
_OF_HELD = {
    PaymentState.CANCELLED: OrderEventKind.PAYMENT_VOIDED,
    PaymentState.CAPTURED: OrderEventKind.PAYMENT_CAPTURED,
}
"""What a payment's state at the provider means to an order that waits for it, or for the parcel that it is held for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Where an order stands whose money is held for its parcel, and whether it is held no longer."""

    status: OrderStatus
    lapsed: bool = False


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
            events = self._of_provider(order, now, _OF_WAITING) if order.paid_through_us else [_of_shop(now)]
            self._take_up(order, events)
        return self._orders.status(shop, order_id)

    def ask_after_hold(self, shop: str, order_id: str) -> Hold:
        """Ask whether the money that an order's parcel is to be paid from is still held; the parcel may be there for days.

        Raises NotFound for an unknown order, and ProviderUnavailable: then everything stays as it was.
        """
        order = self._database.transact(lambda tx: tx.orders.get(shop, order_id))
        if order is not None and order.state is OrderState.AUTHORISED and order.captured_on_shipment:
            self._take_up(order, self._of_provider(order, self._clock.now(), _OF_HELD))
        status = self._orders.status(shop, order_id)
        # Read from the book and not from what was just applied: the step may be repeated after it was.
        lost = hold_lost(self._database.transact(lambda tx: tx.payments.of_order(shop, order_id)))
        return Hold(status=status, lapsed=lost and status.state == OrderState.AUTHORISED)

    def _take_up(self, order: Order, events: list[OrderEvent]) -> None:
        for event in events:
            try:
                self._orders.apply(order.shop, order.order_id, event)
            except ProviderRejected:
                continue  # its owner knows nothing of it: a reason to go on waiting, not to fail

    def _of_provider(
        self, order: Order, now: datetime, meanings: Mapping[PaymentState, OrderEventKind]
    ) -> list[OrderEvent]:
        events = []
        for known in self._database.transact(lambda tx: tx.payments.of_order(order.shop, order.order_id)):
            if known.state not in IN_FLIGHT:
                continue
            try:
                kind = meanings.get(self._payments.retrieve(known.reference).state)
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
