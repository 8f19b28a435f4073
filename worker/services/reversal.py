"""Reversal: give the money back, whatever happened so far. The compensation of every exit of an order.

It asks the provider what it holds for the order (also payments we never got to record), voids what is only
authorised, refunds what is captured, and ends the order in a terminal state. Calling it again is safe.
"""

from worker.contract.orders import OrderStatus
from worker.domain.errors import ProviderRejected
from worker.domain.order import TERMINAL, Order, OrderState
from worker.domain.payment import IN_FLIGHT, Payment, PaymentState
from worker.services.bookkeeping import Bookkeeping
from worker.services.orders import ACTOR, capture_entry, status_of
from worker.services.ports import Clock, Database, PaymentGateway, Transaction


class Reversal:
    """Voids or refunds everything an order took."""

    def __init__(self, database: Database, payments: PaymentGateway, bookkeeping: Bookkeeping, clock: Clock) -> None:
        self._database = database
        self._payments = payments
        self._books = bookkeeping
        self._clock = clock

    def reverse(self, shop: str, order_id: str, *, to: OrderState, reason: str, key: str) -> OrderStatus | None:
        """Give back what the order holds and end it in `to` (`cancelled` or `refunded`).

        `key` prefixes the idempotency keys. Returns None when the order was never recorded (nothing was
        taken then). A refund the provider refuses for good ends in `needs_attention`.
        """
        order = self._database.transact(lambda tx: tx.orders.get(shop, order_id))
        if order is None or order.state in TERMINAL:
            return status_of(order) if order else None
        refusals: list[str] = []
        for payment in self._held(order):
            try:
                self._give_back(order, payment, key)
            except ProviderRejected as refusal:
                refusals.append(f"{payment.reference}: {refusal}")
        return status_of(self._end(order, to, reason, refusals))

    def _held(self, order: Order) -> list[Payment]:
        known = self._database.transact(lambda tx: tx.payments.of_order(order.shop, order.order_id))
        references = [payment.reference for payment in known if payment.provider == self._payments.name]
        if order.payment_mode == "charge":
            # The provider may have authorised while we died: it knows payments that we never recorded.
            found = self._payments.find(shop=order.shop, order_id=order.order_id, since=order.placed_at)
            references += [payment.reference for payment in found if payment.reference not in references]
        return [self._payments.retrieve(reference) for reference in references]

    def _give_back(self, order: Order, payment: Payment, key: str) -> None:
        if payment.state in IN_FLIGHT:
            payment = self._payments.cancel(payment.reference, idempotency_key=f"{key}:void:{payment.reference}")
        refunds = self._payments.refunds(payment.reference) if payment.state is PaymentState.CAPTURED else []
        rest = payment.captured_minor - sum(refund.amount_minor for refund in refunds)
        if payment.state is PaymentState.CAPTURED:
            self._book_capture(order, payment)
            if rest > 0:
                # The amount already refunded is part of the key: a retry repeats the call, a later one does not.
                step = f"{key}:refund:{payment.reference}:{payment.captured_minor - rest}"
                refunds.append(self._payments.refund(payment.reference, rest, idempotency_key=step))
        else:
            now = self._clock.now()
            self._database.transact(lambda tx: tx.payments.save(order.shop, order.order_id, payment, now))
        self._books.post_refunds(order.shop, order.order_id, refunds)

    def _book_capture(self, order: Order, payment: Payment) -> None:
        now = self._clock.now()

        def work(tx: Transaction) -> None:
            tx.orders.lock(order.shop, order.order_id)
            tx.payments.save(order.shop, order.order_id, payment, now)
            tx.payments.post(capture_entry(order, payment, now))

        self._database.transact(work)

    def _end(self, order: Order, to: OrderState, reason: str, refusals: list[str]) -> Order:
        def work(tx: Transaction) -> Order:
            current = tx.orders.lock(order.shop, order.order_id)
            if current.state in TERMINAL:
                return current

            def move(state: OrderState, why: str) -> Order:
                return tx.orders.move(current, state, at=self._clock.now(), actor=ACTOR, reason=why)

            if current.captured_minor == 0 and not refusals:
                if current.state in {OrderState.RECEIVED, OrderState.AWAITING_PAYMENT, OrderState.PAYING}:
                    return move(OrderState.CANCELLED, reason)
                if current.state is OrderState.AUTHORISED:
                    return move(OrderState.CANCELLED, f"{reason} (authorisation voided)")
            if current.state is not OrderState.REFUNDING:
                current = move(OrderState.REFUNDING, reason)
            if refusals:
                return move(OrderState.NEEDS_ATTENTION, f"refund refused: {'; '.join(refusals)}"[:500])
            return move(to, reason)

        self._database.transact(work)
        return self._database.transact(lambda tx: tx.orders.get(order.shop, order.order_id)) or order
