"""Closing an order that has left in part: the customer pays for what left, and for nothing else.

Whatever was stopped is not owed any more. What is held for it is let go, what was taken for it is given back; refunds
made before count towards that. The order is completed then, or waits for a person who is to see that the rest never came.
"""

from collections.abc import Callable
from functools import partial

from worker.contract.orders import OrderStatus
from worker.domain.dispute import withdrawn_of
from worker.domain.errors import NotFound, PaymentDeclined, ProviderRejected
from worker.domain.money import Money
from worker.domain.order import TERMINAL, Order, OrderState
from worker.domain.parcels import due_of
from worker.domain.refund import Held, allot
from worker.domain.stock import Fate
from worker.services.bookkeeping import Bookkeeping
from worker.services.capture_on_shipment import CaptureOnShipment
from worker.services.parcels import goods_of, sent, standing, waiting, waiting_for_rest
from worker.services.ports import Clock, Database, PaymentGateway, Transaction
from worker.services.reversal import ROUNDS, nothing
from worker.services.warehousing import ACTOR


class Remainder:
    """Ends orders of which a part has left and the rest will not."""

    def __init__(
        self,
        database: Database,
        payments: PaymentGateway,
        bookkeeping: Bookkeeping,
        shipped: CaptureOnShipment,
        clock: Clock,
    ) -> None:
        self._database = database
        self._payments = payments
        self._books = bookkeeping
        self._shipped = shipped
        self._clock = clock

    def close(
        self, shop: str, order_id: str, *, to: OrderState, reason: str, key: str, stop: Callable[[], object] = nothing
    ) -> OrderStatus | None:
        """Let go of the rest's share and end the order in `to` (`completed` or `needs_attention`); again it is the same.

        Its parcels that have not left must have been stopped; `stop` stops one that was asked for after that, by a step that
        was given up and went on. `key` prefixes the idempotency keys. What cannot be given back ends in
        `needs_attention`. Returns None when the order was never recorded. Raises ProviderUnavailable.
        """
        if self._database.transact(lambda tx: tx.orders.get(shop, order_id)) is None:
            return None
        for left in reversed(range(ROUNDS)):
            if self._database.transact(lambda tx: waiting(tx, shop, order_id)):
                stop()
            if self._order(shop, order_id).state is OrderState.AUTHORISED:
                self._shipped.capture(shop, order_id, f"{key}:capture", closing=True)
            order = self._order(shop, order_id)
            if order.state in TERMINAL:
                break
            due = due_of(order, self._database.transact(partial(goods_of, order=order)))
            refused = self._give_back(order, due, key)
            if self._end(order, to, reason, refused, due, last=left == 0):
                break
        return self._database.transact(lambda tx: standing(tx, shop, order_id))

    def _give_back(self, order: Order, due: int, key: str) -> str:
        """Give back what was taken beyond what is due; return why it was refused, empty when it was not."""
        try:
            # What was refunded and not heard of comes first: an answer that was lost is not asked for again.
            holding = self._holding(order)
            order = self._order(order.shop, order.order_id)
            rest = order.kept_minor - due
            # Latest first: a second method has paid for the rest alone.
            for part in allot(holding[::-1], rest) if rest > 0 else ():
                step = f"{key}:refund:{part.payment_reference}:{order.refunded_minor}"
                self._payments.refund(part.payment_reference, part.amount_minor, idempotency_key=step)
                self._books.refunds(order.shop, order.order_id, part.payment_reference)
        except (NotFound, PaymentDeclined, ProviderRejected) as refusal:
            return str(refusal)
        return ""

    def _holding(self, order: Order) -> list[Held]:
        found = []
        entries = self._database.transact(lambda tx: tx.payments.entries_of_order(order.shop, order.order_id))
        for payment in self._database.transact(lambda tx: tx.payments.of_order(order.shop, order.order_id)):
            if payment.captured_minor <= 0:
                continue
            if payment.provider != self._payments.name:
                raise ProviderRejected(f"collected by {payment.provider}, which only it can give back")
            made = self._payments.refunds(payment.reference)
            self._books.post_refunds(order.shop, order.order_id, made)
            # What a dispute withdrew has gone back already, by way of the bank.
            left = payment.captured_minor - sum(refund.amount_minor for refund in made)
            left -= withdrawn_of(entries, payment.reference)
            found.append(Held(payment_reference=payment.reference, left_minor=left))
        return found

    def _end(self, order: Order, to: OrderState, reason: str, refused: str, given_for: int, *, last: bool) -> bool:
        """End the order; tell whether it is over, and not a parcel on its way after all. `given_for`: what was due before."""

        def work(tx: Transaction) -> bool:
            now = self._clock.now()
            current = tx.orders.lock(order.shop, order.order_id)
            if current.state in TERMINAL:
                return True
            if not last and waiting(tx, order.shop, order.order_id):
                return False
            goods = goods_of(tx, current)
            said = f"{goods.pieces_left} of {goods.pieces} pieces sent; {reason}"
            tx.stock.settle(order.shop, order.order_id, Fate.RELEASED, now, ACTOR)
            current = waiting_for_rest(tx, current, now, ACTOR)
            due = due_of(current, goods)
            over = Money(max(current.kept_minor - due, 0), current.currency)
            # Only its hold was to pay for what left, and nobody has paid otherwise; or more left when it was given back for.
            missing = max(due - current.captured_minor, due - current.kept_minor if due > given_for else 0)
            unpaid = missing > 0
            if unpaid:
                said = f"{said}; {Money(missing, current.currency)} of what was sent are not paid"
            elif current.state is OrderState.LAPSED and to is not OrderState.NEEDS_ATTENTION:
                current = tx.orders.move(current, OrderState.PAID, at=now, actor=ACTOR, reason="what was sent is paid")
                current = waiting_for_rest(tx, current, now, ACTOR)
            if refused:
                said = f"{said}; {over} are not given back: {refused}"
            still_held = current.state is OrderState.AUTHORISED
            if still_held:
                said = f"{said}; what is held for the rest could not be let go"
            if refused or still_held or unpaid or to is OrderState.NEEDS_ATTENTION or not goods.pieces_left:
                tx.orders.move(current, OrderState.NEEDS_ATTENTION, at=now, actor=ACTOR, reason=said[:500])
            else:
                sent(tx, current, now, ACTOR, said[:500])
            return True

        return self._database.transact(work)

    def _order(self, shop: str, order_id: str) -> Order:
        order = self._database.transact(lambda tx: tx.orders.get(shop, order_id))
        assert order is not None
        return order
