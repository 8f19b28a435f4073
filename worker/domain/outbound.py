"""Webhooks we send: one message for each change of an order's state, and for what changes an order in no other way.

Each goes to every subscription of the order's shop that wants it.

What is promised: at least once, always under the same id, as long as the ladder lasts. No order is promised, since a
message that waits for its endpoint holds up no other: `timestamp` orders them, and an order's states only go forward.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from worker.domain.dispute import DisputeState
from worker.domain.order import OrderState
from worker.domain.parcel_told import ParcelNews
from worker.domain.timeline import Happening, StateChange, TimelineEntry, kind_of

HAPPENINGS: dict[str, str] = {
    f"{Happening.DISPUTE}.{DisputeState.INQUIRY}": "the customer's bank asks about a payment; no money has moved",
    f"{Happening.DISPUTE}.{DisputeState.OPEN}": "the customer's bank withdrew money, until the dispute is decided",
    f"{Happening.DISPUTE}.{DisputeState.WON}": "a dispute was won: its money came back",
    f"{Happening.DISPUTE}.{DisputeState.LOST}": "a dispute was lost: its money is gone",
    Happening.REFUNDED: "money was given back, all or a part of it",
    Happening.LINES_CANCELLED: "pieces were cancelled before they left: less is owed by the amount",
    Happening.PARCEL_SHIPPED: "a parcel has left: all that was ordered, or a part of it",
    Happening.PARCEL_DELIVERED: "a parcel has reached the customer",
}
"""What is told beside changes of state, by its kind in the timeline."""
_BY_STATE = "the order's change of state tells it"
_REST_ENDS = "what is not sent ends the order, in whatever state: its change of state tells it"
_NO_CHANGE = "nothing about the order changed"
UNTOLD: dict[Happening, str] = {
    Happening.PAYMENT_AUTHORISED: _BY_STATE,
    Happening.PAYMENT_WAITS: _BY_STATE,
    Happening.PAYMENT_DECLINED: _BY_STATE,
    Happening.PAYMENT_VOIDED: _BY_STATE,
    Happening.METHOD_SUPPLIED: _BY_STATE,
    Happening.METHOD_REFUSED: _BY_STATE,
    Happening.CAPTURED: _BY_STATE,
    Happening.REFUND_REQUESTED: "money.refunded tells it once it is made",
    Happening.REFUND_REFUSED: _NO_CHANGE,
    Happening.CANCELLATION_REQUESTED: _BY_STATE,
    Happening.CANCELLATION_IGNORED: _NO_CHANGE,
    Happening.ADDRESS_CHANGED: "whoever asked for it has the answer, and nobody else may know where",
    Happening.ADDRESS_TOO_LATE: _NO_CHANGE,
    Happening.WITHDRAWN: "dispute.open tells it",
    Happening.RETURNED: "dispute.won tells it",
    Happening.PARCEL_REQUESTED: "nothing has left yet: parcel.shipped tells of each that does",
    Happening.PARCEL_STOPPED: _REST_ENDS,
    Happening.PARCEL_FAILED: _REST_ENDS,
    Happening.PARCEL_SURPLUS: "a break of the shop's own people",
    Happening.EVENT: "what it changed is told",
    Happening.REPAIR: "what it changed is told",
    Happening.NOTE: "written for the shop's own people",
}
"""What a timeline has and no message tells, each with why; a test holds the lists together."""
KINDS = (*(kind_of(state) for state in OrderState), *HAPPENINGS)
"""Types of messages."""

Tellable = StateChange | TimelineEntry | ParcelNews

LADDER = tuple(timedelta(seconds=wait) for wait in (5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400))
"""Waits after the first try, the second, ...: Standard Webhooks' recommendation, three days and a bit in all."""

LONGEST_WAIT = timedelta(days=1)
"""However long an endpoint asks to be left alone (Retry-After)."""

GONE = 410
"""The endpoint wants no more: it is disabled until a person enables it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """Who is told of what. Raises ValueError when it could never be kept."""

    name: str
    shop: str
    kinds: frozenset[str] = frozenset()
    """Types of messages; empty: all."""
    ladder: tuple[timedelta, ...] = LADDER

    def __post_init__(self) -> None:
        if unknown := sorted(self.kinds - set(KINDS)):
            raise ValueError(f"{', '.join(unknown)}: no such kind; use some of {', '.join(KINDS)}")
        if any(not timedelta(0) < wait <= timedelta(days=7) for wait in self.ladder):
            raise ValueError("waits are from one second to seven days")

    def wants(self, change: Tellable) -> bool:
        """Tell whether a change is to be told of."""
        return change.shop == self.shop and change.kind in KINDS and (not self.kinds or change.kind in self.kinds)


class MessageState(StrEnum):
    """Where a message stands."""

    PENDING = "pending"
    """To be sent, or tried again."""
    DELIVERED = "delivered"
    """An endpoint took it."""
    DEAD = "dead"
    """Every try failed: a person may have it sent again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message to one subscription."""

    message_id: str
    subscription: str
    shop: str
    order_id: str
    kind: str
    body: str
    """The very text that is sent and signed, the same at every try."""
    created_at: datetime
    state: MessageState = MessageState.PENDING
    attempts: int = 0
    due_at: datetime | None = None
    """When its delivery is to be started (again), should none be under way by then; None where it is over."""
    attempted_at: datetime | None = None
    status: int | None = None
    """What the endpoint answered last."""
    detail: str = ""
    finished_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A subscription's endpoint that was disabled, or enabled again."""

    subscription: str
    disabled_at: datetime | None
    changed_by: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """What an order's money amounts to, in minor units."""

    captured_minor: int
    refunded_minor: int


def message_id_of(change: Tellable) -> str:
    """Return the id of a change's message: derived from it, so that it is the same whoever derives it; sorts by time."""
    fact = f"{change.shop}/{change.order_id}/{change.key}"
    return f"msg_{int(change.at.timestamp() * 1000):012x}{hashlib.sha256(fact.encode()).hexdigest()[:20]}"


def body_of(change: Tellable, sums: Sums) -> str:
    """Return what is sent: ids and amounts in minor units, nobody's name and nobody's words."""
    document: Mapping[str, object] = {
        "id": message_id_of(change),
        "type": change.kind,
        "timestamp": change.at.isoformat(),
        "data": {
            "order_id": change.order_id,
            "shop": change.shop,
            **_of_its_own(change),
            "captured_minor": sums.captured_minor,
            "refunded_minor": sums.refunded_minor,
        },
    }
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False)


def _of_its_own(change: Tellable) -> Mapping[str, object]:
    if isinstance(change, StateChange):
        return {
            "state": str(change.to_state),
            "previous_state": change.from_state or None,
            "currency": change.currency,
            "total_minor": change.total_minor,
        }
    if isinstance(change, ParcelNews):
        contents = [{"line": one.line, "sku": one.sku, "quantity": one.quantity} for one in change.contents]
        return {
            "fact": change.key,
            "shipment_id": change.shipment_id,
            "contents": contents,
            "fulfilment": str(change.fulfilment),
            "currency": change.currency,
        }
    # What a timeline says of it, by the fact's own name: ids and words of ours.
    return {"fact": change.key, "currency": change.currency or None, "amount_minor": change.amount_minor}


def next_wait(ladder: tuple[timedelta, ...], failed: int, asked: timedelta | None) -> timedelta | None:
    """Return how long to wait after so many failed tries; None when that was the last.

    An endpoint that asks for more time (Retry-After) gets it, up to LONGEST_WAIT.
    """
    if failed > len(ladder):
        return None
    return max(ladder[failed - 1], min(asked or timedelta(0), LONGEST_WAIT))
