"""Refunds on request: plan from which payments the money comes, then give it back and book it.

Two steps, because a plan that is made anew after a crash would see its own refunds and make others: the plan is
kept (in the workflow's history) and carried out as often as it takes. A part is made once: the provider has our
idempotency key, and beyond the day that it keeps keys for, a refund of the part's amount that is not among those
known before is taken for ours.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from worker.contract.orders import OrderStatus
from worker.domain.dispute import withdrawn_of
from worker.domain.errors import NotFound, OrdersError
from worker.domain.money import Money
from worker.domain.order import Order
from worker.domain.refund import Held, RefundPart, allot, check
from worker.domain.timeline import Happening, TimelineEntry, of_request
from worker.services.bookkeeping import Bookkeeping
from worker.services.order_messages import status_of
from worker.services.ports import Clock, Database, PaymentGateway


class NeverRecorded(NotFound):
    """There is no such order, and waiting for it changes nothing: whoever asks to refund it must know it."""

    retryable = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundPlan:
    """Refunds to make, and what the order will hold afterwards."""

    parts: tuple[RefundPart, ...]
    left_minor: int

    @property
    def amount_minor(self) -> int:
        """Sum of the parts."""
        return sum(part.amount_minor for part in self.parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Who asked, and under which id; empty for a request from before these were handed on: it is not told of."""

    request_id: str = ""
    requested_by: str = ""


class Refunds:
    """Gives money back on request, for orders under way and over."""

    def __init__(self, database: Database, payments: PaymentGateway, bookkeeping: Bookkeeping, clock: Clock) -> None:
        self._database = database
        self._payments = payments
        self._books = bookkeeping
        self._clock = clock

    def plan(self, shop: str, order_id: str, amount_minor: int | None, asked: Asked = Asked()) -> RefundPlan:
        """Decide what to refund: `amount_minor`, or all that is left. That it was asked for is told in the timeline.

        Refunds somebody made at the provider are booked on the way. Raises Conflict when the order gives nothing
        back, InvalidInput when it holds less, ProviderUnavailable.
        """
        order = self._order(shop, order_id)
        amount = None if amount_minor is None else Money(amount_minor, order.currency)
        self._tell(Happening.REFUND_REQUESTED, order, asked, amount)
        with self._refusals_told(order, asked):
            return self._plan(order, amount_minor)

    def _plan(self, order: Order, amount_minor: int | None) -> RefundPlan:
        shop, order_id = order.shop, order.order_id
        check(order.state, 1, None)
        held = self._held(shop, order_id)
        order = self._order(shop, order_id)
        left = min(sum(payment.left_minor for payment in held), order.kept_minor)
        check(order.state, left, amount_minor)
        wanted = left if amount_minor is None else amount_minor
        return RefundPlan(parts=allot(held, wanted), left_minor=left - wanted)

    def carry_out(self, shop: str, order_id: str, plan: RefundPlan, key: str, asked: Asked = Asked()) -> OrderStatus:
        """Make the refunds of a plan and book them; again is the same. `key` prefixes the idempotency keys.

        Raises ProviderRejected or PaymentDeclined when the provider refuses one for good; what was made is booked.
        """
        with self._refusals_told(self._order(shop, order_id), asked):
            for part in plan.parts:
                reference = part.payment_reference
                made = self._payments.refunds(reference)
                if not any(one.reference not in part.known and one.amount_minor == part.amount_minor for one in made):
                    self._payments.refund(reference, part.amount_minor, idempotency_key=f"{key}:{reference}")
                self._books.refunds(shop, order_id, reference)
        return status_of(self._order(shop, order_id))

    def _tell(self, kind: Happening, order: Order, asked: Asked, amount: Money | None = None, detail: str = "") -> None:
        if not asked.request_id:
            return
        entry: TimelineEntry = of_request(
            kind,
            order.shop,
            order.order_id,
            asked.request_id,
            actor=asked.requested_by,
            at=self._clock.now(),
            amount=amount,
            detail=detail,
        )
        self._database.transact(lambda tx: tx.timeline.add(entry))

    @contextmanager
    def _refusals_told(self, order: Order, asked: Asked) -> Iterator[None]:
        """Tell of what is refused for good; what is tried again is no news. The code of the refusal says enough."""
        try:
            yield
        except OrdersError as refusal:
            if not refusal.retryable:
                self._tell(Happening.REFUND_REFUSED, order, asked, detail=refusal.code)
            raise

    def _held(self, shop: str, order_id: str) -> list[Held]:
        """Return what the provider holds; what only the shop collected is the shop's to give back."""
        found: list[Held] = []
        entries = self._database.transact(lambda tx: tx.payments.entries_of_order(shop, order_id))
        for payment in self._database.transact(lambda tx: tx.payments.of_order(shop, order_id)):
            if payment.provider != self._payments.name or payment.captured_minor <= 0:
                continue
            try:
                refunds = self._payments.refunds(payment.reference)
            except NotFound:
                continue  # the shop named a payment of somebody else: asking again will not find it
            self._books.post_refunds(shop, order_id, refunds)
            found.append(
                Held(
                    payment_reference=payment.reference,
                    # What a dispute withdrew is not ours to give, and would be given twice.
                    left_minor=payment.captured_minor
                    - sum(refund.amount_minor for refund in refunds)
                    - withdrawn_of(entries, payment.reference),
                    refunds=tuple(refund.reference for refund in refunds),
                )
            )
        return found

    def _order(self, shop: str, order_id: str) -> Order:
        order = self._database.transact(lambda tx: tx.orders.get(shop, order_id))
        if order is None:
            raise NeverRecorded(f"order {shop}/{order_id} is not in our books")
        return order
