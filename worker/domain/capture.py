"""How much of a held payment is taken when parcels leave: the shop's policy, and what it claims at a time.

Stripe lets an authorisation be captured once, and lets go of what that leaves; several captures need its multicapture
(online cards, at most 50 captures, agreed with Stripe). Which of the two a payment has, the provider says.
"""

from dataclasses import dataclass
from enum import StrEnum

from worker.domain.order import Order
from worker.domain.parcels import Goods, due_of


class CapturePolicy(StrEnum):
    """When the money of an order that leaves in several parcels is taken."""

    FIRST_PARCEL = "first_parcel"
    """All of it with the first parcel: nothing can lapse, and what is not sent in the end is given back."""
    LAST_PARCEL = "last_parcel"
    """What is due, once, when nothing more will leave: nobody pays ahead, and the shop bears the risk of a lapse."""
    EACH_PARCEL = "each_parcel"
    """Each parcel's share with the parcel; LAST_PARCEL for a payment that the provider lets us capture only once."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What is to be captured of an order in all, in minor units; `final` lets go of what is held beyond it."""

    minor: int
    final: bool


def claim(order: Order, goods: Goods, policy: CapturePolicy, *, several: bool, closing: bool) -> Claim:
    """Return what is to be captured by now. `several`: the payment takes several captures; `closing`: nothing more leaves."""
    due = due_of(order, goods)
    # With all of it due, what is still to leave is free of charge: Stripe refuses such a capture unless it is the last.
    if closing or goods.complete or due >= order.total_minor > 0:
        return Claim(due, final=True)
    if policy is CapturePolicy.FIRST_PARCEL:
        return Claim(order.total_minor, final=True)
    if policy is CapturePolicy.EACH_PARCEL and several:
        return Claim(due, final=False)
    return Claim(0, final=False)
