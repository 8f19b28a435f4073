"""A payment at the provider, and our book entries about it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class PaymentState(StrEnum):
    """What the provider last said of a payment intent."""

    REQUIRES_ACTION = "requires_action"
    AUTHORISED = "authorised"
    CAPTURED = "captured"
    CANCELLED = "cancelled"
    DECLINED = "declined"
    PROCESSING = "processing"


IN_FLIGHT = frozenset({
    PaymentState.AUTHORISED, PaymentState.REQUIRES_ACTION, PaymentState.PROCESSING, PaymentState.DECLINED,
})  # fmt: skip
"""States in which money may still be captured (after a refusal with another card); voiding ends them."""


HARD_DECLINES = frozenset({
    "fraudulent", "lost_card", "merchant_blacklist", "pickup_card", "restricted_card", "revocation_of_all_authorizations",
    "security_violation", "stolen_card",
})  # fmt: skip
"""Decline codes of Stripe after which nobody is asked for another card: somebody else may hold this one."""


def may_try_another(decline_code: str) -> bool:
    """Tell whether a refusal is of this method only (no funds, a wrong digit, a cautious bank), not of who pays."""
    return decline_code not in HARD_DECLINES


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """One payment intent. `captured_minor`/`refunded_minor` are the provider's cumulative amounts."""

    provider: str
    reference: str
    amount_minor: int
    currency: str
    state: PaymentState
    captured_minor: int = 0
    refunded_minor: int = 0
    detail: str = ""
    captured_at: datetime | None = None
    """When the money moved, where its owner says so; the books date it like that, however late they hear of it."""
    method: str = ""
    """How the customer paid, in the provider's word (`card`, `sepa_debit`), where it is told."""
    several: bool = False
    """Whether the provider said that what it authorised may be captured in several parts. While a rest is held, one that was
    captured in part is `authorised`."""


def held(payments: Sequence[Payment]) -> Payment | None:
    """Return the payment that an order's money is held by, of those known of it, oldest first: the latest that is good."""
    good = [payment for payment in payments if payment.state in {PaymentState.AUTHORISED, PaymentState.CAPTURED}]
    return (good or [*payments])[-1] if payments else None


def closed_early(payments: Sequence[Payment]) -> bool:
    """Tell whether the provider closed a payment that was captured in part: the rest of it is not held any more."""
    known = held(payments)
    return known is not None and known.state is PaymentState.CAPTURED and known.captured_minor < known.amount_minor


def hold_lost(payments: Sequence[Payment]) -> bool:
    """Tell whether what an order's money was held by holds nothing any more: it was voided, or closed with a part captured."""
    known = held(payments)
    return known is not None and (known.state is PaymentState.CANCELLED or closed_early(payments))


@dataclass(frozen=True, slots=True, kw_only=True)
class Refund:
    """One refund the provider accepted; `amount_minor` is positive."""

    reference: str
    payment_reference: str
    amount_minor: int
    currency: str
    created_at: datetime | None = None
    """When the provider made it; the books date it like that, however late they hear of it."""


class EntryKind(StrEnum):
    """Kind of a book entry."""

    CAPTURE = "capture"
    REFUND = "refund"
    DISPUTE = "dispute"
    """Withdrawn by the customer's bank."""
    DISPUTE_REVERSAL = "dispute_reversal"
    """Returned: the dispute was won."""


COMES_IN = frozenset({EntryKind.CAPTURE, EntryKind.DISPUTE_REVERSAL})
"""Kinds whose amount is not below zero; of the others it is not above."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BookEntry:
    """One movement of money in our books; append-only, unique by (provider, kind, reference).

    `amount_minor` is signed from the shop's view: captures and reversals of disputes are positive, the others negative.
    `reference` is the provider's id of what moved (capture: the payment intent; refund: the refund; else the dispute).
    """

    shop: str
    order_id: str
    provider: str
    kind: EntryKind
    reference: str
    payment_reference: str
    amount_minor: int
    currency: str
    occurred_at: datetime
    method: str = ""
    """How the customer paid, in the provider's word; empty where our books do not hold it."""
