"""Reversal: give the money back, whatever happened so far. The compensation of every exit of an order.

It asks the provider what it holds for the order (also payments we never got to record), voids what is only
authorised, refunds what is captured, and ends the order in a terminal state. Calling it again is safe, and so are
two calls at once: their idempotency keys are the same.
"""

from collections.abc import Callable, Sequence
from functools import partial

from worker.contract.ids import order_workflow_id
from worker.contract.orders import OrderEvent, OrderEventKind, OrderStatus
from worker.domain.dispute import withdrawn_of
from worker.domain.errors import NotFound, PaymentDeclined, ProviderRejected
from worker.domain.money import format_minor
from worker.domain.order import METHOD_WELCOME, TERMINAL, WITHOUT_GOODS, Order, OrderState
from worker.domain.payment import IN_FLIGHT, Payment, Refund
from worker.services.authorising import CLOCK_SKEW
from worker.services.bookkeeping import SHOP_PAYMENTS, Bookkeeping
from worker.services.letting_go import let_go
from worker.services.order_messages import book_capture, capture_entry, status_of
from worker.services.parcels import has_left, known_order, waiting
from worker.services.ports import Clock, Database, PaymentGateway, Transaction
from worker.services.warehousing import ACTOR

_BRINGS_MONEY = frozenset(
    {OrderEventKind.PAYMENT_AUTHORISED, OrderEventKind.PAYMENT_CAPTURED, OrderEventKind.DISPUTE_WON}
)
_PAID = frozenset({OrderState.PAID, OrderState.FULFILLING})
"""States in which a parcel may be asked for."""
ROUNDS = 3
"""How often money that moves while it is given back is looked at anew."""


def nothing() -> None:
    """Stop no parcel: there is none."""


class Reversal:
    """Voids or refunds everything an order took."""

    def __init__(self, database: Database, payments: PaymentGateway, bookkeeping: Bookkeeping, clock: Clock) -> None:
        self._database = database
        self._payments = payments
        self._books = bookkeeping
        self._clock = clock

    def reverse(
        self, shop: str, order_id: str, *, to: OrderState, reason: str, key: str, stop: Callable[[], object] = nothing
    ) -> OrderStatus | None:
        """Give back what the order holds and end it in `to` (`cancelled` or `refunded`).

        `key` prefixes the idempotency keys. `stop` stops its parcels: a step that was given up may go on in a process that
        stood still, and ask for one after all. Returns None when the order was never recorded (nothing was
        taken then). Money that cannot be given back ends in `needs_attention`. Raises ProviderUnavailable.
        """
        if self._database.transact(lambda tx: tx.orders.get(shop, order_id)) is None:
            return None
        for left in reversed(range(ROUNDS)):
            order = self._begun(shop, order_id, reason, stop)
            if order.state in TERMINAL:
                return status_of(order)
            refusals = self._give_all_back(order, key)
            ended = self._end(order, to, reason, refusals, last=left == 0)
            if ended is not None:
                return status_of(ended)
        raise AssertionError("the last round ends the order")

    def _begun(self, shop: str, order_id: str, reason: str, stop: Callable[[], object]) -> Order:
        """Let no parcel be asked for any more, before its money goes: whoever asks for one stops it when it is noted.

        One that was noted before is stopped here, unless it has left; then the order is completed.
        """

        def work(tx: Transaction, *, stopped: bool = False) -> Order | None:
            order = tx.orders.lock(shop, order_id)
            if order.state in TERMINAL:
                return order
            if not stopped and waiting(tx, shop, order_id):
                return None
            if (over := self._left_unpaid(tx, order, reason)) is not None:
                return over
            if order.state not in _PAID:
                return order
            return tx.orders.move(order, OrderState.REFUNDING, at=self._clock.now(), actor=ACTOR, reason=reason)

        if (order := self._database.transact(work)) is None:
            stop()
            order = self._database.transact(partial(work, stopped=True))
        assert order is not None
        return order

    def _left_unpaid(self, tx: Transaction, order: Order, reason: str) -> Order | None:
        """End an order for a person to see whose goods left when its hold had lapsed; None for any other.

        What was taken for those that left before is not given back, and it does not end as one without goods.
        """
        if order.state is not OrderState.LAPSED or not has_left(tx, order):
            return None
        why = f"a parcel has left when the authorisation had lapsed: {reason}"[:500]
        return tx.orders.move(order, OrderState.NEEDS_ATTENTION, at=self._clock.now(), actor=ACTOR, reason=why)

    def settle(self, shop: str, order_id: str, event: OrderEvent) -> bool:
        """Give back the money of an event that came when its order was over without goods; return whether it all went.

        What is refused stays booked as captured, for reconciliation to show.
        """
        if event.kind not in _BRINGS_MONEY:
            return False
        order = self._database.transact(lambda tx: tx.orders.get(shop, order_id))
        if order is None or order.state not in WITHOUT_GOODS:
            return False
        authorised = event.kind is OrderEventKind.PAYMENT_AUTHORISED
        if authorised and not order.paid_through_us:
            return False  # the shop's own authorisation is the shop's to void
        if not authorised and order.kept_minor <= 0:
            return False
        # The reference of a dispute that was won is the dispute's; its payment is in the books.
        named = [event.reference] if event.reference and event.kind is not OrderEventKind.DISPUTE_WON else []
        return not self._give_all_back(order, _key(order), named)

    def give_back_late(self, shop: str, order_id: str) -> OrderStatus:
        """Give back what a step took for an order that had been given up meanwhile: its process stood still, and went on.

        The provider's events would tell of it, too; until they come nobody would know of it. What is refused stays booked.
        Raises ProviderUnavailable.
        """
        order = self._order(shop, order_id)
        if order.state in WITHOUT_GOODS and order.paid_through_us:
            self._give_all_back(order, _key(order))
        return status_of(self._order(shop, order_id))

    def _order(self, shop: str, order_id: str) -> Order:
        return self._database.transact(lambda tx: known_order(tx, shop, order_id))

    def _give_all_back(self, order: Order, key: str, named: Sequence[str] = ()) -> list[str]:
        """Give back every payment of the order; return what was refused."""
        known = self._payments_of(order)
        if any(payment.provider == SHOP_PAYMENTS for payment in known):
            # Whoever cancels at the shop gives the money back there as well, and that message may still be under way.
            try:
                self._books.refunds(order.shop, order.order_id, "")
            except ProviderRejected as refusal:
                return [f"{SHOP_PAYMENTS}: {refusal}"]
            known = self._payments_of(order)
        references = [payment.reference for payment in known if payment.provider == self._payments.name]
        references += [reference for reference in named if reference not in references]
        if order.paid_through_us:
            # The provider may have authorised while we died: it knows payments that we never recorded.
            since = self._database.transact(lambda tx: tx.orders.trail(order.shop, order.order_id))[0].at - CLOCK_SKEW
            found = self._payments.find(shop=order.shop, order_id=order.order_id, since=since)
            references += [payment.reference for payment in found if payment.reference not in references]
        refusals = [
            f"{payment.reference}: collected by {payment.provider}, which only it can give back"
            for payment in known
            if payment.provider != self._payments.name and payment.captured_minor > payment.refunded_minor
        ]
        for reference in references:
            try:
                self._give_back(order, reference, key)
            except (NotFound, PaymentDeclined, ProviderRejected) as refusal:
                refusals.append(f"{reference}: {refusal}")
        return refusals

    def _payments_of(self, order: Order) -> list[Payment]:
        return self._database.transact(lambda tx: tx.payments.of_order(order.shop, order.order_id))

    def _give_back(self, order: Order, reference: str, key: str) -> None:
        payment = self._payments.retrieve(reference)
        if payment.state in IN_FLIGHT:
            payment = let_go(self._payments, payment, key)
        if payment.captured_minor <= 0:  # what was captured in part before it was let go is given back, too
            now = self._clock.now()
            self._database.transact(lambda tx: tx.payments.save(order.shop, order.order_id, payment, now))
            return
        self._book_capture(order, payment)
        refunds = self._refunds(order, reference)
        entries = self._database.transact(lambda tx: tx.payments.entries_of_order(order.shop, order.order_id))
        # What a dispute withdrew has gone back already, by way of the bank.
        held = payment.captured_minor - withdrawn_of(entries, reference)
        while (rest := held - _sum(refunds)) > 0:
            # The amount already refunded is part of the key: a retry repeats the call, a later one does not.
            step = f"{key}:refund:{reference}:{_sum(refunds)}"
            try:
                refunds.append(self._payments.refund(reference, rest, idempotency_key=step))
            except (PaymentDeclined, ProviderRejected):
                before, refunds = refunds, self._refunds(order, reference)
                if _sum(refunds) == _sum(before):
                    raise
                continue  # somebody else refunded meanwhile: what is left is less
            self._books.post_refunds(order.shop, order.order_id, refunds)

    def _refunds(self, order: Order, reference: str) -> list[Refund]:
        """Return the refunds made so far, booked: also when no further one succeeds."""
        refunds = self._payments.refunds(reference)
        self._books.post_refunds(order.shop, order.order_id, refunds)
        return refunds

    def _book_capture(self, order: Order, payment: Payment) -> None:
        now = self._clock.now()

        def work(tx: Transaction) -> None:
            tx.orders.lock(order.shop, order.order_id)
            tx.payments.save(order.shop, order.order_id, payment, now)
            book_capture(tx, capture_entry(order, payment, now))

        self._database.transact(work)

    def _end(self, order: Order, to: OrderState, reason: str, refusals: list[str], *, last: bool) -> Order | None:
        """Move the order to its end; None when another round is to give back what came in meanwhile, or stop a parcel."""

        def work(tx: Transaction) -> bool:
            current = tx.orders.lock(order.shop, order.order_id)
            if current.state in TERMINAL:
                return True
            if not last and (current.state in _PAID or waiting(tx, order.shop, order.order_id)):
                return False
            why = list(refusals)
            kept = current.kept_minor
            if kept > 0 and not why:
                if not last:
                    return False
                why = [f"{current.currency} {format_minor(kept, current.currency)} are captured and not given back"]

            def move(state: OrderState, because: str) -> Order:
                return tx.orders.move(current, state, at=self._clock.now(), actor=ACTOR, reason=because)

            if self._left_unpaid(tx, current, reason) is not None:
                return True
            if current.captured_minor == 0 and not why:
                if current.state in METHOD_WELCOME | {OrderState.RECEIVED, OrderState.PAYING}:
                    move(OrderState.CANCELLED, reason)
                    return True
                if current.state is OrderState.AUTHORISED:
                    move(OrderState.CANCELLED, f"{reason} (authorisation voided)")
                    return True
            if current.state is not OrderState.REFUNDING:
                current = move(OrderState.REFUNDING, reason)
            if why:
                move(OrderState.NEEDS_ATTENTION, f"refund refused: {'; '.join(why)}"[:500])
            else:
                move(to, reason)
            return True

        if not self._database.transact(work):
            return None
        return self._database.transact(lambda tx: tx.orders.get(order.shop, order.order_id)) or order


def _key(order: Order) -> str:
    return f"{order_workflow_id(order.shop, order.order_id)}:reverse"


def _sum(refunds: list[Refund]) -> int:
    return sum(refund.amount_minor for refund in refunds)
