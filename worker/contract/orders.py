"""Messages of the order process. Amounts are integer minor units; times are ISO 8601 in UTC."""

from dataclasses import dataclass
from enum import StrEnum

from worker.contract.shipping import ShipTo


class PaymentMode(StrEnum):
    """Who takes the customer's money."""

    CHARGE = "charge"
    """We charge `payment_method` through the payment provider."""
    AUTHORISE = "authorise"
    """We authorise `payment_method` at once and capture when the parcel has left."""
    COLLECTED_BY_SHOP = "collected_by_shop"
    """The shop's own checkout collects; the order waits for the shop's or the provider's payment event."""


LONGEST_NUMBER = 64
"""Characters of the number of an order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderLine:
    """One position of an order."""

    sku: str
    quantity: int
    unit_price_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceOrder:
    """Input of OrderWorkflow: the order as the shop or the API client stated it."""

    shop: str
    order_id: str
    currency: str
    total_minor: int
    lines: tuple[OrderLine, ...]
    customer_id: str
    payment_mode: PaymentMode
    placed_at: str
    payment_method: str | None = None
    """Token of the provider (for example `pm_card_visa`); never a card number. Needed with CHARGE and AUTHORISE, and only then."""
    shipping_minor: int = 0
    discount_minor: int = 0
    tax_minor: int = 0
    """Tax on top of the unit prices; 0 where they include it."""
    origin: str = "api"
    """What brought the order in: `api`, `webhook` or `repair`."""
    ship_to: ShipTo | None = None
    """Where the parcel goes; None where the warehouse knows, or nothing is sent."""
    number: str = ""
    """By what the customer knows the order, where the shop gives it one beside its id: statements may name it so. At most
    LONGEST_NUMBER characters."""


class OrderEventKind(StrEnum):
    """What an outside event means to an order, whoever sent it."""

    PAYMENT_AUTHORISED = "payment_authorised"
    """The customer did what the provider wanted to see: what waited for it can be captured."""
    PAYMENT_CAPTURED = "payment_captured"
    PAYMENT_FAILED = "payment_failed"
    PAYMENT_VOIDED = "payment_voided"
    """What was authorised is no longer: it lapsed, or somebody gave it up at the provider."""
    REFUNDED = "refunded"
    SHIPPED = "shipped"
    SHIPMENT_FAILED = "shipment_failed"
    DELIVERED = "delivered"
    """A parcel reached the customer. It changes no state of the order: that ended when the last of it left."""
    SHOP_CANCELLED = "shop_cancelled"
    DISPUTE_OPENED = "dispute_opened"
    """The customer's bank asks about a payment, or took its money back. `reference` is the dispute."""
    DISPUTE_WON = "dispute_won"
    DISPUTE_LOST = "dispute_lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class ParcelLine:
    """Pieces in a parcel: of a line of the order (its number from 1), or of an SKU where the line is 0."""

    quantity: int
    line: int = 0
    sku: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderEvent:
    """One outside event, translated; delivered to OrderWorkflow once (the update id is `event_id`)."""

    event_id: str
    kind: OrderEventKind
    occurred_at: str
    reference: str = ""
    """The sender's id of what happened: payment intent, refund, shipment."""
    amount_minor: int | None = None
    currency: str | None = None
    detail: str = ""
    contents: tuple[ParcelLine, ...] = ()
    """What a parcel holds; empty: all that is left of the order."""
    rest: str = ""
    """The parcel in which the warehouse will send what this one does not hold, where it says so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelOrder:
    """Ask an order to stop. Before capture the payment is voided, after capture it is refunded.

    An order whose parcel leaves before the warehouse can stop it completes all the same. Of an order that has left in part, the rest is cancelled: its share is let go, or given back.
    """

    request_id: str
    requested_by: str
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundOrder:
    """Give money back for an order: `amount_minor` of it, or all that is left. The parcel is not asked back."""

    request_id: str
    requested_by: str
    amount_minor: int | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPayment:
    """Pay with another method (a token of the provider) what the order still waits for."""

    request_id: str
    requested_by: str
    payment_method: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReaddressOrder:
    """Send the parcel elsewhere. Refused once the warehouse was asked for it."""

    request_id: str
    requested_by: str
    ship_to: ShipTo
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LineCut:
    """Pieces of one line of an order, by its number (from 1)."""

    line: int
    quantity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelLines:
    """Cancel pieces of an order that have not left. What was paid for them goes back; what was held is captured no more.

    All that has not left is a cancellation (CancelOrder).
    """

    request_id: str
    requested_by: str
    lines: tuple[LineCut, ...]
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinesAnswer:
    """What the `cancel_lines` update of OrderWorkflow answers. Amounts in minor units of `currency`."""

    outcome: str
    """`applied` or `duplicate`."""
    state: str
    currency: str
    amount_minor: int
    """Less is owed by this much; 0 where all that was left was cancelled with the order."""
    refunded_minor: int
    """What of that was given back; the rest had not been captured."""
    total_minor: int
    """What the order is worth now."""
    reason: str = ""
    """Why nothing could be given back that should have been, or `order_cancelled`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentAnswer:
    """What the `retry_payment` update of OrderWorkflow answers."""

    outcome: str
    """`applied`, `declined` or `duplicate` (which repeats the first answer's reason)."""
    state: str
    reason: str = ""
    """Of a refusal: the provider's code. While the order still waits, another method may be supplied."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolveOrder:
    """Input of ResolutionWorkflow: a person has settled what an order waited for in `needs_attention`."""

    shop: str
    order_id: str
    requested_by: str
    reason: str
    settled_elsewhere: bool = False
    """Whether goods and money match outside of our books, where they do not within."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LateRefund:
    """Input of RefundWorkflow: a refund asked for when the order's own process had ended."""

    shop: str
    order_id: str
    refund: RefundOrder


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundAnswer:
    """What the `refund` update of OrderWorkflow answers, and the result of RefundWorkflow."""

    outcome: str
    """`applied` or `duplicate`."""
    state: str
    currency: str
    amount_minor: int
    """What this request gave back."""
    refunded_minor: int
    """What was given back for the order in all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderAnswer:
    """What an update of OrderWorkflow answers: whether it changed anything, and the state after it."""

    outcome: str
    """`applied`, `duplicate` or `ignored`."""
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderStatus:
    """Answer of the `status` query and result of OrderWorkflow."""

    shop: str
    order_id: str
    state: str
    currency: str
    total_minor: int
    captured_minor: int
    refunded_minor: int
    reason: str = ""
    disputed_minor: int = 0
    """What disputes withdrew and did not return: held, or lost."""
    fulfilment: str = ""
    """How far the goods are (worker.domain.parcels), in answers about parcels; empty where nobody looked."""
