"""Shipments leg: our orders against the warehouse's parcels.

What must hold: no goods leave without money, no money is kept without goods, one order leaves once (in one parcel, or in
several that make it up), and what the warehouse shipped is shipped in our books too. A finding's amounts are the value of the goods that each side says
has left; that value is what we kept of the order's money, or its total where we kept none.

Two graces: a message about a parcel may be under way for `order_grace`, a paid order may wait for its parcel for
`shipment_grace`.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime

from worker.domain.finding import NO_CURRENCY, Fact, Finding, FindingKind, Leg, Outcome, Repair
from worker.domain.ledger import OwnOrder, Shipment, ShipmentState
from worker.domain.matching.issue import Issue, conclude
from worker.domain.matching.parts import in_parts
from worker.domain.matching.rules import PLAIN, Rules
from worker.domain.matching.scope import Scope
from worker.domain.money import format_minor
from worker.domain.order import ON_SHIPMENT, WITHOUT_GOODS, OrderState

WAITING_STATES = frozenset({OrderState.PAID, OrderState.FULFILLING})
SENT_STATES = frozenset({OrderState.SHIPPED, OrderState.COMPLETED})

SEVERITY = (
    FindingKind.SHIPPED_UNPAID,
    FindingKind.DUPLICATE_EXTERNAL,
    FindingKind.MISSING_INTERNAL,
    FindingKind.MISSING_EXTERNAL,
    FindingKind.STATUS_MISMATCH,
    FindingKind.PAID_UNSHIPPED,
    FindingKind.REVERSED_AFTER_FULFILMENT,
)
"""Which class names a finding when several apply, worst first."""


def match_shipments(
    own: Iterable[OwnOrder],
    outside: Iterable[Shipment],
    scope: Scope,
    rules: Rules = PLAIN,
    disputed: Mapping[str, int] | None = None,
) -> tuple[Finding, ...]:
    """Compare our orders with the parcels of the warehouse; one finding per order, sorted by key.

    `disputed` is what disputes hold back of each order's money, as far as the provider's ledger tells (`Disputes`).
    Orders that neither have money nor goods under way have no finding. A parcel shipped at or after the cut counts
    as not shipped yet.
    """
    orders: dict[str, OwnOrder] = {}
    for order in sorted(own, key=lambda o: (o.updated_at, o.state, o.total_minor)):
        if order.placed_at < scope.cut:
            orders[order.order_id] = order
    parcels: defaultdict[str, list[Shipment]] = defaultdict(list)
    for parcel in sorted(outside, key=lambda p: (_left_at(p), p.shipment_id, p.state)):
        if parcel.requested_at < scope.cut:
            parcels[parcel.order_id].append(parcel)
    held = {} if disputed is None else disputed
    findings = (
        _judge_known(orders[order_id], parcels.get(order_id, []), scope, rules, held.get(order_id, 0))
        if order_id in orders
        else _judge_unknown(order_id, parcels[order_id], scope)
        for order_id in sorted(orders.keys() | parcels.keys())
    )
    return tuple(finding for finding in findings if finding is not None)


def parcels_from(own: Iterable[OwnOrder], scope: Scope) -> datetime:
    """Return from when on the warehouse's parcels must be listed: a parcel may be asked for long before it leaves."""
    concerned = (
        order.requested_at - max(scope.payment_grace, scope.margin)
        for order in own
        if order.requested_at is not None
        and (
            order.state in WAITING_STATES | {OrderState.AUTHORISED}
            or (order.state in SENT_STATES and scope.judged(order.shipped_at or order.updated_at))
        )
    )
    return min([scope.read_from, *concerned])


def _judge_known(order: OwnOrder, listed: list[Shipment], scope: Scope, rules: Rules, disputed: int) -> Finding | None:
    sent = order.state in SENT_STATES
    if not (sent or listed or order.captured_minor):
        return None
    kept = order.kept_minor
    value = kept if kept > 0 else order.total_minor
    left = _left(listed, scope)
    if left and order.parcels:
        issues = in_parts(order, left, scope)
    elif left:
        issues = _left_issues(order, left, value, scope) + _double(order, left, value)
    elif sent:
        issues = _nothing_left(order, listed, value, scope)
    else:
        issues = _still_waiting(order, listed, value, scope)
    issues += _repeated(listed)
    if left and sent:
        issues += _reversed(order, value, rules, disputed)
    base = Finding(
        leg=Leg.SHIPMENTS,
        key=f"order/{order.order_id}",
        kind=FindingKind.MATCHED,
        outcome=Outcome.MATCHED,
        currency=order.currency,
        ours_minor=value if sent else order.due_minor,
        theirs_minor=_left_value(order, left, value),
        order_id=order.order_id,
        ours=(_order_fact(order),),
        theirs=tuple(_parcel_fact(parcel, order.currency) for parcel in listed),
    )
    return conclude(base, issues, SEVERITY, scope.cut)


def _judge_unknown(order_id: str, listed: list[Shipment], scope: Scope) -> Finding | None:
    live = [parcel for parcel in listed if parcel.state is not ShipmentState.FAILED]
    issues = _repeated(listed)
    if live and not any(scope.judged(_left_at(parcel)) or scope.judged(parcel.requested_at) for parcel in live):
        # Our orders of that age were not read: nothing can be said about it here.
        return None
    if live:
        issues.append(
            Issue(
                kind=FindingKind.MISSING_INTERNAL,
                cause="the warehouse handles a parcel of an order that we do not know",
                break_on=max(parcel.requested_at for parcel in live) + scope.order_grace,
            )
        )
    base = Finding(
        leg=Leg.SHIPMENTS,
        key=f"order/{order_id}",
        kind=FindingKind.MATCHED,
        outcome=Outcome.MATCHED,
        currency=NO_CURRENCY,
        ours_minor=0,
        theirs_minor=0,
        order_id=order_id,
        theirs=tuple(_parcel_fact(parcel, NO_CURRENCY) for parcel in listed),
    )
    return conclude(base, issues, SEVERITY, scope.cut)


def _left_issues(order: OwnOrder, left: list[Shipment], value: int, scope: Scope) -> list[Issue]:
    first = left[0]
    break_on = _left_at(first) + scope.order_grace
    if order.captured_minor == 0:
        # The money is still held for us, and taken once we hear of the parcel.
        unheard = order.state == OrderState.AUTHORISED and order.payment_mode == ON_SHIPMENT
        return [
            Issue(
                kind=FindingKind.SHIPPED_UNPAID,
                at_risk_minor=value,
                cause=f"the goods left although the order ({order.state}) holds no money"
                + (": it is authorised and was not captured" if unheard else ""),
                break_on=break_on,
                repair=Repair.DELIVER_SHIPMENT if unheard else Repair.NONE,
                repair_reference=first.shipment_id if unheard else "",
            )
        ]
    if order.state in SENT_STATES:
        return []
    if order.kept_minor <= 0:
        return [
            Issue(
                kind=FindingKind.STATUS_MISMATCH,
                at_risk_minor=value,
                cause=f"shipped after the refund: the order is {order.state} and all its money was given back",
                break_on=break_on,
            )
        ]
    waiting = order.state in WAITING_STATES
    return [
        Issue(
            kind=FindingKind.STATUS_MISMATCH,
            at_risk_minor=value,
            cause=f"the warehouse shipped while ours is {order.state}"
            + (": the message about the parcel was probably lost" if waiting else ""),
            break_on=break_on,
            repair=Repair.DELIVER_SHIPMENT if waiting else Repair.NONE,
            repair_reference=first.shipment_id if waiting else "",
        )
    ]


def _reversed(order: OwnOrder, value: int, rules: Rules, disputed: int) -> list[Issue]:
    """Return the issue of an order whose goods left and whose money went back: goods and money are both gone.

    A refund that our own books hold was somebody's decision (a return): what it weighs is a rule. A dispute is not.
    """
    refunded, disputed = order.refunded_minor, max(disputed, order.disputed_minor)
    if not 0 < order.captured_minor <= refunded + disputed:
        return []
    outcome = rules.reversed_after_fulfilment
    if disputed and outcome is Outcome.MATCHED:
        outcome = Outcome.WARNING
    parts = [(refunded, "given back"), (disputed, "disputed")]
    told = [f"{order.currency} {format_minor(minor, order.currency)} {what}" for minor, what in parts if minor]
    return [
        Issue(
            kind=FindingKind.REVERSED_AFTER_FULFILMENT,
            # What is disputed is at risk on the payments leg already.
            at_risk_minor=0 if disputed or outcome is Outcome.MATCHED else value,
            cause=f"the goods left, and all the money went back afterwards: {', '.join(told)}",
            warning=outcome is Outcome.WARNING,
            accepted=outcome is Outcome.MATCHED,
        )
    ]


def _left_value(order: OwnOrder, left: list[Shipment], value: int) -> int:
    """Return what the goods are worth that left by the warehouse's word: parts as our books know them, else whole orders."""
    if order.parcels and left:
        return value if order.state in SENT_STATES else order.due_minor
    return value * (1 if _parts(order, left) else len(left))


def _parts(order: OwnOrder, left: list[Shipment]) -> bool:
    """Tell whether parcels we have not heard of are parts of their order: they say what they hold, and not all the same."""
    contents = {parcel.contents for parcel in left}
    return order.state not in SENT_STATES and () not in contents and len(contents) > 1


def _double(order: OwnOrder, left: list[Shipment], value: int) -> list[Issue]:
    if len(left) < 2 or _parts(order, left):
        return []
    return [
        Issue(
            kind=FindingKind.DUPLICATE_EXTERNAL,
            at_risk_minor=value * (len(left) - 1),
            cause=f"the warehouse shipped {len(left)} parcels for one order",
        )
    ]


def _nothing_left(order: OwnOrder, listed: list[Shipment], value: int, scope: Scope) -> list[Issue]:
    at = order.shipped_at or order.updated_at
    if not scope.judged(at):
        return []
    return [
        Issue(
            kind=FindingKind.MISSING_EXTERNAL,
            at_risk_minor=value,
            cause=f"ours is {order.state}, but the warehouse shipped nothing" + _states(listed),
            break_on=at + scope.order_grace,
        )
    ]


def _still_waiting(order: OwnOrder, listed: list[Shipment], value: int, scope: Scope) -> list[Issue]:
    if order.state == OrderState.NEEDS_ATTENTION or order.kept_minor <= 0:
        return []
    if order.state in WITHOUT_GOODS:
        cause = f"the order ended as {order.state}, but its money is still held: nobody will ship or give it back"
    elif order.state in WAITING_STATES:
        cause = "paid, but no parcel has left"
    else:
        cause = f"money is held, but the order is still {order.state} and no parcel has left"
    grace = scope.order_grace if order.state in WITHOUT_GOODS else scope.shipment_grace
    # Where the warehouse lists a parcel, of whatever state, asking again can only make a second one.
    unheard = order.state in WAITING_STATES and not listed
    return [
        Issue(
            kind=FindingKind.PAID_UNSHIPPED,
            at_risk_minor=value,
            cause=cause + (_states(listed) or (": the warehouse knows of none" if unheard else "")),
            break_on=order.updated_at + grace,
            repair=Repair.REQUEST_FULFILMENT if unheard else Repair.NONE,
            repair_reference=order.order_id if unheard else "",
        )
    ]


def _repeated(listed: list[Shipment]) -> list[Issue]:
    repeats = len(listed) - len({parcel.shipment_id for parcel in listed})
    if not repeats:
        return []
    return [
        Issue(
            kind=FindingKind.DUPLICATE_EXTERNAL,
            cause=f"the warehouse lists a parcel of this order {repeats + 1} times",
            warning=True,
        )
    ]


def _left(listed: list[Shipment], scope: Scope) -> list[Shipment]:
    """Return the parcels that left before the cut, each once, oldest first."""
    found: dict[str, Shipment] = {}
    for parcel in listed:
        if parcel.state is ShipmentState.SHIPPED and _left_at(parcel) < scope.cut:
            found.setdefault(parcel.shipment_id, parcel)
    return list(found.values())


def _left_at(parcel: Shipment) -> datetime:
    return parcel.shipped_at or parcel.requested_at


def _states(listed: list[Shipment]) -> str:
    states = sorted({str(parcel.state) for parcel in listed})
    return f" (its parcel is {', '.join(states)})" if states else ""


def _order_fact(order: OwnOrder) -> Fact:
    return Fact(
        record="order",
        reference=order.order_id,
        amount_minor=order.kept_minor,
        currency=order.currency,
        at=order.shipped_at or order.updated_at,
        status=order.state,
    )


def _parcel_fact(parcel: Shipment, currency: str) -> Fact:
    return Fact(
        record="shipment",
        reference=parcel.shipment_id,
        amount_minor=None,
        currency=currency,
        at=_left_at(parcel),
        status=parcel.state,
    )
