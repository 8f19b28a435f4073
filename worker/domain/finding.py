"""What a comparison found: one finding per key and leg, with both sides as evidence.

A finding is never dropped and never netted against another: +10 and -10 are two findings. Its `key` names
the thing compared (an order, or a payment no order owns), so the break that grows out of it keeps one id
whatever class the difference takes from run to run.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Leg(StrEnum):
    """Which two books were compared."""

    ORDERS = "orders"
    """The shop's orders and ours."""
    PAYMENTS = "payments"
    """Our captures and refunds, and the provider's ledger."""
    SHIPMENTS = "shipments"
    """Our orders and the warehouse's parcels."""


class FindingKind(StrEnum):
    """Class of a finding. Internal = ours, external = the shop's, provider's or warehouse's."""

    MATCHED = "matched"
    MISSING_INTERNAL = "missing_internal"
    MISSING_EXTERNAL = "missing_external"
    AMOUNT_UNDER = "amount_under"
    """The outside shows less than we do."""
    AMOUNT_OVER = "amount_over"
    CURRENCY_MISMATCH = "currency_mismatch"
    STATUS_MISMATCH = "status_mismatch"
    DUPLICATE_INTERNAL = "duplicate_internal"
    DUPLICATE_EXTERNAL = "duplicate_external"
    REFUND_MISSING = "refund_missing"
    """We refunded, the provider did not."""
    REFUND_EXCEEDS = "refund_exceeds"
    """The provider refunded more than we know of."""
    DISPUTED = "disputed"
    SHIPPED_UNPAID = "shipped_unpaid"
    PAID_UNSHIPPED = "paid_unshipped"
    NEEDS_ATTENTION = "needs_attention"
    UNCLASSIFIED = "unclassified"


class Outcome(StrEnum):
    """How much a finding weighs."""

    MATCHED = "matched"
    PENDING = "pending"
    """One side is still silent within its grace; `break_on` says when that becomes a break."""
    WARNING = "warning"
    BREAK = "break"


class Repair(StrEnum):
    """What may safely be done about a finding without a person, if the policy of the settings allows it."""

    NONE = "none"
    START_ORDER = "start_order"
    DELIVER_PAYMENT = "deliver_payment"
    DELIVER_REFUND = "deliver_refund"
    DELIVER_DISPUTE = "deliver_dispute"
    DELIVER_SHIPMENT = "deliver_shipment"
    DELIVER_CANCELLATION = "deliver_cancellation"
    ASK_PROVIDER = "ask_provider"
    """Ask the provider again about money that its ledger does not show; nothing is delivered."""
    REQUEST_FULFILMENT = "request_fulfilment"
    """Ask for the parcel again, under the first request's id."""


class RepairState(StrEnum):
    """Where the repair of a break stands."""

    NONE = "none"
    WOULD = "would"
    """The policy is dry: it is recorded what would be done."""
    REQUESTED = "requested"
    """Done; the next run tells whether it helped."""
    DONE = "done"
    """The break was resolved after it."""
    FAILED = "failed"
    """It did not help, or the break came back: for a person, never tried again silently."""
    REFUSED = "refused"
    """The amount is over the policy's limit: for a person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One record of one side, as evidence. `amount_minor` is signed from the shop's view."""

    record: str
    """What it is: `capture`, `charge`, `refund`, `order`, `shipment`, ..."""
    reference: str
    amount_minor: int | None
    currency: str
    at: datetime
    status: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One result of a comparison. Amounts are minor units of `currency`; `difference` is theirs minus ours."""

    leg: Leg
    key: str
    kind: FindingKind
    outcome: Outcome
    currency: str
    ours_minor: int
    theirs_minor: int
    at_risk_minor: int = 0
    """Absolute amount that may be lost if nothing is done; 0 where no money is involved."""
    order_id: str = ""
    break_on: datetime | None = None
    cause: str = ""
    """Suspected cause, in a sentence a person can act on."""
    ours: tuple[Fact, ...] = ()
    theirs: tuple[Fact, ...] = ()
    repair: Repair = Repair.NONE
    repair_reference: str = ""
    """What the repair must fetch: the shop's order id, the warehouse's shipment id, the payment."""

    @property
    def difference_minor(self) -> int:
        """Theirs minus ours."""
        return self.theirs_minor - self.ours_minor


def break_id(shop: str, provider: str, leg: Leg, key: str, currency: str) -> str:
    """Return the stable id of the break a finding belongs to: 16 hex digits, independent of its class."""
    return hashlib.sha256(f"{shop}\n{provider}\n{leg}\n{key}\n{currency}".encode()).hexdigest()[:16]


class BreakStatus(StrEnum):
    """Lifecycle of a break."""

    NEW = "new"
    PERSISTING = "persisting"
    REOPENED = "reopened"
    RESOLVED = "resolved"


OPEN_STATUSES = frozenset({BreakStatus.NEW, BreakStatus.PERSISTING, BreakStatus.REOPENED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Break:
    """A finding that outlived its grace, followed over runs until both sides agree."""

    break_id: str
    shop: str
    provider: str
    finding: Finding
    status: BreakStatus
    first_seen_at: datetime
    last_seen_at: datetime
    first_movement_at: datetime
    """The oldest fact behind it: a later run looks back at least this far."""
    runs_seen: int = 1
    repair_state: RepairState = RepairState.NONE
    repair_attempts: int = 0
    """How many attempts were recorded in all rounds."""
    repair_next_at: datetime | None = None
    """Not before this is another attempt made, or the last one held against the repair."""
    repair_round: int = 1
    """A person begins a new round by asking for another try."""
    resolved_at: datetime | None = None
    resolution: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementLine:
    """One line of a statement; `amount_minor` moves the running total from ours towards theirs."""

    code: str
    label: str
    count: int
    amount_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """The bridge from our total to theirs, per currency. A residual other than 0 makes the run incomplete."""

    currency: str
    ours_minor: int
    theirs_minor: int
    lines: tuple[StatementLine, ...]
    fees_minor: int = 0
    net_minor: int = 0
    """Theirs after fees: what the provider will pay out for the window."""

    @property
    def residual_minor(self) -> int:
        """What the lines leave unexplained; must be 0."""
        return self.theirs_minor - self.ours_minor - sum(line.amount_minor for line in self.lines)


class Verdict(StrEnum):
    """Answer of a run, worst first. Only `reconciled` is green."""

    INCOMPLETE = "incomplete"
    BREAKS = "breaks"
    WARNINGS = "warnings"
    PENDING = "pending"
    RECONCILED = "reconciled"
