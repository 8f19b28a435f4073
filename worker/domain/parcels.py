"""What the parcels of an order hold, what is still owed, and what share of the order's total has left with them.

    unfulfilled -> partially_fulfilled -> fulfilled
    partially_fulfilled | fulfilled -> partially_delivered -> delivered

Derived from parcels and lines, never stored. Pieces are owed until they have left or their order is over: what an order
that ended has not sent is cancelled with it. More can never count as shipped than was ordered; what goes beyond is
`surplus`, for a person to see.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from worker.domain.ledger import Packed, Shipment, ShipmentState
from worker.domain.order import TERMINAL, Line, Order


class Fulfilment(StrEnum):
    """How far the goods of an order are."""

    UNFULFILLED = "unfulfilled"
    PARTIALLY_FULFILLED = "partially_fulfilled"
    FULFILLED = "fulfilled"
    PARTIALLY_DELIVERED = "partially_delivered"
    DELIVERED = "delivered"


F = Fulfilment
FULFILMENTS: dict[Fulfilment, frozenset[Fulfilment]] = {
    F.UNFULFILLED: frozenset({F.PARTIALLY_FULFILLED, F.FULFILLED, F.PARTIALLY_DELIVERED, F.DELIVERED}),
    # From part to whole also when the rest is cancelled: nothing more is owed then.
    F.PARTIALLY_FULFILLED: frozenset({F.FULFILLED, F.PARTIALLY_DELIVERED, F.DELIVERED}),
    F.FULFILLED: frozenset({F.PARTIALLY_DELIVERED, F.DELIVERED}),
    F.PARTIALLY_DELIVERED: frozenset({F.DELIVERED}),
    F.DELIVERED: frozenset(),
}
"""Which status may follow which as words of parcels come in, in whatever order: the table has no way back, save that a parcel
which leaves after everything so far arrived makes `delivered` partial again (an order that was over already)."""
del F


PARTS = frozenset({Fulfilment.PARTIALLY_FULFILLED, Fulfilment.PARTIALLY_DELIVERED})
"""Something has left and something is owed, while the order is under way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Goods:
    """What of an order has left. `left` counts pieces by line (from 1), never more than the line has."""

    lines: tuple[Line, ...]
    left: Mapping[int, int] = field(default_factory=dict)
    surplus: tuple[Packed, ...] = ()
    """Pieces that left and were not owed: beyond their line, or of no line of the order."""
    parcels: int = 0
    """How many parcels left."""
    held: Mapping[str, Mapping[int, int]] = field(default_factory=dict)
    """Ordered pieces that each parcel which left holds, by its id and the line's number."""

    @property
    def owed(self) -> dict[int, int]:
        """Pieces that have not left, by line; lines of which all left are absent."""
        rest = {number: line.quantity - self.left.get(number, 0) for number, line in enumerate(self.lines, start=1)}
        return {number: pieces for number, pieces in rest.items() if pieces > 0}

    @property
    def pieces_left(self) -> int:
        """How many ordered pieces have left."""
        return sum(self.left.values())

    @property
    def pieces(self) -> int:
        """How many pieces were ordered."""
        return sum(line.quantity for line in self.lines)

    @property
    def partial(self) -> bool:
        """Whether something has left, and not all: also where what left is nothing that was ordered."""
        return self.parcels > 0 and bool(self.owed)

    @property
    def by_sku(self) -> dict[str, int]:
        """How many ordered pieces have left, by SKU."""
        found: dict[str, int] = {}
        for number, pieces in self.left.items():
            sku = self.lines[number - 1].sku
            found[sku] = found.get(sku, 0) + pieces
        return found

    @property
    def complete(self) -> bool:
        """Whether every ordered piece has left."""
        return not self.owed


def shipped_goods(lines: Sequence[Line], parcels: Iterable[Shipment]) -> Goods:
    """Return what has left, parcel by parcel in the order in which they left.

    A parcel that names no contents holds all that is left at its time. A piece is named by its line's number, or by its
    SKU: then it is taken from the lines of that SKU in turn, as far as they have room.
    """
    room = {number: line.quantity for number, line in enumerate(lines, start=1)}
    left: dict[int, int] = {}
    surplus: list[Packed] = []
    held: dict[str, dict[int, int]] = {}
    gone = sorted(
        (parcel for parcel in {each.shipment_id: each for each in parcels}.values() if _has_left(parcel)),
        # Those that say what they hold first: what "all the rest" means is not a matter of whose word came earlier.
        key=lambda parcel: (not parcel.contents, parcel.shipped_at or parcel.requested_at, parcel.shipment_id),
    )
    for parcel in gone:
        of_parcel = held.setdefault(parcel.shipment_id, {})
        named = parcel.contents or tuple(Packed(line=number, quantity=pieces) for number, pieces in room.items())
        for packed in named:
            rest = packed.quantity
            for number in _lines_of(packed, lines):
                taken = min(rest, room[number])
                if taken > 0:
                    room[number] -= taken
                    left[number] = left.get(number, 0) + taken
                    of_parcel[number] = of_parcel.get(number, 0) + taken
                    rest -= taken
            if rest > 0:
                surplus.append(Packed(line=packed.line, sku=packed.sku, quantity=rest))
    return Goods(lines=tuple(lines), left=left, surplus=tuple(surplus), parcels=len(gone), held=held)


def whole_parcels(parcels: Iterable[Shipment]) -> int:
    """Return how many parcels left that do not say what they hold: a second one is the whole order again."""
    return sum(1 for parcel in parcels if _has_left(parcel) and not parcel.contents)


def fulfilment(order: Order, parcels: Sequence[Shipment]) -> Fulfilment:
    """Return how far the goods of an order are."""
    goods = shipped_goods(order.lines, parcels)
    if goods.pieces_left == 0:
        # Something left that nobody ordered: not all is well, and more is owed.
        return Fulfilment.PARTIALLY_FULFILLED if goods.partial else Fulfilment.UNFULFILLED
    arrived = shipped_goods(order.lines, [parcel for parcel in parcels if parcel.delivered_at is not None])
    owed = 0 if order.state in TERMINAL else goods.pieces - goods.pieces_left
    if arrived.pieces_left > 0:
        all_there = arrived.pieces_left == goods.pieces_left and not owed
        return Fulfilment.DELIVERED if all_there else Fulfilment.PARTIALLY_DELIVERED
    return Fulfilment.PARTIALLY_FULFILLED if owed else Fulfilment.FULFILLED


def due_minor(total_minor: int, shipping_minor: int, goods: Goods) -> int:
    """Return what is due for the goods that have left, in minor units: nothing for none, exactly the total for all.

    Shipping is due with the first piece. The rest of the total, which has tax in it and the discount out of it, is due in
    the proportion of the goods' own value (of pieces, where all are free of charge), rounded down; what that leaves over
    comes with the last piece. The amount only grows, so a parcel's share is what it adds, and the shares make the total.
    """
    if goods.pieces_left == 0:
        return 0
    if goods.complete:
        return total_minor
    shipping = min(shipping_minor, total_minor)
    values = {number: line.unit_price_minor for number, line in enumerate(goods.lines, start=1)}
    if not any(values.values()):
        values = dict.fromkeys(values, 1)
    of_all = sum(values[number] * line.quantity for number, line in enumerate(goods.lines, start=1))
    of_left = sum(values[number] * pieces for number, pieces in goods.left.items())
    return shipping + (total_minor - shipping) * of_left // of_all


def due_of(order: Order, goods: Goods) -> int:
    """Return what is due of an order for the goods that have left (see `due_minor`)."""
    return due_minor(order.total_minor, order.shipping_minor, goods)


def contents_told(packed: Sequence[Packed], lines: Sequence[Line] = ()) -> str:
    """Return contents in words: `2 of line 1, 1 of A-7`; empty for none. With the order's lines, SKUs for their numbers."""
    return ", ".join(f"{each.quantity} of {_named(each, lines)}" for each in packed)


def _named(each: Packed, lines: Sequence[Line]) -> str:
    if not each.line:
        return each.sku
    if each.line > len(lines):
        return f"line {each.line}"
    sku = lines[each.line - 1].sku
    # Of two lines of one SKU, the number says which.
    return sku if [line.sku for line in lines].count(sku) == 1 else f"{sku} (line {each.line})"


def gone_at(parcel: Shipment) -> datetime:
    """Return when a parcel left, as far as its record says."""
    return parcel.shipped_at or parcel.requested_at


def _has_left(parcel: Shipment) -> bool:
    return parcel.state is ShipmentState.SHIPPED


def _lines_of(packed: Packed, lines: Sequence[Line]) -> list[int]:
    if packed.line:
        return [packed.line] if packed.line <= len(lines) else []
    return [number for number, line in enumerate(lines, start=1) if line.sku == packed.sku]
