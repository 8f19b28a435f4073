"""Orders leg: the shop's orders against ours, and ours that wait for a person.

Only orders whose money the shop collects are in the shop; what we took by API takes part only with what is wrong in
our own books: it waits for a person, or holds more or less money than it must.
Lists are complete from the horizon on: an order that only one side knows is judged from there on, one that both
know is judged however old it is.
"""

from collections import defaultdict
from collections.abc import Iterable

from worker.domain.finding import Fact, Finding, FindingKind, Leg, Outcome, Repair
from worker.domain.ledger import OwnOrder, ShopOrder
from worker.domain.matching.issue import Issue, conclude
from worker.domain.matching.scope import Scope
from worker.domain.money import format_minor
from worker.domain.order import COLLECTED_BY_SHOP, METHOD_WELCOME, OrderState

UNPAID_STATES = frozenset({OrderState.RECEIVED, OrderState.PAYING, OrderState.AUTHORISED}) | METHOD_WELCOME
CANCELLABLE_STATES = UNPAID_STATES | {OrderState.PAID, OrderState.FULFILLING}
SENT_STATES = frozenset({OrderState.SHIPPED, OrderState.COMPLETED})
PAID_STATES = SENT_STATES | {OrderState.PAID, OrderState.FULFILLING}
ENDED_STATES = frozenset(
    {OrderState.REJECTED, OrderState.DECLINED, OrderState.EXPIRED, OrderState.CANCELLED, OrderState.REFUNDED}
)

SEVERITY = (
    FindingKind.NEEDS_ATTENTION,
    FindingKind.CURRENCY_MISMATCH,
    FindingKind.MISSING_INTERNAL,
    FindingKind.MISSING_EXTERNAL,
    FindingKind.DUPLICATE_INTERNAL,
    FindingKind.DUPLICATE_EXTERNAL,
    FindingKind.AMOUNT_UNDER,
    FindingKind.AMOUNT_OVER,
    FindingKind.STATUS_MISMATCH,
)
"""Which class names a finding when several apply, worst first."""


def match_orders(shop_orders: Iterable[ShopOrder], own: Iterable[OwnOrder], scope: Scope) -> tuple[Finding, ...]:
    """Compare the two lists of orders; one finding per order, sorted by key.

    A finding's amounts are totals in our currency (in the shop's where we do not have the order).
    """
    theirs: defaultdict[str, list[ShopOrder]] = defaultdict(list)
    for listed in shop_orders:
        if listed.created_at < scope.cut:
            theirs[listed.order_id].append(listed)
    ours: defaultdict[str, list[OwnOrder]] = defaultdict(list)
    taken_by_api: set[str] = set()
    for order in own:
        if order.placed_at >= scope.cut:
            continue
        if order.payment_mode == COLLECTED_BY_SHOP or _own_issues(order, scope):
            ours[order.order_id].append(order)
        if order.payment_mode != COLLECTED_BY_SHOP:
            taken_by_api.add(order.order_id)
    findings = (
        _judge(
            order_id,
            sorted(ours.get(order_id, ()), key=lambda o: (o.updated_at, o.state, o.total_minor, o.currency)),
            sorted(theirs.get(order_id, ()), key=lambda o: (o.created_at, o.total_minor, o.currency, o.paid)),
            scope,
            in_shop=order_id not in taken_by_api,
        )
        for order_id in sorted(ours.keys() | theirs.keys())
    )
    return tuple(finding for finding in findings if finding is not None)


def _judge(
    order_id: str, ours: list[OwnOrder], theirs: list[ShopOrder], scope: Scope, *, in_shop: bool
) -> Finding | None:
    issues = _own_issues(ours[-1], scope) if ours else []
    if not in_shop:
        theirs = []
    if ours and theirs:
        issues += _repeated(ours, theirs) + _differing(ours[-1], theirs[-1], scope)
    elif ours and in_shop:
        if scope.judged(ours[-1].placed_at):
            issues += _missing_external(ours, scope)
        elif not issues:
            return None
    elif theirs:
        if not scope.judged(theirs[-1].created_at):
            return None
        issues += _missing_internal(theirs, scope)
    elif not ours:
        return None
    return conclude(_base(order_id, ours, theirs, in_shop=in_shop), issues, SEVERITY, scope.cut)


def _base(order_id: str, ours: list[OwnOrder], theirs: list[ShopOrder], *, in_shop: bool) -> Finding:
    currency = ours[-1].currency if ours else theirs[-1].currency
    our_total = sum(order.total_minor for order in ours)
    their_total = sum(order.total_minor for order in theirs if order.currency == currency)
    cause = ""
    if not ours and theirs[-1].cancelled:
        their_total, cause = 0, "cancelled in the shop before it reached us"
    if not theirs and _without_money(ours):
        our_total, cause = their_total, "ended without money, and the shop lists it no more"
    return Finding(
        leg=Leg.ORDERS,
        key=f"order/{order_id}",
        kind=FindingKind.MATCHED,
        outcome=Outcome.MATCHED,
        currency=currency,
        ours_minor=our_total,
        theirs_minor=their_total if in_shop else our_total,
        order_id=order_id,
        cause=cause,
        ours=tuple(_own_fact(order) for order in ours),
        theirs=tuple(_shop_fact(order) for order in theirs),
    )


def _own_issues(order: OwnOrder, scope: Scope) -> list[Issue]:
    """Return what is wrong with an order whatever the shop says."""
    if order.state == OrderState.NEEDS_ATTENTION:
        return [_needs_attention(order)]
    kept = order.kept_minor
    # Of an order that left in part and was closed, nothing is owed for what did not leave.
    due = order.due_minor if order.parcels else order.total_minor
    if kept > order.total_minor:
        kind, cause = FindingKind.AMOUNT_OVER, "more than its total: it was probably paid twice"
        at_risk = kept - order.total_minor
    elif order.state in SENT_STATES and 0 < order.captured_minor < due:
        kind, cause = FindingKind.AMOUNT_UNDER, "less than its total, and it was sent all the same"
        at_risk = due - order.captured_minor
    else:
        return []
    held, total = _text(kept, order.currency), _text(order.total_minor, order.currency)
    return [
        Issue(
            kind=kind,
            at_risk_minor=at_risk,
            cause=f"the order of {total} holds {held}, {cause}",
            break_on=order.updated_at + scope.order_grace,
        )
    ]


def _needs_attention(order: OwnOrder) -> Issue:
    kept = order.kept_minor
    why = (
        f"{_text(kept, order.currency)} are captured and not given back"
        if order.captured_minor
        else "nothing is captured"
    )
    return Issue(
        kind=FindingKind.NEEDS_ATTENTION,
        at_risk_minor=abs(kept),
        cause=f"the order waits for a person: {why}",
    )


def _missing_internal(theirs: list[ShopOrder], scope: Scope) -> list[Issue]:
    listed = theirs[-1]
    if listed.cancelled:
        return []
    return [
        Issue(
            kind=FindingKind.MISSING_INTERNAL,
            at_risk_minor=listed.total_minor,
            cause="the shop has an order that never reached us: its message was probably lost"
            + (f"; the shop lists it {len(theirs)} times" if len(theirs) > 1 else ""),
            break_on=listed.created_at + scope.order_grace,
            repair=Repair.START_ORDER,
            repair_reference=listed.order_id,
        )
    ]


def _missing_external(ours: list[OwnOrder], scope: Scope) -> list[Issue]:
    order = ours[-1]
    if _without_money(ours):
        return []
    return [
        Issue(
            kind=FindingKind.MISSING_EXTERNAL,
            at_risk_minor=order.total_minor,
            cause="we hold an order that the shop does not list"
            + (f"; our books hold it {len(ours)} times" if len(ours) > 1 else ""),
            break_on=order.placed_at + scope.order_grace,
        )
    ]


def _repeated(ours: list[OwnOrder], theirs: list[ShopOrder]) -> list[Issue]:
    issues = []
    for kind, side, totals in (
        (FindingKind.DUPLICATE_INTERNAL, "our books hold", [order.total_minor for order in ours]),
        (FindingKind.DUPLICATE_EXTERNAL, "the shop lists", [order.total_minor for order in theirs]),
    ):
        if len(totals) > 1:
            issues.append(
                Issue(kind=kind, at_risk_minor=sum(totals[:-1]), cause=f"{side} the order {len(totals)} times")
            )
    return issues


def _differing(order: OwnOrder, listed: ShopOrder, scope: Scope) -> list[Issue]:
    issues = _status_issues(order, listed, scope)
    if order.currency != listed.currency:
        issues.append(
            Issue(
                kind=FindingKind.CURRENCY_MISMATCH,
                at_risk_minor=order.total_minor,
                cause=f"we hold {_text(order.total_minor, order.currency)}, "
                f"the shop states {_text(listed.total_minor, listed.currency)}",
            )
        )
    elif order.total_minor != listed.total_minor:
        difference = listed.total_minor - order.total_minor
        issues.append(
            Issue(
                kind=FindingKind.AMOUNT_UNDER if difference < 0 else FindingKind.AMOUNT_OVER,
                difference_minor=difference,
                at_risk_minor=abs(difference),
                cause=f"we hold a total of {_text(order.total_minor, order.currency)}, "
                f"the shop states {_text(listed.total_minor, listed.currency)}: "
                "it was probably edited after it reached us",
            )
        )
    return issues


def _status_issues(order: OwnOrder, listed: ShopOrder, scope: Scope) -> list[Issue]:
    kept = order.kept_minor
    at_risk, repair = 0, Repair.NONE
    if listed.cancelled:
        at_risk = abs(kept)
        if order.state in CANCELLABLE_STATES:
            repair = Repair.DELIVER_CANCELLATION
            cause = f"cancelled in the shop while ours is {order.state}: the cancellation was probably lost"
        elif order.state in SENT_STATES:
            cause = f"cancelled in the shop, but ours is already {order.state}"
        else:
            return []
    elif listed.paid and order.state in UNPAID_STATES:
        at_risk, repair = listed.total_minor, Repair.DELIVER_PAYMENT
        cause = f"paid in the shop while ours is {order.state}: the payment's message was probably lost"
    elif listed.paid and order.state in ENDED_STATES:
        at_risk = listed.total_minor
        cause = f"open and paid in the shop, but ours ended as {order.state}"
    elif not listed.paid and kept > 0 and order.state in PAID_STATES:
        at_risk = kept
        cause = f"not paid in the shop, but ours is {order.state} and holds {_text(kept, order.currency)}"
    else:
        return []
    return [
        Issue(
            kind=FindingKind.STATUS_MISMATCH,
            at_risk_minor=at_risk,
            cause=cause,
            # The message about it cannot be late before the shop last changed the order.
            break_on=max(listed.updated_at or listed.created_at, order.updated_at) + scope.order_grace,
            repair=repair,
            repair_reference=order.order_id if repair is not Repair.NONE else "",
        )
    ]


def _without_money(ours: list[OwnOrder]) -> bool:
    return all(order.state in ENDED_STATES and order.kept_minor == 0 for order in ours)


def _own_fact(order: OwnOrder) -> Fact:
    return Fact(
        record="order",
        reference=order.order_id,
        amount_minor=order.total_minor,
        currency=order.currency,
        at=order.placed_at,
        status=order.state,
    )


def _shop_fact(listed: ShopOrder) -> Fact:
    status = "cancelled" if listed.cancelled else "paid" if listed.paid else "open"
    return Fact(
        record="order",
        reference=listed.order_id,
        amount_minor=listed.total_minor,
        currency=listed.currency,
        at=listed.created_at,
        status=status,
    )


def _text(minor: int, currency: str) -> str:
    return f"{currency} {format_minor(minor, currency)}"
