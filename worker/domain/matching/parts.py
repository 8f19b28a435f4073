"""Orders that leave in several parcels: what has left is judged by what is due for it, and by its pieces.

A part that left and a rest that waits are no difference, nor is money that is still held for either. What is: a parcel our
books have not heard of, more pieces than were ordered, less money than is due for what left, and money for a rest that does
not come.
"""

from worker.domain.finding import FindingKind, Repair
from worker.domain.ledger import OwnOrder, Shipment
from worker.domain.matching.issue import Issue
from worker.domain.matching.scope import Scope
from worker.domain.order import OrderState

_WAITING = frozenset({OrderState.PAID, OrderState.FULFILLING, OrderState.AUTHORISED})


def in_parts(order: OwnOrder, left: list[Shipment], scope: Scope) -> list[Issue]:
    """Return what is wrong with an order whose parcels that left, oldest first, are known to our books by contents."""
    # While a parcel is unheard of, what our books say of the rest is old: its money is judged once they know.
    unheard = _unheard(order, left, scope)
    return unheard + _too_many(order, left) + ([] if unheard else _money(order, left, scope))


def _unheard(order: OwnOrder, left: list[Shipment], scope: Scope) -> list[Issue]:
    new = [parcel for parcel in left if parcel.shipment_id not in order.parcels]
    if not new:
        return []
    first = new[0]
    waiting = order.state in _WAITING
    return [
        Issue(
            kind=FindingKind.STATUS_MISMATCH,
            at_risk_minor=max(order.total_minor - order.due_minor, 0),
            cause=f"the warehouse shipped {len(left)} parcels while ours is {order.state} with {len(order.parcels)}"
            + (": the message about the other was probably lost" if waiting else ""),
            break_on=(first.shipped_at or first.requested_at) + scope.order_grace,
            repair=Repair.DELIVER_SHIPMENT if waiting else Repair.NONE,
            repair_reference=first.shipment_id if waiting else "",
        )
    ]


def _too_many(order: OwnOrder, left: list[Shipment]) -> list[Issue]:
    pieces = sum(packed.quantity for parcel in left for packed in parcel.contents)
    if pieces <= order.pieces:
        return []
    return [
        Issue(
            kind=FindingKind.DUPLICATE_EXTERNAL,
            # Pieces of what price is not known here: at least one parcel's share, at most the order again.
            at_risk_minor=order.total_minor * (pieces - order.pieces) // order.pieces,
            cause=f"the warehouse shipped {pieces} pieces in {len(left)} parcels for an order of {order.pieces}",
        )
    ]


def _money(order: OwnOrder, left: list[Shipment], scope: Scope) -> list[Issue]:
    last = max(parcel.shipped_at or parcel.requested_at for parcel in left)
    if order.state == OrderState.NEEDS_ATTENTION:
        return []  # the orders leg tells of it
    # Of what is held, a share may be taken with the last parcel only.
    missing = 0 if order.state == OrderState.AUTHORISED else order.due_minor - order.captured_minor
    if order.state not in _WAITING and last > order.updated_at:  # it left when its order had been closed
        missing = order.due_minor - order.kept_minor
    if missing > 0:
        return [
            Issue(
                kind=FindingKind.SHIPPED_UNPAID,
                at_risk_minor=missing,
                cause=f"more left than was paid for: the order ({order.state}) lacks money for a part of its goods",
                break_on=last + scope.order_grace,
            )
        ]
    rest = order.kept_minor - order.due_minor
    if rest > 0 and order.state in _WAITING:
        return [
            Issue(
                kind=FindingKind.PAID_UNSHIPPED,
                at_risk_minor=rest,
                cause="a part has left, and the rest, which is paid, has not",
                break_on=last + scope.shipment_grace,
            )
        ]
    return []
