"""The outside books, normalised: what a provider, a shop or a warehouse says happened.

Everything here is in minor units, UTC, and signed from the shop's view (money in is positive).
"""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum


class LineKind(StrEnum):
    """Kind of a provider's ledger line. Follows Stripe's reporting categories, which other formats map onto."""

    CHARGE = "charge"
    REFUND = "refund"
    PARTIAL_CAPTURE_REVERSAL = "partial_capture_reversal"
    """The uncaptured rest of an authorisation: not a refund to the customer."""
    REFUND_FAILURE = "refund_failure"
    DISPUTE = "dispute"
    DISPUTE_REVERSAL = "dispute_reversal"
    FEE = "fee"
    PAYOUT = "payout"
    """Money that leaves for the bank. What comes back of it is a `transfer`: an item of the payout that takes it along."""
    ADJUSTMENT = "adjustment"
    TRANSFER = "transfer"
    """Balance carried between batches, currencies, reserves or payouts; nets to zero over them. Also, with zero amounts, a row
    that moved nothing yet: a pending payment, a memo."""
    UNCLASSIFIED = "unclassified"
    """A type we do not know: counted and shown, never dropped."""


STRIPE_CATEGORIES: dict[str, LineKind] = {
    "charge": LineKind.CHARGE,
    "payment": LineKind.CHARGE,
    "refund": LineKind.REFUND,
    "partial_capture_reversal": LineKind.PARTIAL_CAPTURE_REVERSAL,
    "refund_failure": LineKind.REFUND_FAILURE,
    "dispute": LineKind.DISPUTE,
    "dispute_reversal": LineKind.DISPUTE_REVERSAL,
    "fee": LineKind.FEE,
    "payout": LineKind.PAYOUT,
    "payout_reversal": LineKind.TRANSFER,
    "transfer": LineKind.TRANSFER,
    "other_adjustment": LineKind.ADJUSTMENT,
}
"""Stripe's reporting categories, in its API and in its report files alike; any other is unclassified."""


TOTAL_WORDS = frozenset(
    {"total", "totals", "grand total", "sum", "summary", "summe", "gesamt", "gesamtsumme", "saldo", "totale", "totaal"}
)
"""First words of rows at the end of a file that sum up the others: they move no money."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerLine:
    """One line of the provider's ledger or statement. net = gross - fee is checked by who reads it."""

    line_id: str
    provider: str
    kind: LineKind
    currency: str
    gross_minor: int
    fee_minor: int
    net_minor: int
    created_at: datetime
    payment_reference: str = ""
    order_id: str = ""
    """The order's own id where the provider carries it (payment metadata, merchant reference)."""
    source_id: str = ""
    """The provider's id of the object behind the line: charge, refund, dispute, payout."""
    payout_id: str = ""
    type_text: str = ""
    """The provider's own word for the type."""
    shop: str = ""
    """The shop the payment names; empty where it names none. One provider account may serve several."""
    method: str = ""
    """How the customer paid, in the provider's word (`card`, `sepa_debit`); empty where it is not told."""
    country: str = ""
    """Country of the card or account, ISO 3166-1 alpha-2; empty where it is not told."""
    customer_currency: str = ""
    """What the customer paid in, where the provider converted it; `currency` is what it settles in."""
    customer_minor: int = 0
    """The amount in `customer_currency`, its sign that of `gross_minor`."""
    payout_at: datetime | None = None
    """When the payout leaves for the bank, as far as the line says; a bare date counts from midnight UTC."""


class BankStatus(StrEnum):
    """How far an entry of a bank account is."""

    BOOKED = "booked"
    PENDING = "pending"
    """Announced by the bank; may still vanish, and comes again when it is booked."""
    INFORMATION = "information"
    """Tells of something that moves no money."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BankEntry:
    """One entry of a bank account: the other end of a payout. Banks book by day, hence dates and no times."""

    account: str
    """IBAN or account number."""
    entry_id: str
    """Unique within the account, and the same in every file that holds the entry."""
    amount_minor: int
    """Signed from the shop's view: a credit is positive."""
    currency: str
    booked_on: date
    value_on: date | None = None
    status: BankStatus = BankStatus.BOOKED
    references: tuple[str, ...] = ()
    """Every reference the entry carries (end-to-end id, bank's reference, creditor reference), each once, in order."""
    text: str = ""
    """Remittance information: where a payout's descriptor or id stands."""
    counterparty: str = ""
    reversal: bool = False
    """It takes an earlier entry back; the sign of the amount says which way the money went."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShopOrder:
    """An order as the shop's own API states it."""

    order_id: str
    total_minor: int
    currency: str
    paid: bool
    cancelled: bool
    created_at: datetime
    updated_at: datetime | None = None
    """When the shop last changed it (paid, cancelled, edited): no message about that can be older."""
    number: str = ""
    """By which the shop's customers know it."""


class ShipmentState(StrEnum):
    """Where a parcel stands."""

    REQUESTED = "requested"
    SHIPPED = "shipped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """Pieces in a parcel: of a line of the order (from 1), or of an SKU where the line is 0."""

    quantity: int
    line: int = 0
    sku: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shipment:
    """A parcel, in our books or in the warehouse's."""

    shipment_id: str
    order_id: str
    state: ShipmentState
    requested_at: datetime
    shipped_at: datetime | None = None
    tracking: str = ""
    contents: tuple[Packed, ...] = ()
    """What it holds; empty where it does not say: all that was left of its order when it left."""
    delivered_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnOrder:
    """An order as our books hold it, with the sums that the other legs are compared to."""

    order_id: str
    state: str
    total_minor: int
    currency: str
    payment_mode: str
    captured_minor: int
    refunded_minor: int
    placed_at: datetime
    updated_at: datetime
    shipped_at: datetime | None = None
    requested_at: datetime | None = None
    """When its first parcel was asked for, as far as our books know."""
    disputed_minor: int = 0
    """What disputes withdrew and did not return."""
    parcels: tuple[str, ...] = ()
    """The parcels that have left by our books, where these say what each holds; empty for an order that leaves whole."""
    pieces: int = 0
    """How many pieces were ordered, and `due_minor`, what is due for those that have left: where `parcels` are known."""
    due_minor: int = 0

    @property
    def kept_minor(self) -> int:
        """What the order holds of its money."""
        return self.captured_minor - self.refunded_minor - self.disputed_minor
