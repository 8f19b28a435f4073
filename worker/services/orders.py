"""Order use cases: record, authorise, capture, ship, apply outside events.

Each is idempotent: it looks at where the order stands, does what is missing and says where it stands now.
Provider calls happen outside transactions; what they did is recorded afterwards in one transaction, and a
crash in between is healed by calling again with the same idempotency key.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from worker.contract.orders import OrderAnswer, OrderEvent, OrderEventKind, OrderStatus, PaymentMode, PlaceOrder
from worker.domain.errors import NotFound, PaymentDeclined, ProviderRejected, ProviderUnavailable
from worker.domain.ledger import Shipment, ShipmentState
from worker.domain.money import exponent
from worker.domain.order import Order, OrderState, broken_rules
from worker.domain.payment import IN_FLIGHT, Payment, PaymentState
from worker.domain.stock import told
from worker.services.bookkeeping import Bookkeeping
from worker.services.order_messages import capture_entry, order_of, status_of
from worker.services.parcels import note_parcel, note_requested, note_stopped
from worker.services.ports import Clock, Database, PaymentGateway, Transaction, WarehouseGateway

ACTOR = "order workflow"
_UNAUTHORISED = frozenset({OrderState.PAYING, OrderState.AWAITING_PAYMENT})
"""Also PAYING: the event may overtake the answer to our own call, whose repetition would get the old answer."""
_LOOK_FIRST_AFTER = timedelta(hours=1)
"""An authorisation tried for so long is looked for first: the provider forgets keys (Stripe after 24 h), not payments."""
_DEAD = frozenset({PaymentState.CANCELLED, PaymentState.DECLINED})
_WITH_PARCEL = frozenset({OrderState.PAID, OrderState.FULFILLING, OrderState.SHIPPED, OrderState.COMPLETED})
CLOCK_SKEW = timedelta(hours=1)
"""How far the provider's clock may lag behind ours when its payments are listed by time."""


@dataclass(frozen=True, slots=True)
class Applied:
    """Outcome of an outside event: the answer for its sender, and where the order stands."""

    answer: OrderAnswer
    status: OrderStatus


class OrderService:
    """The order process over its ports. Thread-safe: all state is in the database."""

    def __init__(
        self,
        database: Database,
        payments: PaymentGateway,
        warehouse: WarehouseGateway,
        bookkeeping: Bookkeeping,
        clock: Clock,
    ) -> None:
        self._database = database
        self._payments = payments
        self._warehouse = warehouse
        self._books = bookkeeping
        self._clock = clock

    def record(self, place: PlaceOrder) -> OrderStatus:
        """Write the order down, check its rules, reserve its goods; what stands against it ends in `rejected`."""

        def work(tx: Transaction) -> Order:
            tx.orders.add(order_of(place), self._clock.now(), ACTOR)
            order = tx.orders.lock(place.shop, place.order_id)
            if order.state is not OrderState.RECEIVED:
                return order
            reasons = broken_rules(order)
            if reasons:
                return self._move(tx, order, OrderState.REJECTED, "; ".join(reasons))
            if missing := tx.stock.reserve(order, self._clock.now(), ACTOR):
                return self._move(tx, order, OrderState.REJECTED, told(missing))
            charged_by_us = order.payment_mode == PaymentMode.CHARGE
            return self._move(tx, order, OrderState.PAYING if charged_by_us else OrderState.AWAITING_PAYMENT)

        return status_of(self._database.transact(work))

    def authorise(self, shop: str, order_id: str, idempotency_key: str) -> OrderStatus:
        """Authorise the order's total. A refusal ends in `declined`; a wish to see the customer in `awaiting_payment`."""
        order = self._order(shop, order_id)
        if order.state is not OrderState.PAYING:
            return status_of(order)
        provider = self._payments.name
        if exponent(order.currency, provider) != exponent(order.currency):
            # Our minor units would be read as a hundred times more or less.
            reason = f"refused: {provider} counts {order.currency} in other units than ISO 4217"
            return self._from(order, OrderState.PAYING, OrderState.DECLINED, reason)
        try:
            payment = self._authorised_before(order) or self._payments.authorise(
                shop=shop,
                order_id=order_id,
                amount_minor=order.total_minor,
                currency=order.currency,
                method=order.payment_method or "",
                idempotency_key=idempotency_key,
            )
        except (PaymentDeclined, ProviderRejected) as refusal:
            reason = refusal.reason if isinstance(refusal, PaymentDeclined) else f"refused: {refusal}"
            return self._from(order, OrderState.PAYING, OrderState.DECLINED, reason)
        following = {
            PaymentState.AUTHORISED: OrderState.AUTHORISED,
            PaymentState.CAPTURED: OrderState.AUTHORISED,
            PaymentState.DECLINED: OrderState.DECLINED,
            PaymentState.CANCELLED: OrderState.DECLINED,
        }.get(payment.state, OrderState.AWAITING_PAYMENT)
        return self._from(order, OrderState.PAYING, following, payment.detail, payment)

    def capture(self, shop: str, order_id: str, idempotency_key: str) -> OrderStatus:
        """Capture the authorised payment and book it. A void, lapsed or refused one is let go: `declined`."""
        order = self._order(shop, order_id)
        if order.state is not OrderState.AUTHORISED:
            return status_of(order)
        held = self._database.transact(lambda tx: tx.payments.of_order(shop, order_id))[-1]
        try:
            payment = self._payments.capture(held.reference, idempotency_key=idempotency_key)
        except (PaymentDeclined, ProviderRejected):
            payment = self._payments.retrieve(held.reference)
        if payment.state is PaymentState.PROCESSING:
            # Asked anew: a repeated capture would be answered from the provider's memory.
            payment = _decided(self._payments.retrieve(held.reference), frozenset({PaymentState.PROCESSING}))
        if payment.state is PaymentState.AUTHORISED:
            payment = self._let_go(payment, idempotency_key)
        if payment.state is not PaymentState.CAPTURED:
            reason = f"not captured: the payment is {payment.state}"
            return self._from(order, OrderState.AUTHORISED, OrderState.DECLINED, reason, payment)

        def work(tx: Transaction) -> Order:
            current = tx.orders.lock(shop, order_id)
            now = self._clock.now()
            tx.payments.save(shop, order_id, payment, now)
            tx.payments.post(capture_entry(current, payment, now))
            if current.state is OrderState.AUTHORISED:
                current = self._move(tx, current, OrderState.PAID)
            return tx.orders.get(shop, order_id) or current

        return status_of(self._database.transact(work))

    def request_fulfilment(self, shop: str, order_id: str, idempotency_key: str) -> OrderStatus:
        """Ask the warehouse for the parcel. Raises ProviderRejected when it refuses for good."""
        order = self._order(shop, order_id)
        if order.state is not OrderState.PAID:
            return status_of(order)
        shipment = self._warehouse.request(
            shop=shop,
            order_id=order_id,
            lines=[(line.sku, line.quantity) for line in order.lines],
            idempotency_key=idempotency_key,
        )

        def work(tx: Transaction) -> Order:
            current = tx.orders.lock(shop, order_id)
            known = {parcel.shipment_id: parcel for parcel in tx.shipments.of_order(shop, order_id)}
            if shipment.shipment_id not in known:
                note_requested(tx, shop, shipment, self._clock.now(), ACTOR)
            return self._move(tx, current, OrderState.FULFILLING) if current.state is OrderState.PAID else current

        recorded = self._database.transact(work)
        if recorded.state not in _WITH_PARCEL:  # it was given up while the warehouse accepted the parcel
            self._stop(shop, shipment)
        return status_of(recorded)

    def stop_fulfilment(self, shop: str, order_id: str) -> OrderStatus:
        """Stop the parcel if it has not left. One that has left completes the order instead.

        Raises ProviderUnavailable while the warehouse has neither stopped it nor sent it off.
        """
        order = self._order(shop, order_id)
        if order.state is not OrderState.FULFILLING:
            return status_of(order)
        for parcel in self._database.transact(lambda tx: tx.shipments.of_order(shop, order_id)):
            if self._stop(shop, parcel) is ShipmentState.SHIPPED:
                shipped = OrderEvent(
                    event_id=f"stop:{parcel.shipment_id}",
                    kind=OrderEventKind.SHIPPED,
                    occurred_at=self._clock.now().isoformat(),
                    reference=parcel.shipment_id,
                    detail="had left before it could be stopped",
                )
                return self.apply(shop, order_id, shipped).status
        return status_of(order)

    def expire(self, shop: str, order_id: str) -> OrderStatus:
        """End an order whose payment window passed without a payment.

        One that holds part of its money stays in `awaiting_payment`: that money has to go back first.
        """
        order = self._order(shop, order_id)
        if order.state is not OrderState.AWAITING_PAYMENT:
            return status_of(order)
        for payment in self._database.transact(lambda tx: tx.payments.of_order(shop, order_id)):
            if payment.state in IN_FLIGHT:
                now_held = self._let_go(payment, f"expire:{shop}:{order_id}")
                if now_held.state is PaymentState.CAPTURED:  # paid at the last moment: the money decides
                    self._captured_late(order, now_held)

        def work(tx: Transaction) -> Order:
            current = tx.orders.lock(shop, order_id)
            if current.state is not OrderState.AWAITING_PAYMENT or current.captured_minor > current.refunded_minor:
                return current
            return self._move(tx, current, OrderState.EXPIRED, "nobody paid within the window")

        return status_of(self._database.transact(work))

    def apply(self, shop: str, order_id: str, event: OrderEvent) -> Applied:
        """Apply an outside event: book the money it speaks of, then move the order if the event allows.

        Money is booked in every state, also for an order that is over: the books follow the money. A failed
        payment changes nothing: the customer may try again until the payment window closes.
        """
        handlers: dict[OrderEventKind, Callable[[str, str, OrderEvent], bool]] = {
            OrderEventKind.PAYMENT_AUTHORISED: self._payment_authorised,
            OrderEventKind.PAYMENT_CAPTURED: self._payment_captured,
            OrderEventKind.REFUNDED: self._refunded,
            OrderEventKind.SHIPPED: self._shipped,
            OrderEventKind.SHIPMENT_FAILED: self._shipment_failed,
        }
        handler = handlers.get(event.kind)
        changed = handler(shop, order_id, event) if handler else False
        order = self._order(shop, order_id)
        outcome = "applied" if changed else "ignored"
        return Applied(OrderAnswer(outcome=outcome, state=order.state), status_of(order))

    def status(self, shop: str, order_id: str) -> OrderStatus:
        """Return where the order stands. Raises NotFound."""
        return status_of(self._order(shop, order_id))

    def _payment_authorised(self, shop: str, order_id: str, event: OrderEvent) -> bool:
        """Go on to capture once the customer has acted. What the shop collects, the shop captures."""
        order = self._order(shop, order_id)
        if order.state not in _UNAUTHORISED or order.payment_mode != PaymentMode.CHARGE:
            return False
        payment = self._payments.retrieve(event.reference)
        if payment.state is not PaymentState.AUTHORISED:
            return False

        def work(tx: Transaction) -> bool:
            current = tx.orders.lock(shop, order_id)
            tx.payments.save(shop, order_id, payment, self._clock.now())
            if current.state not in _UNAUTHORISED:
                return False
            self._move(tx, current, OrderState.AUTHORISED, event.detail)
            return True

        return self._database.transact(work)

    def _authorised_before(self, order: Order) -> Payment | None:
        """Return what an earlier call authorised whose answer was lost too long ago for its key to be relied on."""
        asked_at = order.updated_at
        if asked_at is None or self._clock.now() - asked_at < _LOOK_FIRST_AFTER:
            return None
        found = self._payments.find(shop=order.shop, order_id=order.order_id, since=asked_at - CLOCK_SKEW)
        alive = [payment for payment in found if payment.state not in _DEAD]
        return alive[0] if alive else None

    def _let_go(self, payment: Payment, key: str) -> Payment:
        """Void a payment and return what became of it; raises ProviderUnavailable while that is not decided."""
        # The state is part of the key: a void refused for it is tried anew once the payment has moved on.
        step = f"{key}:void:{payment.reference}:{payment.state}"
        return _decided(self._payments.cancel(payment.reference, idempotency_key=step), IN_FLIGHT)

    def _stop(self, shop: str, parcel: Shipment) -> ShipmentState:
        """Keep a parcel from leaving and note it; return where it stands."""
        try:
            state = self._warehouse.cancel(parcel.shipment_id)
        except NotFound:
            state = ShipmentState.FAILED  # what the warehouse does not know will not leave it
        if state is ShipmentState.REQUESTED:
            raise ProviderUnavailable(f"the warehouse has not stopped parcel {parcel.shipment_id} yet")
        if state is ShipmentState.FAILED:
            self._database.transact(lambda tx: note_stopped(tx, shop, parcel, self._clock.now(), ACTOR))
        return state

    def _payment_captured(self, shop: str, order_id: str, event: OrderEvent) -> bool:
        booked = self._books.captures(shop, order_id, event)

        def work(tx: Transaction) -> bool:
            order = tx.orders.lock(shop, order_id)
            waiting = order.state in {OrderState.AWAITING_PAYMENT, OrderState.AUTHORISED}
            if waiting and order.captured_minor >= order.total_minor:
                self._move(tx, order, OrderState.PAID, event.detail)
                return True
            return booked

        return self._database.transact(work)

    def _captured_late(self, order: Order, payment: Payment) -> None:
        event = OrderEvent(
            event_id=f"expire:{payment.reference}",
            kind=OrderEventKind.PAYMENT_CAPTURED,
            occurred_at=self._clock.now().isoformat(),
            reference=payment.reference,
            detail="paid at the last moment",
        )
        self.apply(order.shop, order.order_id, event)

    def _refunded(self, shop: str, order_id: str, event: OrderEvent) -> bool:
        return self._books.refunds(shop, order_id, event.reference)

    def _shipped(self, shop: str, order_id: str, event: OrderEvent) -> bool:
        def work(tx: Transaction) -> bool:
            order = tx.orders.lock(shop, order_id)
            note_parcel(tx, order, event, ShipmentState.SHIPPED)
            if order.state is OrderState.PAID:  # the warehouse was quicker than our own record of its acceptance
                order = self._move(tx, order, OrderState.FULFILLING)
            if order.state is not OrderState.FULFILLING:
                tx.stock.left(shop, order_id, self._clock.now(), ACTOR)
                return False
            shipped = self._move(tx, order, OrderState.SHIPPED, event.detail)
            self._move(tx, shipped, OrderState.COMPLETED)
            return True

        return self._database.transact(work)

    def _shipment_failed(self, shop: str, order_id: str, event: OrderEvent) -> bool:
        def work(tx: Transaction) -> bool:
            order = tx.orders.lock(shop, order_id)
            note_parcel(tx, order, event, ShipmentState.FAILED)
            return order.state in {OrderState.PAID, OrderState.FULFILLING}

        return self._database.transact(work)

    def _order(self, shop: str, order_id: str) -> Order:
        order = self._database.transact(lambda tx: tx.orders.get(shop, order_id))
        if order is None:
            raise NotFound(f"order {shop}/{order_id} is not in our books")
        return order

    def _from(
        self, order: Order, expected: OrderState, to: OrderState, reason: str, payment: Payment | None = None
    ) -> OrderStatus:
        """Move the order to `to` if it still stands in `expected`; record the payment either way."""

        def work(tx: Transaction) -> Order:
            current = tx.orders.lock(order.shop, order.order_id)
            if payment is not None:
                tx.payments.save(order.shop, order.order_id, payment, self._clock.now())
            return self._move(tx, current, to, reason) if current.state is expected else current

        return status_of(self._database.transact(work))

    def _move(self, tx: Transaction, order: Order, to: OrderState, reason: str = "") -> Order:
        return tx.orders.move(order, to, at=self._clock.now(), actor=ACTOR, reason=reason)


def _decided(payment: Payment, open_states: frozenset[PaymentState]) -> Payment:
    """Return the payment unless it stands in one of `open_states`: then it is to be asked again (ProviderUnavailable)."""
    if payment.state in open_states:
        raise ProviderUnavailable(f"payment {payment.reference} is still {payment.state}")
    return payment
