"""Ending orders that wait for a person, after what the person did: the provider is asked, its word is booked first."""

from worker.contract.orders import OrderAnswer, ResolveOrder
from worker.domain.errors import InvalidInput, NotFound
from worker.domain.order import Order, OrderState
from worker.domain.parcels import due_of
from worker.domain.payment import Payment
from worker.domain.resolution import resolved_state
from worker.services.bookkeeping import Bookkeeping
from worker.services.order_messages import book_capture, capture_entry
from worker.services.parcels import goods_of
from worker.services.ports import Clock, Database, PaymentGateway, Transaction
from worker.services.refunds import NeverRecorded

LONGEST_REASON = 500
_RESOLVED = frozenset({OrderState.COMPLETED, OrderState.REFUNDED, OrderState.CANCELLED})


class Resolution:
    """Brings orders from `needs_attention` to their end."""

    def __init__(self, database: Database, payments: PaymentGateway, bookkeeping: Bookkeeping, clock: Clock) -> None:
        self._database = database
        self._payments = payments
        self._books = bookkeeping
        self._clock = clock

    def resolve(self, request: ResolveOrder) -> OrderAnswer:
        """End the order as its goods and money say; the actor and the reason stand in its trail.

        Repeated for one that is resolved it is `ignored`. Raises InvalidInput without a reason, Conflict for an order
        that is not at rest (see `resolved_state`), NotFound, ProviderUnavailable.
        """
        if not request.reason.strip() or len(request.reason) > LONGEST_REASON:
            raise InvalidInput(f"a reason has 1 to {LONGEST_REASON} characters")
        shop, order_id = request.shop, request.order_id
        order = self._database.transact(lambda tx: tx.orders.get(shop, order_id))
        if order is None:
            raise NeverRecorded(f"order {shop}/{order_id} is not in our books")
        if order.state is OrderState.NEEDS_ATTENTION:
            self._catch_up(order)

        def work(tx: Transaction) -> OrderAnswer:
            current = tx.orders.lock(shop, order_id)
            before = [OrderState(step.from_state) for step in tx.orders.trail(shop, order_id)[-1:] if step.from_state]
            if current.state in _RESOLVED and before == [OrderState.NEEDS_ATTENTION]:
                return OrderAnswer(outcome="ignored", state=current.state)
            goods = goods_of(tx, current)
            to = resolved_state(
                current,
                left=goods.parcels > 0,
                settled_elsewhere=request.settled_elsewhere,
                due_minor=due_of(current, goods) if goods.pieces_left else None,
            )
            tx.orders.move(current, to, at=self._clock.now(), actor=request.requested_by, reason=request.reason.strip())
            return OrderAnswer(outcome="applied", state=to)

        return self._database.transact(work)

    def _catch_up(self, order: Order) -> None:
        """Book what was taken and given back at the provider by hand."""
        for known in self._database.transact(lambda tx: tx.payments.of_order(order.shop, order.order_id)):
            if known.provider != self._payments.name:
                continue
            try:
                payment = self._payments.retrieve(known.reference)
            except NotFound:
                continue  # the shop named a payment of somebody else
            if payment.captured_minor > 0:
                self._book(order, payment)
                self._books.refunds(order.shop, order.order_id, payment.reference)

    def _book(self, order: Order, payment: Payment) -> None:
        def work(tx: Transaction) -> None:
            now = self._clock.now()
            current = tx.orders.lock(order.shop, order.order_id)
            tx.payments.save(order.shop, order.order_id, payment, now)
            book_capture(tx, capture_entry(current, payment, now))

        self._database.transact(work)
