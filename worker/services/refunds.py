"""Refunds on request: plan from which payments the money comes, then give it back and book it.

Two steps, because a plan that is made anew after a crash would see its own refunds and make others: the plan is
kept (in the workflow's history) and carried out as often as it takes. A part is made once: the provider has our
idempotency key, and beyond the day that it keeps keys for, a refund of the part's amount that is not among those
known before is taken for ours.
"""

from dataclasses import dataclass

from worker.contract.orders import OrderStatus
from worker.domain.errors import NotFound
from worker.domain.order import Order
from worker.domain.payment import PaymentState
from worker.domain.refund import Held, RefundPart, allot, check
from worker.services.bookkeeping import Bookkeeping
from worker.services.order_messages import status_of
from worker.services.ports import Database, PaymentGateway


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


class Refunds:
    """Gives money back on request, for orders under way and over."""

    def __init__(self, database: Database, payments: PaymentGateway, bookkeeping: Bookkeeping) -> None:
        self._database = database
        self._payments = payments
        self._books = bookkeeping

    def plan(self, shop: str, order_id: str, amount_minor: int | None) -> RefundPlan:
        """Decide what to refund: `amount_minor`, or all that is left.

        Refunds somebody made at the provider are booked on the way. Raises Conflict when the order gives nothing
        back, InvalidInput when it holds less, ProviderUnavailable.
        """
        check(self._order(shop, order_id).state, 1, None)
        held = self._held(shop, order_id)
        order = self._order(shop, order_id)
        left = min(sum(payment.left_minor for payment in held), order.captured_minor - order.refunded_minor)
        check(order.state, left, amount_minor)
        wanted = left if amount_minor is None else amount_minor
        return RefundPlan(parts=allot(held, wanted), left_minor=left - wanted)

    def carry_out(self, shop: str, order_id: str, plan: RefundPlan, key: str) -> OrderStatus:
        """Make the refunds of a plan and book them; again is the same. `key` prefixes the idempotency keys.

        Raises ProviderRejected or PaymentDeclined when the provider refuses one for good; what was made is booked.
        """
        for part in plan.parts:
            reference = part.payment_reference
            made = self._payments.refunds(reference)
            if not any(one.reference not in part.known and one.amount_minor == part.amount_minor for one in made):
                self._payments.refund(reference, part.amount_minor, idempotency_key=f"{key}:{reference}")
            self._books.refunds(shop, order_id, reference)
        return status_of(self._order(shop, order_id))

    def _held(self, shop: str, order_id: str) -> list[Held]:
        """Return what the provider holds; what only the shop collected is the shop's to give back."""
        found: list[Held] = []
        for payment in self._database.transact(lambda tx: tx.payments.of_order(shop, order_id)):
            if payment.provider != self._payments.name or payment.state is not PaymentState.CAPTURED:
                continue
            try:
                refunds = self._payments.refunds(payment.reference)
            except NotFound:
                continue  # the shop named a payment of somebody else: asking again will not find it
            self._books.post_refunds(shop, order_id, refunds)
            found.append(
                Held(
                    payment_reference=payment.reference,
                    left_minor=payment.captured_minor - sum(refund.amount_minor for refund in refunds),
                    refunds=tuple(refund.reference for refund in refunds),
                )
            )
        return found

    def _order(self, shop: str, order_id: str) -> Order:
        order = self._database.transact(lambda tx: tx.orders.get(shop, order_id))
        if order is None:
            raise NeverRecorded(f"order {shop}/{order_id} is not in our books")
        return order
