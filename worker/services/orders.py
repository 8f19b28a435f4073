"""Order use cases: record, authorise, capture, ship, apply outside events.

Each is idempotent: it looks at where the order stands, does what is missing and says where it stands now.
Provider calls happen outside transactions; what they did is recorded afterwards in one transaction, and a
crash in between is healed by calling again with the same idempotency key.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from worker.contract.orders import OrderAnswer, OrderEvent, OrderEventKind, OrderStatus, PlaceOrder
from worker.domain.errors import NotFound, PaymentDeclined, ProviderRejected
from worker.domain.ledger import ShipmentState
from worker.domain.money import exponent
from worker.domain.order import METHOD_WELCOME, Order, OrderState, broken_rules
from worker.domain.payment import Payment, PaymentState, closed_early, held, may_try_another
from worker.domain.stock import told
from worker.services.authorising import after, authorised
from worker.services.bookkeeping import DISPUTES, Bookkeeping
from worker.services.letting_go import decided, let_go
from worker.services.order_messages import book_capture, capture_entry, order_of, refused_payment, status_of
from worker.services.parcels import (
    arrived,
    asked_for_anew,
    goods_of,
    has_left,
    known_order,
    note_delivered,
    note_parcel,
    sent,
    standing,
    waiting_for_rest,
)
from worker.services.ports import Clock, Database, PaymentGateway, Transaction, WarehouseGateway
from worker.services.warehousing import ACTOR, Warehousing, held_for_parcel

_UNAUTHORISED = frozenset({OrderState.PAYING, OrderState.AWAITING_METHOD, OrderState.AWAITING_PAYMENT})
"""Also PAYING: the event may overtake the answer to our own call, whose repetition would get the old answer."""

_SOON = timedelta(seconds=5)
"""Far less than a try may take: a process that gives the order up has not gone on without the answer."""


@dataclass(frozen=True, slots=True)
class Applied:
    """Outcome of an outside event: the answer for its sender, and where the order stands."""

    answer: OrderAnswer
    status: OrderStatus


@dataclass(frozen=True, slots=True)
class _Answer:
    """What the provider answered to an authorisation: where the order stands by that, and why."""

    to: OrderState
    reason: str
    at: datetime
    payment: Payment | None = None

    @property
    def held(self) -> Payment | None:
        """The payment, where the whole total is held and waits for its capture."""
        good = self.payment is not None and self.payment.state is PaymentState.AUTHORISED
        return self.payment if good else None


class OrderService(Warehousing):
    """The order process over its ports. Thread-safe: all state is in the database."""

    def __init__(
        self,
        database: Database,
        payments: PaymentGateway,
        warehouse: WarehouseGateway,
        bookkeeping: Bookkeeping,
        clock: Clock,
    ) -> None:
        super().__init__(database, warehouse, clock)
        self._payments = payments
        self._books = bookkeeping

    def record(self, place: PlaceOrder) -> OrderStatus:
        """Write the order down, check its rules, reserve its goods; what stands against it ends in `rejected`."""

        def work(tx: Transaction) -> Order:
            order, now = order_of(place), self._clock.now()
            if not tx.orders.add(order, now, ACTOR):
                order = tx.orders.lock(place.shop, place.order_id)
            elif place.ship_to is not None:
                tx.shipping_addresses.save(place.shop, place.order_id, place.customer_id, place.ship_to, now)
            if order.state is not OrderState.RECEIVED:
                return order
            reasons = broken_rules(order) or told(tx.stock.reserve(order, self._clock.now(), ACTOR))
            if reasons:
                return self._move(tx, order, OrderState.REJECTED, "; ".join(reasons))
            return self._move(tx, order, OrderState.PAYING if order.paid_through_us else OrderState.AWAITING_PAYMENT)

        return status_of(self._database.transact(work))

    def authorise(self, shop: str, order_id: str, idempotency_key: str, *, may_retry: bool = False) -> OrderStatus:
        """Authorise the order's total. A refusal ends in `declined`; a wish to see the customer in `awaiting_payment`.

        Where another method `may_retry`, a refusal that is of this method only leads to `awaiting_method` instead.
        """
        order = self._order(shop, order_id)
        if order.state is OrderState.PAYING:
            order = self._answered(order, self._authorisation(order, idempotency_key, may_retry=may_retry))
        return status_of(order)

    def charge(self, shop: str, order_id: str, keys: tuple[str, str], *, may_retry: bool = False) -> OrderStatus:
        """Authorise, and capture at once what that came to; `keys` are those of the one and of the other.

        Both answers are written down together. An authorisation stands in the book before its capture where the order may
        have been given up meanwhile, for its answer took long; and without one, where there is none from the capture.
        """
        order, began = self._order(shop, order_id), self._clock.now()
        if order.state is OrderState.PAYING:
            answer = self._authorisation(order, keys[0], may_retry=may_retry)
            if answer.held is not None and answer.at - began < _SOON:
                return status_of(self._captured_at_once(order, answer, answer.held, keys[1]))
            order = self._answered(order, answer)
        return self.capture(shop, order_id, keys[1]) if order.state is OrderState.AUTHORISED else status_of(order)

    def capture(self, shop: str, order_id: str, idempotency_key: str) -> OrderStatus:
        """Capture the authorised payment and book it. A void, lapsed or refused one is let go: `declined`."""
        order, payments = self._database.transact(
            lambda tx: (known_order(tx, shop, order_id), tx.payments.of_order(shop, order_id))
        )
        if order.state is not OrderState.AUTHORISED:
            return status_of(order)
        found = held(payments)
        if found is None:
            raise NotFound(f"order {shop}/{order_id} is authorised by no payment that we know of")
        return status_of(self._booked(order, self._captured(found, idempotency_key)))

    def _authorisation(self, order: Order, key: str, *, may_retry: bool) -> "_Answer":
        """Have the provider authorise the order's total, unless it would take it for another sum."""
        provider = self._payments.name
        if exponent(order.currency, provider) != exponent(order.currency):
            # Our minor units would be read as a hundred times more or less.
            reason = f"refused: {provider} counts {order.currency} in other units than ISO 4217"
            return _Answer(OrderState.DECLINED, reason, self._clock.now())
        try:
            payment = authorised(self._payments, order, key, self._clock.now())
        except PaymentDeclined as refusal:
            again = may_retry and may_try_another(refusal.reason)
            refused = refused_payment(order, self._payments.name, refusal) if again else None
            to = OrderState.AWAITING_METHOD if again else OrderState.DECLINED
            return _Answer(to, refusal.reason, self._clock.now(), refused)
        except ProviderRejected as refusal:
            return _Answer(OrderState.DECLINED, f"refused: {refusal}", self._clock.now())
        return _Answer(after(payment), payment.detail, self._clock.now(), payment)

    def _answered(self, order: Order, answer: "_Answer") -> Order:
        return self._from(order, OrderState.PAYING, answer.to, answer.reason, answer.payment)

    def _captured_at_once(self, order: Order, answer: "_Answer", payment: Payment, key: str) -> Order:
        try:
            captured = self._captured(payment, key)
        except Exception:
            self._answered(order, answer)
            raise
        return self._booked(order, captured, answer)

    def _captured(self, found: Payment, idempotency_key: str) -> Payment:
        """Capture a payment and return what became of it: captured, or let go."""
        try:
            payment = self._payments.capture(found.reference, idempotency_key=idempotency_key)
        except (PaymentDeclined, ProviderRejected):
            payment = self._payments.retrieve(found.reference)
        if payment.state is PaymentState.PROCESSING:
            # Asked anew: a repeated capture would be answered from the provider's memory.
            payment = decided(self._payments.retrieve(found.reference), frozenset({PaymentState.PROCESSING}))
        if payment.state is PaymentState.AUTHORISED:
            payment = let_go(self._payments, payment, idempotency_key)
        return payment

    def _booked(self, order: Order, payment: Payment, answer: "_Answer | None" = None) -> Order:
        """Write down what became of a capture, and first the `answer` to the authorisation, where it is not in the book."""
        shop, order_id = order.shop, order.order_id

        def work(tx: Transaction) -> Order:
            current, now = tx.orders.lock(shop, order_id), self._clock.now()
            if answer is not None and answer.payment is not None:
                tx.payments.save(shop, order_id, answer.payment, answer.at)
                if current.state is OrderState.PAYING:
                    current = tx.orders.move(current, answer.to, at=answer.at, actor=ACTOR, reason=answer.reason)
            tx.payments.save(shop, order_id, payment, now)
            captured = payment.state is PaymentState.CAPTURED
            if captured:
                book_capture(tx, capture_entry(current, payment, now))
            if current.state is OrderState.AUTHORISED:
                reason = "" if captured else f"not captured: the payment is {payment.state}"
                to = OrderState.PAID if captured else OrderState.DECLINED
                current = tx.orders.move(current, to, at=now, actor=ACTOR, reason=reason)
            return tx.orders.get(shop, order_id) or current

        return self._database.transact(work)

    def apply(self, shop: str, order_id: str, event: OrderEvent) -> Applied:
        """Apply an outside event: book the money it speaks of, then move the order if the event allows.

        Money is booked in every state, also for an order that is over: the books follow the money. A failed
        payment changes nothing: the customer may try again until the payment window closes.
        """
        handlers: dict[OrderEventKind, Callable[[str, str, OrderEvent], bool]] = {
            OrderEventKind.PAYMENT_AUTHORISED: self._payment_authorised,
            OrderEventKind.PAYMENT_CAPTURED: self._payment_captured,
            OrderEventKind.PAYMENT_VOIDED: self._payment_voided,
            **dict.fromkeys([OrderEventKind.REFUNDED, *DISPUTES], self._money_left),
            OrderEventKind.DELIVERED: self._delivered,
        }
        parcels = {OrderEventKind.SHIPPED: self._shipped, OrderEventKind.SHIPMENT_FAILED: self._shipment_failed}
        moved, noting = event.kind in handlers and handlers[event.kind](shop, order_id, event), parcels.get(event.kind)

        def work(tx: Transaction) -> tuple[bool, OrderStatus]:
            return noting(tx, shop, order_id, event) if noting else moved, standing(tx, shop, order_id)

        changed, status = self._database.transact(work)
        return Applied(OrderAnswer(outcome="applied" if changed else "ignored", state=status.state), status)

    def status(self, shop: str, order_id: str) -> OrderStatus:
        """Return where the order stands. Raises NotFound."""
        return status_of(self._order(shop, order_id))

    def _payment_authorised(self, shop: str, order_id: str, event: OrderEvent) -> bool:
        """Go on to capture once the customer has acted. What the shop collects, the shop captures."""
        order = self._order(shop, order_id)
        if order.state not in _UNAUTHORISED or not order.paid_through_us:
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

    def _payment_voided(self, shop: str, order_id: str, event: OrderEvent) -> bool:
        """Note that what a parcel waits to be paid from is gone; the order moves once the parcel is stopped."""
        order = self._order(shop, order_id)
        if not held_for_parcel(order):
            return False
        known = held(self._database.transact(lambda tx: tx.payments.of_order(shop, order_id)))
        if known is None or known.reference != event.reference:
            return False  # one that was given up for another method
        payment = self._payments.retrieve(event.reference)
        if payment.state is not PaymentState.CANCELLED:
            return False
        self._database.transact(lambda tx: tx.payments.save(shop, order_id, payment, self._clock.now()))
        return True

    def _payment_captured(self, shop: str, order_id: str, event: OrderEvent) -> bool:
        booked = self._books.captures(shop, order_id, event)

        def work(tx: Transaction) -> bool:
            order = tx.orders.lock(shop, order_id)
            waiting = order.state in METHOD_WELCOME | {OrderState.AUTHORISED}
            if waiting and order.captured_minor >= order.total_minor:
                paid = self._move(tx, order, OrderState.PAID, event.detail)
                if has_left(tx, paid):  # it was to be captured when the parcel leaves
                    follow = waiting_for_rest if goods_of(tx, paid).partial else sent
                    follow(tx, paid, self._clock.now(), ACTOR)
                return True
            return booked or (held_for_parcel(order) and closed_early(tx.payments.of_order(shop, order_id)))

        return self._database.transact(work)

    def _money_left(self, shop: str, order_id: str, event: OrderEvent) -> bool:
        book = self._books.disputes if event.kind in DISPUTES else self._books.refunds
        return book(shop, order_id, event.reference)

    def _delivered(self, shop: str, order_id: str, event: OrderEvent) -> bool:
        """A parcel that arrived has left: where nobody had told so, the order moves as if it were told now."""
        event = arrived(self._database, self._warehouse, shop, order_id, event)
        moved = self._database.transact(lambda tx: self._shipped(tx, shop, order_id, event))
        return self._database.transact(lambda tx: note_delivered(tx, tx.orders.lock(shop, order_id), event)) or moved

    def _shipment_failed(self, tx: Transaction, shop: str, order_id: str, event: OrderEvent) -> bool:
        order = tx.orders.lock(shop, order_id)
        failed = note_parcel(tx, order, event, ShipmentState.FAILED)
        if failed and asked_for_anew(tx.shipments.of_order(shop, order_id), event.reference):
            return False  # it was stopped before, and what was in it leaves in the parcel that followed it
        return failed and (order.state in {OrderState.PAID, OrderState.FULFILLING} or held_for_parcel(order))

    def _from(
        self, order: Order, expected: OrderState, to: OrderState, reason: str, payment: Payment | None = None
    ) -> Order:
        """Move the order to `to` if it still stands in `expected`; record the payment either way."""

        def work(tx: Transaction) -> Order:
            current = tx.orders.lock(order.shop, order.order_id)
            if payment is not None:
                tx.payments.save(order.shop, order.order_id, payment, self._clock.now())
            return self._move(tx, current, to, reason) if current.state is expected else current

        return self._database.transact(work)
