"""The timeline of an order: everything that happened to it, one entry each, for people to read.

An entry says who, what, when and how much. It holds ids, amounts and words of ours, never what a person wrote or who
bought: entries only grow and stay for good. (The one exception is a note, whose text its author answers for; why a
state changed in somebody's own words stands in the order's trail.) Its key names the fact: told again, by a repeated
activity, it is the same entry.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from worker.domain.ledger import Shipment, ShipmentState
from worker.domain.money import Money
from worker.domain.order import Line, Order, OrderState, Transition
from worker.domain.parcels import contents_told
from worker.domain.payment import BookEntry, EntryKind, Payment, PaymentState

LONGEST_KEY = 255
LONGEST_SENTENCE = 1000


class Happening(StrEnum):
    """What an entry tells, besides `order.<state>`, an order's change of state."""

    PAYMENT_AUTHORISED = "payment.authorised"
    PAYMENT_WAITS = "payment.requires_action"
    PAYMENT_DECLINED = "payment.declined"
    PAYMENT_VOIDED = "payment.voided"
    METHOD_SUPPLIED = "payment.retried"
    METHOD_REFUSED = "payment.refused"
    CAPTURED = "money.captured"
    REFUNDED = "money.refunded"
    REFUND_REQUESTED = "refund.requested"
    REFUND_REFUSED = "refund.refused"
    CANCELLATION_REQUESTED = "cancellation.requested"
    CANCELLATION_IGNORED = "cancellation.ignored"
    LINES_CANCELLED = "lines.cancelled"
    ADDRESS_CHANGED = "address.changed"
    ADDRESS_TOO_LATE = "address.too_late"
    WITHDRAWN = "money.withdrawn"
    RETURNED = "money.returned"
    DISPUTE = "dispute"
    """With the state after a dot: `dispute.open`, `dispute.won`, `dispute.lost`, `dispute.inquiry`."""
    PARCEL_REQUESTED = "parcel.requested"
    PARCEL_SHIPPED = "parcel.shipped"
    PARCEL_STOPPED = "parcel.stopped"
    PARCEL_FAILED = "parcel.failed"
    PARCEL_DELIVERED = "parcel.delivered"
    PARCEL_SURPLUS = "parcel.surplus"
    """More left than was owed."""
    EVENT = "event"
    """With the outcome after a dot: `event.applied`, `event.ignored`, `event.late`, ..."""
    REPAIR = "repair"
    """With the outcome after a dot: `repair.delivered`, `repair.nothing`, `repair.contradicted`."""
    NOTE = "note"


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineEntry:
    """One thing that happened to an order. Its amount is in minor units, and None where there is none."""

    shop: str
    order_id: str
    key: str
    kind: str
    sentence: str
    actor: str
    at: datetime
    amount_minor: int | None = None
    currency: str = ""
    note: str = ""
    derived: bool = False
    """Not written when it happened, by a release that kept no timeline: made from the trail and the books."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StateChange:
    """An order's step into a state. The table of states has no way back: an order enters each once at most."""

    shop: str
    order_id: str
    from_state: str
    to_state: OrderState
    at: datetime
    actor: str
    currency: str
    total_minor: int

    @property
    def key(self) -> str:
        """What names this change among all that happens to the order."""
        return f"state:{self.to_state}"

    @property
    def kind(self) -> str:
        """Its name in the timeline and in webhooks: `order.paid`."""
        return kind_of(self.to_state)


_STATES: dict[OrderState, str] = {
    OrderState.RECEIVED: "the order was written down",
    OrderState.PAYING: "the payment is asked for at the provider",
    OrderState.AWAITING_PAYMENT: "the order waits for its payment",
    OrderState.AWAITING_METHOD: "the payment was refused: the order waits for another method",
    OrderState.AUTHORISED: "the payment is authorised",
    OrderState.LAPSED: "the authorisation is gone, and what has not left is stopped: the order waits for another method",
    OrderState.PAID: "the order is paid",
    OrderState.FULFILLING: "the warehouse has the order",
    OrderState.SHIPPED: "the order was shipped",
    OrderState.COMPLETED: "the order is complete",
    OrderState.REFUNDING: "the money is on its way back",
    OrderState.REJECTED: "the order breaks a rule and was rejected",
    OrderState.DECLINED: "the payment was declined: the order is over",
    OrderState.EXPIRED: "nobody paid in time: the order is over",
    OrderState.CANCELLED: "the order is cancelled",
    OrderState.REFUNDED: "the money is given back: the order is over",
    OrderState.NEEDS_ATTENTION: "the money is not where it should be: a person has to decide",
}

_PAYMENTS: dict[PaymentState, tuple[Happening, str]] = {
    PaymentState.AUTHORISED: (Happening.PAYMENT_AUTHORISED, "is authorised"),
    PaymentState.REQUIRES_ACTION: (Happening.PAYMENT_WAITS, "waits for the customer to act"),
    PaymentState.DECLINED: (Happening.PAYMENT_DECLINED, "was declined"),
    PaymentState.CANCELLED: (Happening.PAYMENT_VOIDED, "was voided"),
}
"""Captured money is told by its book entry, and what is processing by what comes of it."""

_MONEY: dict[EntryKind, tuple[Happening, str, bool]] = {
    EntryKind.CAPTURE: (Happening.CAPTURED, "payment {} was captured", False),
    EntryKind.REFUND: (Happening.REFUNDED, "refund {} was made", True),
    EntryKind.DISPUTE: (Happening.WITHDRAWN, "the bank withdrew money by dispute {}", True),
    EntryKind.DISPUTE_REVERSAL: (Happening.RETURNED, "the bank returned the money of dispute {}", True),
}
"""How money that moved is told, and whether its payment is named besides."""

_PARCELS: dict[ShipmentState, tuple[Happening, str]] = {
    ShipmentState.REQUESTED: (Happening.PARCEL_REQUESTED, "was asked for"),
    ShipmentState.SHIPPED: (Happening.PARCEL_SHIPPED, "has left the warehouse"),
    ShipmentState.FAILED: (Happening.PARCEL_FAILED, "will not be shipped"),
}

_EVENTS = {
    "applied": "was taken in",
    "ignored": "changed nothing",
    "duplicate": "had been taken in before",
    "late": "came when the order was over",
    "unmatched": "was not taken by the order",
}


def kind_of(state: OrderState) -> str:
    """Return the kind of an entry, and the type of a webhook, about an order that enters a state."""
    return f"order.{state}"


def entry_key(*parts: str) -> str:
    """Return what names a fact of one order; one that is too long for its column becomes a digest."""
    key = ":".join(parts)
    return key if len(key) <= LONGEST_KEY else f"{parts[0]}:sha256:{hashlib.sha256(key.encode()).hexdigest()}"


def of_change(change: StateChange) -> TimelineEntry:
    """Return the entry of a change of state; the first one tells what the order is worth."""
    first = change.to_state is OrderState.RECEIVED
    return TimelineEntry(
        shop=change.shop,
        order_id=change.order_id,
        key=change.key,
        kind=change.kind,
        sentence=_STATES[change.to_state],
        actor=change.actor,
        at=change.at,
        amount_minor=change.total_minor if first else None,
        currency=change.currency if first else "",
    )


def of_payment(shop: str, order_id: str, payment: Payment, at: datetime) -> TimelineEntry | None:
    """Return the entry of a payment in a state that is to be told of."""
    told = _PAYMENTS.get(payment.state)
    if told is None:
        return None
    return TimelineEntry(
        shop=shop,
        order_id=order_id,
        key=entry_key("payment", payment.provider, payment.reference, payment.state),
        kind=told[0],
        sentence=f"payment {payment.reference} {told[1]}",
        actor=payment.provider,
        at=at,
        amount_minor=payment.amount_minor,
        currency=payment.currency,
    )


def of_money(entry: BookEntry) -> TimelineEntry:
    """Return the entry of money that moved; what went out counts below zero, as in the books."""
    kind, said, names_payment = _MONEY[entry.kind]
    what = said.format(entry.reference)
    return TimelineEntry(
        shop=entry.shop,
        order_id=entry.order_id,
        key=entry_key("money", entry.provider, entry.kind, entry.reference),
        kind=kind,
        sentence=f"{what}, of payment {entry.payment_reference}" if names_payment else what,
        actor=entry.provider,
        at=entry.occurred_at,
        amount_minor=entry.amount_minor,
        currency=entry.currency,
    )


def of_parcel(
    shop: str, parcel: Shipment, at: datetime, actor: str, *, lines: Sequence[Line] = (), stopped: bool = False
) -> TimelineEntry:
    """Return the entry of a parcel in its state, in SKUs of the order's lines; `stopped` where it failed because we stopped it."""
    kind, said = (Happening.PARCEL_STOPPED, "was stopped") if stopped else _PARCELS[parcel.state]
    held = contents_told(parcel.contents, lines)
    return TimelineEntry(
        shop=shop,
        order_id=parcel.order_id,
        key=entry_key("parcel", parcel.shipment_id, parcel.state),
        kind=kind,
        sentence=f"parcel {parcel.shipment_id} {said}{f': {held}' if held else ''}"[:LONGEST_SENTENCE],
        actor=actor,
        at=at,
    )


def of_event(
    shop: str, order_id: str, *, source: str, event_id: str, topic: str, origin: str, outcome: str, at: datetime
) -> TimelineEntry:
    """Return the entry of an outside event that was filed; one by a repair, or by hand, says so."""
    way = {"repair": " (delivered again by a repair)", "replay": " (replayed by a person)"}.get(origin, "")
    return TimelineEntry(
        shop=shop,
        order_id=order_id,
        key=entry_key("event", source, event_id, outcome),
        kind=f"{Happening.EVENT}.{outcome}",
        sentence=f"{topic}, event {event_id}, {_EVENTS.get(outcome, outcome)}{way}",
        actor=source,
        at=at,
    )


def of_request(
    kind: Happening,
    shop: str,
    order_id: str,
    request: str,
    *,
    actor: str,
    at: datetime,
    amount: Money | None = None,
    detail: str = "",
) -> TimelineEntry:
    """Return the entry of something that was asked of the order, and of what was refused; `request` names it."""
    said = {
        Happening.METHOD_SUPPLIED: "another payment method was supplied",
        Happening.METHOD_REFUSED: "the payment method was refused",
        Happening.REFUND_REQUESTED: f"{'a refund' if amount else 'a refund of all that is left'} was asked for",
        Happening.REFUND_REFUSED: "the refund was refused",
        Happening.CANCELLATION_REQUESTED: "the order is to be cancelled",
        Happening.CANCELLATION_IGNORED: "a cancellation came too late, or again",
        Happening.LINES_CANCELLED: "pieces were cancelled",
        Happening.ADDRESS_CHANGED: "the shipping address was changed",
        Happening.ADDRESS_TOO_LATE: "another shipping address came too late, the parcel does not go there",
    }[kind]
    return TimelineEntry(
        shop=shop,
        order_id=order_id,
        key=entry_key(kind, request),
        kind=kind,
        sentence=f"{said}{f': {detail}' if detail else ''} (request {request})"[:LONGEST_SENTENCE],
        actor=actor,
        at=at,
        amount_minor=amount.minor if amount else None,
        currency=amount.currency if amount else "",
    )


def of_repair(shop: str, order_id: str, *, repair: str, event_id: str, outcome: str, at: datetime) -> TimelineEntry:
    """Return the entry of an attempt to repair a difference between the books."""
    said = {"delivered": "was made", "contradicted": "was contradicted: a person has to decide"}
    return TimelineEntry(
        shop=shop,
        order_id=order_id,
        key=entry_key("repair", event_id),
        kind=f"{Happening.REPAIR}.{outcome}",
        sentence=f"repair {repair} {said.get(outcome, 'had nothing to do')} (attempt {event_id})",
        actor="reconciliation",
        at=at,
    )


def note_of(order: Order, text: str, *, note_id: str, actor: str, at: datetime) -> TimelineEntry:
    """Return the entry of a note that a person wrote."""
    return TimelineEntry(
        shop=order.shop,
        order_id=order.order_id,
        key=entry_key(Happening.NOTE, note_id),
        kind=Happening.NOTE,
        sentence="a note was written",
        actor=actor,
        at=at,
        note=text,
    )


def completed(
    stored: Sequence[TimelineEntry],
    order: Order,
    trail: Iterable[Transition],
    entries: Iterable[BookEntry],
    parcels: Iterable[Shipment],
) -> list[TimelineEntry]:
    """Return the timeline with what was not written when it happened, derived from the books and marked so.

    What is derived comes first, by its time: it is from before there were entries. What was written follows in the
    order in which it was learned.
    """
    made = [
        *(of_change(_change(order, step)) for step in trail),
        *(of_money(entry) for entry in entries),
        *(
            of_parcel(order.shop, each, each.shipped_at or each.requested_at, "warehouse", lines=order.lines)
            for each in parcels
        ),
    ]
    known = {entry.key for entry in stored}
    missing = [replace(entry, derived=True) for entry in made if entry.key not in known]
    return [*sorted(missing, key=lambda entry: entry.at), *stored]


def _change(order: Order, step: Transition) -> StateChange:
    return StateChange(
        shop=order.shop,
        order_id=order.order_id,
        from_state=step.from_state,
        to_state=OrderState(step.to_state),
        at=step.at,
        actor=step.actor,
        currency=order.currency,
        total_minor=order.total_minor,
    )
