"""When money may be given back on request, and from which payments it is taken.

A refund is money only: it never moves an order, except that one whose money is all gone before its parcel left is
ended by its process. Before capture there is nothing to refund (cancel it); while a reversal runs everything is on
its way back already.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from worker.domain.errors import Conflict, InvalidInput
from worker.domain.order import TERMINAL, OrderState

REFUNDABLE = TERMINAL | {
    OrderState.AUTHORISED, OrderState.LAPSED, OrderState.PAID, OrderState.FULFILLING, OrderState.SHIPPED,
}  # fmt: skip
"""Also one whose money is or was held, as far as its first parcels were captured; and orders that are over: goods come back after delivery, and money may reach an order that has expired."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What one captured payment still holds; `refunds` are the provider's ids of what was refunded so far."""

    payment_reference: str
    left_minor: int
    refunds: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundPart:
    """One refund to make. `known` are the refunds the payment had before: a new one of this amount is ours."""

    payment_reference: str
    amount_minor: int
    known: tuple[str, ...] = ()


def check(state: OrderState, left_minor: int, amount_minor: int | None) -> None:
    """Raise Conflict when an order in `state` gives nothing back, InvalidInput when the amount is not there.

    `left_minor` is captured minus refunded, minus what disputes withdrew: held or lost, it is not the order's.
    """
    if state not in REFUNDABLE:
        raise Conflict(f"the order is {state}: nothing can be refunded")
    if left_minor <= 0:
        raise Conflict("the order holds no money")
    if amount_minor is not None and not 0 < amount_minor <= left_minor:
        raise InvalidInput(f"the amount must be from 1 to {left_minor} minor units")


def allot(held: Sequence[Held], amount_minor: int) -> tuple[RefundPart, ...]:
    """Take `amount_minor` from the payments in their order. Raises InvalidInput when they do not hold as much."""
    parts: list[RefundPart] = []
    missing = amount_minor
    for payment in held:
        taken = min(missing, payment.left_minor)
        if taken > 0:
            parts.append(
                RefundPart(payment_reference=payment.payment_reference, amount_minor=taken, known=payment.refunds)
            )
            missing -= taken
    if missing > 0:
        raise InvalidInput(f"the amount must be at most {amount_minor - missing} minor units")
    return tuple(parts)
