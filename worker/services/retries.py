"""Paying with another method what an order still waits for.

The new method is tried first, and what was waited for before is let go only when it is good: an order is never left
without the one and never takes both. Every call is repeated with the same key until its outcome is in the book.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from worker.contract.orders import OrderStatus
from worker.domain.errors import NotFound, PaymentDeclined, ProviderRejected
from worker.domain.money import Money
from worker.domain.order import METHOD_WELCOME, WITHOUT_GOODS, Order, OrderState
from worker.domain.payment import IN_FLIGHT, Payment, PaymentState, may_try_another
from worker.domain.timeline import Happening, of_request
from worker.services.authorising import CLOCK_SKEW
from worker.services.letting_go import decided, let_go
from worker.services.order_messages import book_capture, capture_entry, refused_payment, status_of
from worker.services.parcels import goods_of, has_left, sent
from worker.services.ports import Clock, Database, PaymentGateway, Transaction
from worker.services.warehousing import ACTOR

LOOK_FIRST_AFTER = timedelta(hours=1)
"""A method tried for so long is looked for first: the provider forgets keys (Stripe after 24 h), not payments."""
_GOOD = frozenset({PaymentState.AUTHORISED, PaymentState.CAPTURED})
_UNDECIDED = frozenset({PaymentState.PROCESSING})


@dataclass(frozen=True, slots=True, kw_only=True)
class NewMethod:
    """A method that was supplied; `key` prefixes the idempotency keys of what is done with it."""

    shop: str
    order_id: str
    method: str
    key: str
    request_id: str
    requested_by: str
    asked_at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Retried:
    """What became of it: `applied` or `declined` with the provider's code, and where the order stands now."""

    outcome: str
    status: OrderStatus
    reason: str = ""


class Retries:
    """Tries other methods, for orders that wait for money we take at the provider."""

    def __init__(self, database: Database, payments: PaymentGateway, clock: Clock) -> None:
        self._database = database
        self._payments = payments
        self._clock = clock

    def retry(self, new: NewMethod) -> Retried:
        """Try the method, and move the order when it is good. Raises NotFound, ProviderUnavailable.

        A refusal leaves the order waiting, unless nobody is to be asked again (`may_try_another`). In `lapsed` the money
        is taken at once: what was held once and lost is not trusted to hold again, and nobody sits at a browser then.
        Asked for is what is still owed: of an order that has left in part, what was captured for that is not paid twice.
        """
        order = self._order(new)
        if order.state not in METHOD_WELCOME:  # done before, or overtaken
            return Retried(outcome="declined" if order.state in WITHOUT_GOODS else "applied", status=status_of(order))
        self._tell(Happening.METHOD_SUPPLIED, new, amount=Money(order.owed_minor, order.currency))
        try:
            payment = self._tried_before(new) or self._payments.authorise(
                shop=new.shop,
                order_id=new.order_id,
                amount_minor=order.owed_minor,
                currency=order.currency,
                method=new.method,
                idempotency_key=new.key,
            )
            payment = decided(payment, _UNDECIDED)
            if order.state is OrderState.LAPSED:
                payment = self._taken(payment, new.key)
        except PaymentDeclined as refusal:
            return self._refused(order, new, refusal.reason, refused_payment(order, self._payments.name, refusal))
        except ProviderRejected:
            return self._refused(order, new, "refused", None)
        if payment.state not in _GOOD | {PaymentState.REQUIRES_ACTION}:
            return self._refused(order, new, payment.detail or payment.state, payment)
        self._let_others_go(order, payment.reference, new.key)
        moved, wanted = self._record(order, payment)
        if not wanted and payment.state in IN_FLIGHT:
            self._save(order, let_go(self._payments, payment, new.key))
            return Retried(outcome="declined", status=status_of(moved), reason="too_late")
        return Retried(outcome="applied", status=status_of(moved))

    def _taken(self, payment: Payment, key: str) -> Payment:
        """Capture at once; what cannot be captured now is let go. Raises PaymentDeclined, ProviderUnavailable."""
        if payment.state is PaymentState.AUTHORISED:
            try:
                payment = self._payments.capture(payment.reference, idempotency_key=f"{key}:capture")
            except (PaymentDeclined, ProviderRejected):
                payment = self._payments.retrieve(payment.reference)
            payment = decided(payment, _UNDECIDED)
        if payment.state in IN_FLIGHT:
            why = "authentication_required" if payment.state is PaymentState.REQUIRES_ACTION else "not_captured"
            payment = let_go(self._payments, payment, key)
            if payment.state is not PaymentState.CAPTURED:
                raise PaymentDeclined(why)
        return payment

    def _tried_before(self, new: NewMethod) -> Payment | None:
        """Return what an earlier call authorised whose answer was lost too long ago for its key to be relied on."""
        asked_at = datetime.fromisoformat(new.asked_at)
        if self._clock.now() - asked_at < LOOK_FIRST_AFTER:
            return None
        known = {payment.reference for payment in self._payments_of(new.shop, new.order_id)}
        found = self._payments.find(shop=new.shop, order_id=new.order_id, since=asked_at - CLOCK_SKEW)
        return next((one for one in found if one.reference not in known and one.state in _GOOD), None)

    def _let_others_go(self, order: Order, kept: str, key: str) -> None:
        for other in self._payments_of(order.shop, order.order_id):
            if other.reference != kept and other.state in IN_FLIGHT:
                self._save(order, let_go(self._payments, other, key))

    def _record(self, order: Order, payment: Payment) -> tuple[Order, bool]:
        """Write the payment down, and move the order if it still waits; tell whether the payment is wanted.

        It is not when the order was given up meanwhile, or what was waited for before is good after all.
        """

        def work(tx: Transaction) -> tuple[Order, bool]:
            now = self._clock.now()
            current = tx.orders.lock(order.shop, order.order_id)
            known = {one.reference: one.state for one in tx.payments.of_order(order.shop, order.order_id)}
            good = any(state in _GOOD for reference, state in known.items() if reference != payment.reference)
            wanted = current.state in METHOD_WELCOME or not (current.state in WITHOUT_GOODS or good)
            if known.get(payment.reference) is not PaymentState.CAPTURED:  # an event may have told more already
                tx.payments.save(order.shop, order.order_id, payment, now)
            if payment.state is PaymentState.CAPTURED:
                book_capture(tx, capture_entry(current, payment, now))
            to = _next(current, payment)
            if to is not None:
                current = tx.orders.move(current, to, at=now, actor=ACTOR, reason="with another payment method")
                if to is OrderState.PAID and goods_of(tx, current).complete:  # the last of it left meanwhile
                    sent(tx, current, now, ACTOR)
            return tx.orders.get(order.shop, order.order_id) or current, wanted

        return self._database.transact(work)

    def _refused(self, order: Order, new: NewMethod, code: str, payment: Payment | None) -> Retried:
        self._tell(Happening.METHOD_REFUSED, new, code)
        ends = not may_try_another(code)

        def work(tx: Transaction) -> Order:
            current = tx.orders.lock(order.shop, order.order_id)
            if payment is not None:
                tx.payments.save(order.shop, order.order_id, payment, self._clock.now())
            # Goods of one that has left in part are not undone by a refusal: its process closes it, for a person to see.
            if not ends or current.state not in METHOD_WELCOME or has_left(tx, current):
                return current
            return tx.orders.move(current, OrderState.DECLINED, at=self._clock.now(), actor=ACTOR, reason=code)

        if ends:
            self._let_others_go(order, payment.reference if payment else "", new.key)
        return Retried(outcome="declined", status=status_of(self._database.transact(work)), reason=code)

    def _tell(self, kind: Happening, new: NewMethod, detail: str = "", amount: Money | None = None) -> None:
        at, actor = self._clock.now(), new.requested_by
        entry = of_request(
            kind, new.shop, new.order_id, new.request_id, actor=actor, at=at, amount=amount, detail=detail
        )
        self._database.transact(lambda tx: tx.timeline.add(entry))

    def _save(self, order: Order, payment: Payment) -> None:
        self._database.transact(lambda tx: tx.payments.save(order.shop, order.order_id, payment, self._clock.now()))

    def _payments_of(self, shop: str, order_id: str) -> list[Payment]:
        return self._database.transact(lambda tx: tx.payments.of_order(shop, order_id))

    def _order(self, new: NewMethod) -> Order:
        order = self._database.transact(lambda tx: tx.orders.get(new.shop, new.order_id))
        if order is None:
            raise NotFound(f"order {new.shop}/{new.order_id} is not in our books")
        return order


def _next(order: Order, payment: Payment) -> OrderState | None:
    """Return where a payment takes an order that waits; None where it stays."""
    if order.state not in METHOD_WELCOME:
        return None
    if payment.state is PaymentState.CAPTURED:
        return OrderState.PAID if order.captured_minor + payment.captured_minor >= order.total_minor else None
    if payment.state is PaymentState.AUTHORISED:
        return OrderState.AUTHORISED
    return OrderState.AWAITING_PAYMENT if order.state is OrderState.AWAITING_METHOD else None
