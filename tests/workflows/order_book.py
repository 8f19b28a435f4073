"""The shop's order book and the outside world in memory: states move only as the domain's table allows.

It keeps the promises of the real services that workflows rely on: every step may be repeated, a step outside has
an idempotency key, money is booked once per reference, and what the provider holds is known apart from what our
books say. `seen` is the state a step read before it called outside: the call happens whatever became of the order
meanwhile, as it would for real.
"""

from collections import defaultdict
from dataclasses import replace

from worker.contract.orders import OrderAnswer, OrderEvent, OrderEventKind, OrderStatus, PaymentMode, PlaceOrder
from worker.domain.errors import NotFound, ProviderRejected
from worker.domain.order import TERMINAL, Order, OrderState, broken_rules
from worker.services.order_messages import order_of, status_of
from worker.services.orders import Applied

S = OrderState


class OrderBook:
    """Orders by id, the money held outside for them, and their parcels."""

    def __init__(self) -> None:
        self.orders: dict[str, Order] = {}
        self.trail: dict[str, list[OrderState]] = defaultdict(list)
        self.authorised: dict[str, int] = defaultdict(int)
        """Money the provider holds for us without having taken it."""
        self.taken: dict[str, int] = defaultdict(int)
        """Money the provider took and did not give back."""
        self.parcels: dict[str, str] = {}
        """`requested`, `stopped`, `failed` or `left`, by order."""
        self.refusing_refunds = False
        self.refusing_parcels = False
        self._done_outside: set[str] = set()
        self._booked: set[str] = set()

    def at_rest(self, order_id: str) -> bool:
        """Tell whether the order is over and nobody's money is where it should not be."""
        order = self.orders[order_id]
        paid = order.total_minor if order.state is S.COMPLETED else 0
        parcel_is_right = (self.parcels.get(order_id) == "left") == (order.state is S.COMPLETED)
        waiting_parcel = self.parcels.get(order_id) == "requested"
        return (
            order.state in TERMINAL
            and order.captured_minor - order.refunded_minor == self.taken[order_id] == paid
            and self.authorised[order_id] == 0
            and parcel_is_right
            and not waiting_parcel
        )

    def record(self, place: PlaceOrder) -> OrderStatus:
        """As of OrderService.record."""
        if place.order_id not in self.orders:
            self.orders[place.order_id] = order_of(place)
            self.trail[place.order_id].append(S.RECEIVED)
        order = self.orders[place.order_id]
        if order.state is S.RECEIVED:
            reasons = broken_rules(order)
            if reasons:
                return self._move(order, S.REJECTED, "; ".join(reasons))
            return self._move(order, S.PAYING if order.payment_mode == PaymentMode.CHARGE else S.AWAITING_PAYMENT)
        return status_of(order)

    def state(self, order_id: str) -> OrderState:
        """Return where the order stands. Raises NotFound."""
        return self._order(order_id).state

    def status(self, order_id: str) -> OrderStatus:
        """As of OrderService.status."""
        return status_of(self._order(order_id))

    def authorise(self, order_id: str, key: str, seen: OrderState) -> OrderStatus:
        """As of OrderService.authorise; the payment method says how the provider answers."""
        order = self._order(order_id)
        if seen is not S.PAYING:
            return status_of(order)
        if order.payment_method == "pm_declined":
            return self._move(order, S.DECLINED, "do_not_honor")
        if order.payment_method == "pm_needs_customer":
            return self._move(order, S.AWAITING_PAYMENT, "the customer must act")
        if key not in self._done_outside:
            self._done_outside.add(key)
            self.authorised[order_id] += order.total_minor
        return self._move(order, S.AUTHORISED) if order.state is seen else status_of(order)

    def capture(self, order_id: str, key: str, seen: OrderState) -> OrderStatus:
        """As of OrderService.capture."""
        if seen is not S.AUTHORISED:
            return status_of(self._order(order_id))
        if key not in self._done_outside and self.authorised[order_id]:
            self._done_outside.add(key)
            self.taken[order_id] += self.authorised.pop(order_id)
        if key not in self._done_outside:
            return status_of(self._order(order_id))  # voided meanwhile
        order = self._book(order_id, key, self._order(order_id).total_minor)
        return self._move(order, S.PAID) if order.state is seen else status_of(order)

    def request_fulfilment(self, order_id: str, seen: OrderState) -> OrderStatus:
        """As of OrderService.request_fulfilment."""
        order = self._order(order_id)
        if seen is not S.PAID:
            return status_of(order)
        if self.refusing_parcels:
            raise ProviderRejected("the warehouse does not know the article")
        self.parcels.setdefault(order_id, "requested")
        return self._move(order, S.FULFILLING) if order.state is seen else status_of(order)

    def stop_fulfilment(self, order_id: str) -> OrderStatus:
        """As of OrderService.stop_fulfilment: a parcel that left completes the order."""
        order = self._order(order_id)
        if order.state is not S.FULFILLING:
            return status_of(order)
        if self.parcels[order_id] == "left":
            self._move(order, S.SHIPPED, "had left before it could be stopped")
            return self._move(self._order(order_id), S.COMPLETED)
        self.parcels[order_id] = "stopped"
        return status_of(order)

    def expire(self, order_id: str) -> OrderStatus:
        """As of OrderService.expire."""
        order = self._order(order_id)
        if order.state is not S.AWAITING_PAYMENT or order.captured_minor > order.refunded_minor:
            return status_of(order)
        return self._move(order, S.EXPIRED, "nobody paid within the window")

    def apply(self, order_id: str, event: OrderEvent) -> Applied:
        """As of OrderService.apply."""
        changed = self._take_in(self._order(order_id), event)
        order = self._order(order_id)
        outcome = "applied" if changed else "ignored"
        return Applied(OrderAnswer(outcome=outcome, state=order.state), status_of(order))

    def reverse(self, order_id: str, to: OrderState, reason: str) -> OrderStatus | None:
        """As of Reversal.reverse."""
        order = self.orders.get(order_id)
        if order is None or order.state in TERMINAL:
            return status_of(order) if order else None
        self.authorised.pop(order_id, None)
        rest = order.captured_minor - order.refunded_minor
        if order.captured_minor == 0:
            return self._move(order, S.CANCELLED, reason)
        if order.state is not S.REFUNDING:
            self._move(order, S.REFUNDING, reason)
        if self.refusing_refunds:
            return self._move(self._order(order_id), S.NEEDS_ATTENTION, "refund refused")
        self.taken[order_id] -= rest
        refunded = self._order(order_id)
        self.orders[order_id] = replace(refunded, refunded_minor=refunded.refunded_minor + rest)
        return self._move(self._order(order_id), to, reason)

    def _take_in(self, order: Order, event: OrderEvent) -> bool:
        if event.kind is OrderEventKind.PAYMENT_CAPTURED:
            if event.reference in self._booked:
                return False
            amount = order.total_minor if event.amount_minor is None else event.amount_minor
            self.taken[order.order_id] += amount
            order = self._book(order.order_id, event.reference, amount)
            if order.state is S.AWAITING_PAYMENT and order.captured_minor >= order.total_minor:
                self._move(order, S.PAID)
            return True
        if event.kind is OrderEventKind.PAYMENT_AUTHORISED:
            if order.state is not S.AWAITING_PAYMENT:
                return False
            self.authorised[order.order_id] += order.total_minor
            self._move(order, S.AUTHORISED)
            return True
        if event.kind is OrderEventKind.SHIPPED:
            self.parcels[order.order_id] = "left"
            if order.state is S.PAID:
                self._move(order, S.FULFILLING)
            if self._order(order.order_id).state is not S.FULFILLING:
                return False
            self._move(self._order(order.order_id), S.SHIPPED)
            self._move(self._order(order.order_id), S.COMPLETED)
            return True
        if event.kind is OrderEventKind.SHIPMENT_FAILED:
            self.parcels[order.order_id] = "failed"
            return order.state in {S.PAID, S.FULFILLING}
        return False

    def _book(self, order_id: str, reference: str, amount_minor: int) -> Order:
        order = self._order(order_id)
        if reference not in self._booked:
            self._booked.add(reference)
            self.orders[order_id] = replace(order, captured_minor=order.captured_minor + amount_minor)
        return self.orders[order_id]

    def _order(self, order_id: str) -> Order:
        if order_id not in self.orders:
            raise NotFound(f"order {order_id} is not in the book")
        return self.orders[order_id]

    def _move(self, order: Order, to: OrderState, reason: str = "") -> OrderStatus:
        moved = order.moved(to, reason)
        self.orders[order.order_id] = moved
        self.trail[order.order_id].append(to)
        return status_of(moved)
