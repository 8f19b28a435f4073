"""Money that is held when an order is placed and taken when its parcels have left.

How much is taken with which parcel is the shop's policy (`CapturePolicy`). It is always reckoned from all that has left
and all that was captured, never from one parcel: whatever comes twice, late or in another order, the sum is right.
Goods that left and money that cannot be taken are a person's matter at once (`needs_attention`), never a silent loss.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from worker.contract.orders import OrderStatus
from worker.domain.capture import CapturePolicy, Claim, claim
from worker.domain.errors import NotFound, PaymentDeclined, ProviderRejected, ProviderUnavailable
from worker.domain.money import Money
from worker.domain.order import Order, OrderState
from worker.domain.parcels import Goods
from worker.domain.payment import Payment, PaymentState, held
from worker.domain.stock import Fate
from worker.services.letting_go import decided
from worker.services.order_messages import book_capture, capture_entry
from worker.services.parcels import goods_of, sent, standing, waiting, waiting_for_rest
from worker.services.ports import Clock, Database, PaymentGateway, Transaction
from worker.services.reversal import nothing
from worker.services.warehousing import ACTOR

_MONEY_THERE = frozenset({OrderState.PAID, OrderState.FULFILLING})
_NO_POLICIES: Mapping[str, CapturePolicy] = MappingProxyType({})
ROUNDS = 3
"""How often a capture is tried anew that was refused because another one had been made."""


class CaptureOnShipment:
    """Captures what parcels that left are paid from. A shop without a policy has `CapturePolicy.FIRST_PARCEL`."""

    def __init__(
        self,
        database: Database,
        payments: PaymentGateway,
        clock: Clock,
        policies: Mapping[str, CapturePolicy] = _NO_POLICIES,
    ) -> None:
        self._database = database
        self._payments = payments
        self._clock = clock
        self._policies = policies

    def capture(self, shop: str, order_id: str, idempotency_key: str, *, closing: bool = False) -> OrderStatus:
        """Capture what is due for the parcels that have left, and complete an order of which all has.

        Without a parcel that left, change nothing. `closing`: nothing more will leave, what is held beyond the due is let
        go; the order waits in `fulfilling` then. Raises NotFound, ProviderUnavailable.
        """
        order = self._order(shop, order_id)
        goods = self._database.transact(lambda tx: goods_of(tx, order))
        if not goods.parcels:
            return self._standing(order)
        authorised = order.state is OrderState.AUTHORISED
        payment = self._captured(order, goods, idempotency_key, closing=closing) if authorised else None

        def work(tx: Transaction) -> None:
            now = self._clock.now()
            current = tx.orders.lock(shop, order_id)
            if payment is not None:
                tx.payments.save(shop, order_id, payment, now)
                if payment.captured_minor > 0:
                    book_capture(tx, capture_entry(current, payment, now))
            if current.state is OrderState.AUTHORISED:
                wanted = self._claim(current, goods, payment, closing=closing)
                if payment is None or payment.captured_minor < wanted.minor or (closing and not wanted.minor):
                    self._give_up(tx, current, goods, payment)
                    return
                closed_early = payment.captured_minor < current.total_minor and not (closing or goods.complete)
                if payment.state is not PaymentState.CAPTURED or closed_early:
                    # Its rest stays held for the parcels to come; or is not any more, which the provider's event tells.
                    return
                current = tx.orders.move(current, OrderState.PAID, at=now, actor=ACTOR)
            if current.state in _MONEY_THERE:
                whole = goods_of(tx, current).complete
                sent(tx, current, now, ACTOR) if whole else waiting_for_rest(tx, current, now, ACTOR)

        self._database.transact(work)
        return self._standing(order)

    def lapse(self, shop: str, order_id: str, *, may_retry: bool, stop: Callable[[], object] = nothing) -> OrderStatus:
        """Let an order whose authorisation is gone and whose parcels are stopped wait for another method, or end it.

        Of one that has left in part, what the provider captured is booked first: the other method pays the rest, no more.
        `stop` stops a parcel that was noted after the others were stopped. Raises NotFound, ProviderUnavailable.
        """
        if self._database.transact(lambda tx: waiting(tx, shop, order_id)):
            stop()
        to = OrderState.LAPSED if may_retry else OrderState.DECLINED
        order = self._order(shop, order_id)
        lost = self._lost(order) if order.state is OrderState.AUTHORISED else None

        def work(tx: Transaction) -> None:
            now = self._clock.now()
            current = tx.orders.lock(shop, order_id)
            if current.state is not OrderState.AUTHORISED:
                return
            if waiting(tx, shop, order_id):
                raise ProviderUnavailable(f"a parcel of order {shop}/{order_id} is not stopped yet")
            if lost is not None and lost.captured_minor > 0:
                tx.payments.save(shop, order_id, lost, now)
                book_capture(tx, capture_entry(current, lost, now))
                current = tx.orders.lock(shop, order_id)
            goods = goods_of(tx, current)
            if goods.complete:
                self._give_up(tx, current, goods, lost or held(tx.payments.of_order(shop, order_id)))
                return
            reason = "the authorisation was let go before the parcel left"
            if goods.parcels:
                owed = Money(current.owed_minor, current.currency)
                reason = (
                    f"the authorisation was let go when {goods.pieces_left} of {goods.pieces} pieces had left:"
                    f" {owed} are still owed"
                )
            tx.orders.move(current, to, at=now, actor=ACTOR, reason=reason)

        self._database.transact(work)
        return self._standing(self._order(shop, order_id))

    def _lost(self, order: Order) -> Payment | None:
        """Return what became of the payment that was held, where parcels have left that it was to pay for."""
        known, goods = self._database.transact(
            lambda tx: (held(tx.payments.of_order(order.shop, order.order_id)), goods_of(tx, order))
        )
        return self._payments.retrieve(known.reference) if known is not None and goods.parcels else None

    def _give_up(self, tx: Transaction, order: Order, goods: Goods, payment: Payment | None) -> None:
        # Whatever becomes of the order, they are gone.
        now = self._clock.now()
        if goods.complete:
            tx.stock.settle(order.shop, order.order_id, Fate.SHIPPED, now, ACTOR)
        why = f"the parcel left, but its money could not be taken: {_said(payment)}"
        tx.orders.move(order, OrderState.NEEDS_ATTENTION, at=now, actor=ACTOR, reason=why)

    def _claim(self, order: Order, goods: Goods, payment: Payment | None, *, closing: bool) -> Claim:
        policy = self._policies.get(order.shop, CapturePolicy.FIRST_PARCEL)
        several = payment is not None and payment.several
        return claim(order, goods, policy, several=several, closing=closing)

    def _captured(self, order: Order, goods: Goods, key: str, *, closing: bool) -> Payment | None:
        """Capture what is wanted and return the payment as it stands then; None when nothing ever was held."""
        payment = held(self._database.transact(lambda tx: tx.payments.of_order(order.shop, order.order_id)))
        if payment is None:
            return None
        if closing or self._policies.get(order.shop) is CapturePolicy.EACH_PARCEL:
            # Only the provider knows whether it takes several, and what became of a part whose answer was lost.
            payment = self._payments.retrieve(payment.reference)
        for _ in range(ROUNDS):
            wanted = self._claim(order, goods, payment, closing=closing)
            before = payment.captured_minor
            if payment.state is PaymentState.CAPTURED or (wanted.minor <= before and not wanted.final):
                break
            payment = self._moved(payment, wanted, key)
            if payment.captured_minor == before or payment.captured_minor >= wanted.minor:
                break
        return payment

    def _moved(self, payment: Payment, wanted: Claim, key: str) -> Payment:
        """Capture up to `wanted`. What was captured before is part of the key: a retry repeats the call, a later one does not."""
        reference, before = payment.reference, payment.captured_minor
        step = f"{key}:{before}" if before else key
        try:
            if wanted.final and wanted.minor == payment.amount_minor:
                payment = self._payments.capture(reference, idempotency_key=step)
            elif wanted.minor > before:
                payment = self._payments.capture_part(
                    reference, wanted.minor - before, final=wanted.final, idempotency_key=step
                )
            else:
                payment = self._payments.release(reference, idempotency_key=f"{step}:release")
        except (PaymentDeclined, ProviderRejected):
            payment = self._payments.retrieve(reference)
        if payment.state is PaymentState.PROCESSING:
            # Asked anew: a repeated capture would be answered from the provider's memory.
            payment = decided(self._payments.retrieve(reference), frozenset({PaymentState.PROCESSING}))
        return payment

    def _standing(self, order: Order) -> OrderStatus:
        return self._database.transact(lambda tx: standing(tx, order.shop, order.order_id))

    def _order(self, shop: str, order_id: str) -> Order:
        order = self._database.transact(lambda tx: tx.orders.get(shop, order_id))
        if order is None:
            raise NotFound(f"order {shop}/{order_id} is not in our books")
        return order


def _said(payment: Payment | None) -> str:
    if payment is None:
        return "there is no payment"
    taken = f", {payment.captured_minor} of {payment.amount_minor} minor units taken" if payment.captured_minor else ""
    return f"payment {payment.reference} is {payment.state}{taken}"
