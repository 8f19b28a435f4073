"""What a comparison found: one finding per key and leg, with both sides as evidence.

A finding is never dropped and never netted against another: +10 and -10 are two findings. Its `key` names
the thing compared (an order, or a payment no order owns), so the break that grows out of it keeps one id
whatever class the difference takes from run to run.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

NO_CURRENCY = "XXX"
"""ISO 4217's code for no currency: of a finding whose money, if any, is not known."""


class Leg(StrEnum):
    """Which two books were compared."""

    ORDERS = "orders"
    """The shop's orders and ours."""
    PAYMENTS = "payments"
    """Our captures and refunds, and the provider's ledger."""
    SHIPMENTS = "shipments"
    """Our orders and the warehouse's parcels."""
    PAYOUTS = "payouts"
    """The provider's payouts and the ledger lines each of them pays out."""
    BANK = "bank"
    """The provider's payouts and what the bank booked. Read only where a bank statement is at hand."""


class FindingKind(StrEnum):
    """Class of a finding. Internal = ours, external = the shop's, provider's or warehouse's."""

    MATCHED = "matched"
    """Both sides agree."""
    MATCHED_WITHIN_TOLERANCE = "matched_within_tolerance"
    """They differ by no more than a rule allows: agreed, counted apart, still a line of the bridge."""
    MATCHED_IN_PARTS = "matched_in_parts"
    """Several payments of an order add up to one of the other side, which a rule allows: agreed, counted apart."""
    MISSING_INTERNAL = "missing_internal"
    """The outside shows what our books lack."""
    MISSING_EXTERNAL = "missing_external"
    """Our books show what the outside lacks."""
    AMOUNT_UNDER = "amount_under"
    """The outside shows less than we do."""
    AMOUNT_OVER = "amount_over"
    """The outside shows more than we do."""
    CURRENCY_MISMATCH = "currency_mismatch"
    """Both sides name different currencies."""
    STATUS_MISMATCH = "status_mismatch"
    """Both sides say different things of one order or parcel."""
    DUPLICATE_INTERNAL = "duplicate_internal"
    """Our books have one movement twice."""
    DUPLICATE_EXTERNAL = "duplicate_external"
    """The outside has one movement twice."""
    REFUND_MISSING = "refund_missing"
    """We refunded, the provider did not."""
    REFUND_EXCEEDS = "refund_exceeds"
    """The provider refunded more than we know of."""
    DISPUTED = "disputed"
    """The customer had their bank take the money back."""
    SHIPPED_UNPAID = "shipped_unpaid"
    """The goods left and nobody paid."""
    PAID_UNSHIPPED = "paid_unshipped"
    """The money is here and no parcel left in time."""
    REVERSED_AFTER_FULFILMENT = "reversed_after_fulfilment"
    """The goods left, and all the money went back afterwards (a refund, a dispute)."""
    NEEDS_ATTENTION = "needs_attention"
    """Money of an order could not be given back: a person decides."""
    FEE_VARIANCE = "fee_variance"
    """The provider's fee is not what was agreed."""
    FX_DIFFERENCE = "fx_difference"
    """A charge and its refund were converted at different rates."""
    PAYOUT_INCOMPLETE = "payout_incomplete"
    """The lines of a payout do not sum to it."""
    PAYOUT_NOT_ITEMISABLE = "payout_not_itemisable"
    """A manual or instant payout: the provider itself cannot say which lines it pays out."""
    PAYOUT_FAILED = "payout_failed"
    """The bank sent a payout back."""
    PAYOUT_UNDER_WAY = "payout_under_way"
    """A file calls a payout scheduled or in transit, and no later one says that it arrived."""
    PAYOUT_UNLISTED = "payout_unlisted"
    """Ledger lines name a payout that the provider's list of the payouts of its day lacks."""
    PAYOUT_CONTRADICTED = "payout_contradicted"
    """Two sources (the API, a list of payouts, a statement) tell one payout in ways that cannot both be true."""
    PAYOUT_MISSING_AT_BANK = "payout_missing_at_bank"
    """The provider says paid out, the bank has booked nothing in time."""
    PAYOUT_AMOUNT_DIFFERS = "payout_amount_differs"
    """The bank booked another amount than the provider paid out."""
    BANK_CREDIT_WITHOUT_PAYOUT = "bank_credit_without_payout"
    """The bank booked a credit of the provider that no payout explains."""
    UNCLASSIFIED = "unclassified"
    """A ledger line of a type that nobody knows."""
    REJECTED_ROW = "rejected_row"
    """A row of a statement that could not be read; what it said is not part of the comparison."""


class Outcome(StrEnum):
    """How much a finding weighs."""

    MATCHED = "matched"
    """Nothing is wrong."""
    PENDING = "pending"
    """One side is still silent within its grace; `break_on` says when that becomes a break."""
    WARNING = "warning"
    """Worth a look, no loss."""
    BREAK = "break"
    """The books differ and every grace is over."""


class Repair(StrEnum):
    """What may safely be done about a finding without a person, if the policy of the settings allows it."""

    NONE = "none"
    """Nothing is safe to do."""
    START_ORDER = "start_order"
    """The order's message was lost: start it as the shop has it."""
    DELIVER_PAYMENT = "deliver_payment"
    """A payment's message was lost: deliver it."""
    DELIVER_REFUND = "deliver_refund"
    """A refund's message was lost: book it."""
    DELIVER_DISPUTE = "deliver_dispute"
    """A dispute's message was lost: file it."""
    DELIVER_SHIPMENT = "deliver_shipment"
    """A parcel's message was lost: deliver it."""
    DELIVER_CANCELLATION = "deliver_cancellation"
    """A cancellation was lost: deliver it."""
    ASK_PROVIDER = "ask_provider"
    """Ask the provider again about money that its ledger does not show; nothing is delivered."""
    REQUEST_FULFILMENT = "request_fulfilment"
    """Ask for the parcel again, under the first request's id."""


class RepairState(StrEnum):
    """Where the repair of a break stands."""

    NONE = "none"
    """Nothing was tried."""
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


class SettledAs(StrEnum):
    """How a person settled a difference."""

    RESOLVED = "resolved"
    """Dealt with: it counts again when its class or an amount changes."""
    IGNORED = "ignored"
    """Put up with: as resolved, and it counts again once the time it is ignored for has ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """A person's decision that a difference is not to count as a break: who, when and why."""

    how: SettledAs
    by: str
    at: datetime
    reason: str
    until: datetime | None = None
    """When an ignored difference counts again; None for never."""


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
    before_minor: int = 0
    """The part of the difference that movements dated before the window make."""
    suggestions: tuple[str, ...] = ()
    """Keys of findings of the opposite amount that name no order: one may be its other side. For a person to judge."""
    settlement: Settlement | None = None
    """The decision of a person by which it weighs as a warning; None where nobody decided."""

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
    """How it was resolved; where a person settled it, their reason."""
    settlement: Settlement | None = None
    """Set while the break is resolved by a person's decision and not by the books."""
    owner: str = ""
    """Who looks after it."""
    links: tuple[str, ...] = ()
    """What a person said explains it: `break/ID`, `order/ID`, `payment/REFERENCE`; sorted."""
    revision: int = 0
    """How often people acted on it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementLine:
    """One line of a statement; `amount_minor` moves the running total from ours towards theirs."""

    code: str
    label: str
    count: int
    amount_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RollForward:
    """From the open items the run before left to those this run leaves; an item weighs theirs minus ours.

    The opening is what the run before stored, never computed again; the closing is counted from this run's findings.
    The lines lead from one to the other, and what they leave over is a fault of the records.
    """

    previous_run: str
    """The run whose closing is the opening; empty for the first, which opens with what its books bring along."""
    opening_count: int
    opening_minor: int
    lines: tuple[StatementLine, ...]
    closing_count: int
    closing_minor: int
    opened: int = 0
    """Items that are open now and were not before."""
    cleared: int = 0
    """Items that were open before and are not now."""

    @property
    def residual_minor(self) -> int:
        """What the lines leave unexplained; must be 0."""
        return self.closing_minor - self.opening_minor - sum(line.amount_minor for line in self.lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """The bridge from our total to theirs, per currency. A residual other than 0 makes the run incomplete."""

    currency: str
    ours_minor: int
    theirs_minor: int
    lines: tuple[StatementLine, ...]
    fees_minor: int = 0
    net_minor: int = 0
    """Theirs after fees and conversion: what the provider will pay out for the window."""
    converted_minor: int = 0
    """What conversion brought into this currency (positive) or took out of it, before fees."""
    roll: RollForward | None = None

    @property
    def residual_minor(self) -> int:
        """What the lines leave unexplained; must be 0."""
        return self.theirs_minor - self.ours_minor - sum(line.amount_minor for line in self.lines)

    @property
    def ties(self) -> bool:
        """Whether the bridge and the roll-forward both explain everything."""
        return not self.residual_minor and not (self.roll and self.roll.residual_minor)


class Verdict(StrEnum):
    """Answer of a run, worst first. Only `reconciled` is green."""

    INCOMPLETE = "incomplete"
    """Something could not be read, or is not explained to the cent."""
    BREAKS = "breaks"
    """Everything is explained, and there are breaks."""
    WARNINGS = "warnings"
    """There are warnings and no breaks."""
    PENDING = "pending"
    """Something is within its grace."""
    RECONCILED = "reconciled"
    """The books agree."""
