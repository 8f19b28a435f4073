"""Cancelling pieces of an order that have not left, in one transaction with its entries in timeline and audit trail.

The order becomes smaller (worker.domain.line_cancelling), its stock is free, and what it holds beyond its new total is to
be given back; how much that is stands with the request, whoever asks again. No parcel may be under way meanwhile: a
warehouse knows no change of one, so whoever cancels stops it first and asks for the rest anew.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from worker.contract.orders import CancelLines, OrderStatus
from worker.domain.errors import Conflict
from worker.domain.ledger import ShipmentState
from worker.domain.line_cancelling import check_pieces, check_state, cut_of, pieces_told, to_give_back, without
from worker.domain.money import Money
from worker.domain.order import Order
from worker.domain.timeline import Happening, of_request
from worker.services.deeds import deed
from worker.services.parcels import goods_of, known_order, standing
from worker.services.ports import CancelledLines, Clock, Database, Transaction

ACTION = "lines_cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancelled:
    """What a request came to: less is owed by `amount_minor`, `back_minor` of it is to be given back."""

    status: OrderStatus
    amount_minor: int = 0
    back_minor: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Whether a request may be fulfilled as things stand: `everything` that has not left, which is a cancellation."""

    status: OrderStatus
    everything: bool


class LineCancelling:
    """Cancellations of single pieces."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def look(self, shop: str, order_id: str, request: CancelLines) -> Wanted:
        """Look whether a request can be fulfilled, and change nothing. Raises Conflict, InvalidInput, NotFound."""
        wanted = pieces_of(request)

        def work(tx: Transaction) -> Wanted:
            status = standing(tx, shop, order_id)
            if tx.lines.of_request(shop, order_id, request.request_id) is not None:
                return Wanted(status=status, everything=False)
            order = known_order(tx, shop, order_id)
            return Wanted(status=status, everything=_is_everything(tx, order, wanted))

        return self._database.transact(work)

    def cancel(self, shop: str, order_id: str, request: CancelLines) -> Cancelled:
        """Cancel the pieces; the same request again changes nothing. Raises as `look`, and Conflict for a parcel under way."""
        wanted = pieces_of(request)

        def work(tx: Transaction) -> Cancelled:
            order = tx.orders.lock(shop, order_id)
            known = tx.lines.of_request(shop, order_id, request.request_id)
            if known is None:
                known = self._cancel(tx, order, request, wanted)
            return Cancelled(
                status=standing(tx, shop, order_id), amount_minor=known.amount_minor, back_minor=known.back_minor
            )

        return self._database.transact(work)

    def _cancel(self, tx: Transaction, order: Order, request: CancelLines, wanted: Mapping[int, int]) -> CancelledLines:
        shop, order_id, now = order.shop, order.order_id, self._clock.now()
        if _is_everything(tx, order, wanted):
            raise Conflict("that is all that has not left: cancel the order")
        parcels = tx.shipments.of_order(shop, order_id)
        if waiting := [each.shipment_id for each in parcels if each.state is ShipmentState.REQUESTED]:
            raise Conflict(f"parcel {waiting[0]} is under way with these pieces: try again")
        cut = cut_of(order, wanted)
        smaller = without(order, cut)
        cancelled = CancelledLines(
            request_id=request.request_id,
            pieces=cut.pieces,
            amount_minor=cut.amount_minor,
            back_minor=to_give_back(smaller, cut),
            requested_by=request.requested_by,
        )
        tx.lines.cancel(smaller, cancelled, now)
        by_sku: dict[str, int] = {}
        for number, pieces in cut.pieces.items():
            sku = order.lines[number - 1].sku
            by_sku[sku] = by_sku.get(sku, 0) + pieces
        tx.stock.released(shop, order_id, by_sku, request.request_id, now, request.requested_by)
        amount = Money(cut.amount_minor, order.currency)
        told = of_request(
            Happening.LINES_CANCELLED,
            shop,
            order_id,
            request.request_id,
            actor=request.requested_by,
            at=now,
            amount=amount,
            detail=pieces_told(order, cut),
        )
        tx.timeline.add(told)
        tx.outbound.changed(told)
        why = {"request_id": request.request_id, "amount": str(amount)}
        done = deed(ACTION, f"order/{order_id}", now, actor=request.requested_by, reason=request.reason, **why)
        tx.audit.append(shop, done)
        return cancelled


def pieces_of(request: CancelLines) -> dict[int, int]:
    """Return how many pieces of which line a request names; a line that is named twice counts twice."""
    wanted: dict[int, int] = {}
    for each in request.lines:
        wanted[each.line] = wanted.get(each.line, 0) + each.quantity
    return wanted


def _is_everything(tx: Transaction, order: Order, wanted: Mapping[int, int]) -> bool:
    check_state(order)
    owed = goods_of(tx, order).owed
    check_pieces(order.lines, owed, wanted)
    if owed == wanted:
        return True
    cut_of(order, wanted)
    return False
