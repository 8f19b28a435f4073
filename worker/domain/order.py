"""An order: its facts, its states and which state may follow which.

    received -> paying -> authorised -> paid -> fulfilling -> shipped -> completed*
    received -> awaiting_payment -> paid | expired* | cancelled*
    received -> rejected*                      a rule of the shop is broken
    paying   -> declined* | awaiting_payment   the provider says no for good, or wants the customer to act
    paying   -> awaiting_method                the provider says no to this method: another may be supplied
    awaiting_method -> authorised | awaiting_payment | declined*
    awaiting_payment -> authorised             the customer acted
    authorised -> cancelled*                   voided before capture
    authorised -> lapsed                       captured on shipment, and let go by the provider before all of it has left
    lapsed -> paid | declined*                 what is still owed is paid with another method at once, or not
    lapsed -> needs_attention*                 not, and a part has left: a person decides
    authorised -> needs_attention*             the parcel left, and the money could not be taken
    authorised | fulfilling -> needs_attention*   a part left, and the rest never came: a person decides
    needs_attention* -> completed* | refunded* | cancelled*   a person settled it (worker.domain.resolution)
    paid | fulfilling -> refunding -> cancelled* | refunded*
    refunding -> needs_attention*              the provider refuses the refund: a person decides
States marked * are terminal. Money is consistent in each: either captured for a shipped order, or captured
minus refunded is zero, except in needs_attention, which reconciliation reports until it is resolved. An order that is
captured on shipment stays authorised while the warehouse has it: states follow the money, parcels stand in their book.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from worker.domain.errors import Conflict


class OrderState(StrEnum):
    """Where an order stands."""

    RECEIVED = "received"
    AWAITING_PAYMENT = "awaiting_payment"
    AWAITING_METHOD = "awaiting_method"
    LAPSED = "lapsed"
    PAYING = "paying"
    AUTHORISED = "authorised"
    PAID = "paid"
    FULFILLING = "fulfilling"
    SHIPPED = "shipped"
    COMPLETED = "completed"
    REFUNDING = "refunding"
    REJECTED = "rejected"
    DECLINED = "declined"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    REFUNDED = "refunded"
    NEEDS_ATTENTION = "needs_attention"


S = OrderState
TRANSITIONS: dict[OrderState, frozenset[OrderState]] = {
    S.RECEIVED: frozenset({S.AWAITING_PAYMENT, S.PAYING, S.REJECTED, S.CANCELLED}),
    S.AWAITING_PAYMENT: frozenset({S.AUTHORISED, S.PAID, S.DECLINED, S.EXPIRED, S.CANCELLED, S.REFUNDING}),
    S.PAYING: frozenset({S.AUTHORISED, S.AWAITING_PAYMENT, S.AWAITING_METHOD, S.DECLINED, S.CANCELLED, S.REFUNDING}),
    S.AWAITING_METHOD: frozenset({S.AUTHORISED, S.AWAITING_PAYMENT, S.PAID, S.DECLINED, S.CANCELLED, S.REFUNDING}),
    S.AUTHORISED: frozenset({S.PAID, S.LAPSED, S.CANCELLED, S.DECLINED, S.REFUNDING, S.NEEDS_ATTENTION}),
    S.LAPSED: frozenset({S.PAID, S.DECLINED, S.CANCELLED, S.REFUNDING, S.NEEDS_ATTENTION}),
    S.PAID: frozenset({S.FULFILLING, S.REFUNDING}),
    S.FULFILLING: frozenset({S.SHIPPED, S.REFUNDING, S.NEEDS_ATTENTION}),
    S.SHIPPED: frozenset({S.COMPLETED}),
    S.REFUNDING: frozenset({S.CANCELLED, S.REFUNDED, S.NEEDS_ATTENTION}),
    S.COMPLETED: frozenset(),
    S.REJECTED: frozenset(),
    S.DECLINED: frozenset(),
    S.EXPIRED: frozenset(),
    S.CANCELLED: frozenset(),
    S.REFUNDED: frozenset(),
    S.NEEDS_ATTENTION: frozenset({S.COMPLETED, S.REFUNDED, S.CANCELLED}),
}
del S


def may_follow(earlier: OrderState, later: OrderState) -> bool:
    """Tell whether `later` can be reached from `earlier` (or is the same): the table has no way back."""
    return earlier is later or any(may_follow(step, later) for step in TRANSITIONS[earlier])


MONEY_IN_HAND = frozenset({OrderState.AUTHORISED, OrderState.PAID, OrderState.FULFILLING, OrderState.REFUNDING})
"""States in which money waits for goods or for its way back, taken or held for us: never forgotten, however old."""
AWAITING_ANOTHER = frozenset({OrderState.AWAITING_METHOD, OrderState.LAPSED})
"""States in which nothing is held, and the customer may supply another method until a window closes."""
METHOD_WELCOME = AWAITING_ANOTHER | {OrderState.AWAITING_PAYMENT}
"""States in which another method may be supplied for what we charge: also instead of acting for the first one."""
TERMINAL = frozenset(state for state, following in TRANSITIONS.items() if not following) | {OrderState.NEEDS_ATTENTION}
"""States in which an order's process is over. From `needs_attention` a person alone leads on."""
WITHOUT_GOODS = TERMINAL - {OrderState.COMPLETED, OrderState.NEEDS_ATTENTION}
"""States in which an order is over and may hold no money: what comes in later goes back."""


COLLECTED_BY_SHOP = "collected_by_shop"
ON_SHIPMENT = "authorise"
"""Payment modes, in the words of the contract."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One position."""

    sku: str
    quantity: int
    unit_price_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One order as our books hold it. `captured_minor` and the sums after it are of book entries."""

    shop: str
    order_id: str
    currency: str
    total_minor: int
    lines: tuple[Line, ...]
    customer_id: str
    payment_mode: str
    placed_at: datetime
    origin: str
    shipping_minor: int = 0
    discount_minor: int = 0
    tax_minor: int = 0
    payment_method: str | None = None
    state: OrderState = OrderState.RECEIVED
    state_reason: str = ""
    updated_at: datetime | None = None
    captured_minor: int = 0
    refunded_minor: int = 0
    disputed_minor: int = 0
    """What disputes withdrew and did not return: held, or lost."""
    number: str = ""
    """By what the customer knows it, where that is not its id."""

    def moved(self, to: OrderState, reason: str = "") -> "Order":
        """Return the order in state `to`. Raises Conflict when the table does not allow it."""
        if to not in TRANSITIONS[self.state]:
            raise Conflict(f"order {self.shop}/{self.order_id} is {self.state} and cannot become {to}")
        return replace(self, state=to, state_reason=reason)

    @property
    def paid_through_us(self) -> bool:
        """Whether we take the money at the payment provider; otherwise the shop collects it."""
        return self.payment_mode != COLLECTED_BY_SHOP

    @property
    def captured_on_shipment(self) -> bool:
        """Whether the money is only held until the parcel has left."""
        return self.payment_mode == ON_SHIPMENT

    @property
    def kept_minor(self) -> int:
        """What the order holds of its money."""
        return self.captured_minor - self.refunded_minor - self.disputed_minor

    @property
    def owed_minor(self) -> int:
        """What of its total was never captured. What was captured and given back is not asked for again."""
        return max(self.total_minor - self.captured_minor, 0)

    @property
    def financial_status(self) -> str:
        """Derived from amounts, never stored.

        One of unpaid, partially_paid, paid, overcharged, partially_refunded, refunded, disputed.
        """
        if self.captured_minor == 0:
            return "unpaid"
        if self.disputed_minor > 0:
            return "disputed"
        if self.refunded_minor >= self.captured_minor:
            return "refunded"
        if self.kept_minor > self.total_minor:
            return "overcharged"
        if self.refunded_minor > 0:
            return "partially_refunded"
        return "paid" if self.captured_minor == self.total_minor else "partially_paid"


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """One line of an order's audit trail; append-only."""

    from_state: str
    to_state: str
    at: datetime
    actor: str
    reason: str = ""


MAX_LINES = 500
MAX_MINOR = 10**12
"""A trillion minor units: far above any order, far below what a 64-bit column holds."""


def broken_rules(order: Order) -> tuple[str, ...]:
    """Return every rule the order breaks, in words a shop can act on; empty when it is sound."""
    reasons: list[str] = []
    if not order.lines:
        reasons.append("an order needs at least one line")
    if len(order.lines) > MAX_LINES:
        reasons.append(f"an order may have at most {MAX_LINES} lines")
    for number, line in enumerate(order.lines, start=1):
        if line.quantity < 1:
            reasons.append(f"line {number}: quantity must be at least 1")
        if line.unit_price_minor < 0:
            reasons.append(f"line {number}: unit price must not be negative")
    if min(order.shipping_minor, order.discount_minor, order.tax_minor) < 0:
        reasons.append("shipping, discount and tax must not be negative")
    goods = sum(line.quantity * line.unit_price_minor for line in order.lines)
    expected = goods + order.shipping_minor + order.tax_minor - order.discount_minor
    if order.total_minor != expected:
        reasons.append(f"total is {order.total_minor} but lines, shipping, tax and discount make {expected}")
    if not 0 < order.total_minor <= MAX_MINOR:
        reasons.append("total must be more than 0 and at most 10^12 minor units")
    if order.paid_through_us and not order.payment_method:
        reasons.append("payment_method is needed when we charge or authorise")
    return tuple(reasons)
