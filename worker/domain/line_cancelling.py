"""Cancelling pieces of an order that have not left: what they are worth, and what the order owes without them.

Their worth is their price, with the share of tax and of discount that lies on them. Tax and discount are each shared out
over all pieces of the order in the proportion of their prices (of pieces, where all are free of charge), to the minor unit
and by the largest remainder: what is cancelled and what stays always make the whole again. Shipping is no piece's: it is
owed as long as anything is, and only goes back with the order as a whole.

The order itself becomes smaller: its lines keep their numbers and lose pieces, and its total is what the rest makes. So
whatever asks what is due (parcels, captures, refunds, reconciliation) asks of that.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from worker.domain.errors import Conflict, InvalidInput
from worker.domain.ledger import Packed
from worker.domain.order import Line, Order, OrderState
from worker.domain.parcels import contents_told


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """Pieces that are cancelled, by line (from 1), and what they are worth in minor units."""

    pieces: Mapping[int, int]
    tax_minor: int
    discount_minor: int
    amount_minor: int
    """Less is owed by this much: prices and tax without the discount, never below zero."""


def may_lose_lines(order: Order) -> bool:
    """Tell whether the order stands where pieces of it can be cancelled."""
    held = order.captured_on_shipment and order.state is OrderState.AUTHORISED
    return order.paid_through_us and (held or order.state in {OrderState.FULFILLING, OrderState.LAPSED})


def check_state(order: Order) -> None:
    """Raise Conflict when no pieces of the order can be cancelled as it stands now."""
    if not order.paid_through_us:
        raise Conflict("the shop collects the money of this order: change the order in the shop")
    if not may_lose_lines(order):
        raise Conflict(
            f"the order is {order.state}: single lines can be cancelled once its money is held or taken, "
            "until its goods have left"
        )


def check_pieces(lines: Sequence[Line], owed: Mapping[int, int], wanted: Mapping[int, int]) -> None:
    """Raise InvalidInput for lines that the order does not have, Conflict for more than has not left of one."""
    if not wanted:
        raise InvalidInput("say which lines are to be cancelled")
    for number, pieces in wanted.items():
        if not 1 <= number <= len(lines):
            raise InvalidInput(f"line {number}: the order has lines 1 to {len(lines)}")
        if pieces < 1:
            raise InvalidInput(f"line {number}: the quantity must be at least 1")
    short = [
        f"{owed.get(number, 0)} of line {number}" for number in sorted(wanted) if wanted[number] > owed.get(number, 0)
    ]
    if short:
        raise Conflict(f"only {', '.join(short)} can still be cancelled: the rest has left, or was cancelled before")


def cut_of(order: Order, wanted: Mapping[int, int]) -> Cut:
    """Return what these pieces are worth, which `check_pieces` let pass.

    Raises Conflict where what stays would cost nothing: then the order is to be cancelled, or left as it is.
    """
    lines = list(enumerate(order.lines, start=1))
    free = not any(line.unit_price_minor * line.quantity for _, line in lines)
    price = {number: 1 if free else line.unit_price_minor for number, line in lines}
    gone = [price[number] * wanted.get(number, 0) for number, _ in lines]
    stay = [price[number] * (line.quantity - wanted.get(number, 0)) for number, line in lines]
    tax = sum(shared_out(order.tax_minor, [*gone, *stay])[: len(lines)])
    discount = sum(shared_out(order.discount_minor, [*gone, *stay])[: len(lines)])
    goods = sum(order.lines[number - 1].unit_price_minor * pieces for number, pieces in wanted.items())
    # A discount that pays for the shipping as well may be worth more than its pieces.
    discount = min(discount, goods + tax)
    amount = goods + tax - discount
    if amount >= order.total_minor:
        raise Conflict("what would stay of the order costs nothing: cancel the order instead")
    return Cut(pieces=dict(sorted(wanted.items())), tax_minor=tax, discount_minor=discount, amount_minor=amount)


def without(order: Order, cut: Cut) -> Order:
    """Return the order as it is without these pieces; its lines keep their numbers."""
    return replace(
        order,
        lines=tuple(
            replace(line, quantity=line.quantity - cut.pieces.get(number, 0))
            for number, line in enumerate(order.lines, start=1)
        ),
        tax_minor=order.tax_minor - cut.tax_minor,
        discount_minor=order.discount_minor - cut.discount_minor,
        total_minor=order.total_minor - cut.amount_minor,
    )


def to_give_back(order: Order, cut: Cut) -> int:
    """Return how much of a cut is refunded: what the order, smaller already, holds beyond its total.

    Nothing while the money is only held: less is captured then. Refunds that were made before count towards it.
    """
    return min(cut.amount_minor, max(order.kept_minor - order.total_minor, 0))


def pieces_told(order: Order, cut: Cut) -> str:
    """Return the pieces in words, by SKU."""
    return contents_told([Packed(line=number, quantity=pieces) for number, pieces in cut.pieces.items()], order.lines)


def shared_out(amount: int, weights: Sequence[int]) -> list[int]:
    """Share an amount out in the proportion of weights, in whole units, by the largest remainder; the parts make the amount.

    Of equal remainders the earlier part gets the unit. Without any weight all of it is the last part's.
    """
    of_all = sum(weights)
    if not of_all:
        return [*[0] * (len(weights) - 1), amount] if weights else []
    parts = [amount * weight // of_all for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda at: (-(amount * weights[at] % of_all), at))
    for at in by_remainder[: amount - sum(parts)]:
        parts[at] += 1
    return parts
