"""Stock: what is on the shelf, what of it is promised to orders, and every movement that made it so.

    counted, adjusted   a person says what is there            available +/-
    reserved            an order was taken in                  available -> reserved
    released            it ended without goods                 reserved  -> available
    shipped             its goods left                         reserved  -> shipped
    found               more left than we knew of              shipped +
A level is the sum of its movements. None of its numbers can be below zero: what is not available is not promised.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from worker.domain.errors import InvalidInput
from worker.domain.order import TERMINAL, Order, OrderState

LONGEST_SKU = 255
NAMED = 10
"""SKUs that the reason of a rejection names."""
MOST = 10**15
"""Far more pieces than any shelf holds, far fewer than a 64-bit column does."""


class Unknown(StrEnum):
    """What a shop that keeps stock makes of an SKU without a level."""

    REFUSE = "refuse"
    UNLIMITED = "unlimited"
    """It is not counted: services, downloads, what is made to order."""


class MovementKind(StrEnum):
    """Why a level changed."""

    COUNTED = "counted"
    ADJUSTED = "adjusted"
    RESERVED = "reserved"
    RELEASED = "released"
    SHIPPED = "shipped"
    FOUND = "found"
    """Goods left that were neither promised nor available: the count was wrong, for what left was there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """One change of one SKU's level; append-only. Of its (shop, sku) the key names the fact: once is enough."""

    shop: str
    sku: str
    key: str
    kind: MovementKind
    at: datetime
    actor: str
    available_change: int = 0
    reserved_change: int = 0
    shipped_change: int = 0
    order_id: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """How many pieces of an SKU there are."""

    shop: str
    sku: str
    available: int = 0
    reserved: int = 0
    """Promised to orders whose goods have not left."""
    shipped: int = 0
    """Left since stock is kept."""

    @property
    def on_hand(self) -> int:
        """What a person would count on the shelf."""
        return self.available + self.reserved

    def moved(self, movement: Movement) -> "Level":
        """Return the level after a movement. Raises InvalidInput when a number would fall below zero."""
        after = replace(
            self,
            available=self.available + movement.available_change,
            reserved=self.reserved + movement.reserved_change,
            shipped=self.shipped + movement.shipped_change,
        )
        if min(after.available, after.reserved, after.shipped) < 0:
            raise InvalidInput(
                f"SKU {self.sku}: {movement.kind} would leave {after.available} available, {after.reserved} reserved and"
                f" {after.shipped} shipped; none of it can be below 0"
            )
        if after.on_hand > MOST:
            raise InvalidInput(f"SKU {self.sku}: at most {MOST} pieces can be on hand")
        return after


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """What one order has of an SKU: promised in all, still reserved, shipped."""

    sku: str
    promised: int
    reserved: int
    shipped: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortage:
    """An SKU of which an order wants more than there is; `available` is None where the shop knows no such SKU."""

    sku: str
    wanted: int
    available: int | None

    def __str__(self) -> str:
        """Say it as a reason for a rejection."""
        if self.available is None:
            return f"SKU {self.sku}: the shop's stock knows no such SKU"
        return f"SKU {self.sku}: {self.wanted} wanted, {self.available} available"


def told(missing: Sequence[Shortage]) -> tuple[str, ...]:
    """Return what is missing as reasons of a rejection, none for none; of a long order the first SKUs say enough."""
    rest = len(missing) - NAMED
    named = [("" if place else "too little stock: ") + str(each) for place, each in enumerate(missing[:NAMED])]
    return (*named, f"and {rest} more") if rest > 0 else tuple(named)


class Fate(StrEnum):
    """What a change of an order's state means to what is reserved for it."""

    STAYS = "stays"
    RELEASED = "released"
    SHIPPED = "shipped"


def fate(to: OrderState) -> Fate:
    """Return what becomes of an order's reservation when it enters a state.

    `needs_attention` releases too: its process has ended and its parcel was stopped, only its money waits for a person.
    """
    if to in {OrderState.SHIPPED, OrderState.COMPLETED}:
        return Fate.SHIPPED
    return Fate.RELEASED if to in TERMINAL else Fate.STAYS


def wanted_of(order: Order) -> dict[str, int]:
    """Return how many pieces of each SKU an order wants, sorted by SKU: the one order in which levels are locked."""
    wanted: dict[str, int] = {}
    for line in order.lines:
        wanted[line.sku] = wanted.get(line.sku, 0) + line.quantity
    return dict(sorted(wanted.items()))


def shortages(wanted: Mapping[str, int], levels: Mapping[str, Level], unknown: Unknown) -> list[Shortage]:
    """Return every SKU of which there is too little; all of an order is reserved or nothing."""
    found = []
    for sku, quantity in wanted.items():
        level = levels.get(sku)
        if level is None:
            if unknown is Unknown.REFUSE:
                found.append(Shortage(sku=sku, wanted=quantity, available=None))
        elif level.available < quantity:
            found.append(Shortage(sku=sku, wanted=quantity, available=level.available))
    return found


def reserved(order: Order, sku: str, quantity: int, at: datetime, actor: str) -> Movement:
    """Return the movement that promises pieces to an order."""
    return Movement(
        shop=order.shop,
        sku=sku,
        key=f"reserved:{order.order_id}",
        kind=MovementKind.RESERVED,
        at=at,
        actor=actor,
        available_change=-quantity,
        reserved_change=quantity,
        order_id=order.order_id,
    )


def settled(shop: str, order_id: str, holds: Sequence[Hold], to: Fate, at: datetime, actor: str) -> list[Movement]:
    """Return the movements that end a reservation; none when nothing is reserved any more."""
    released = to is Fate.RELEASED
    return [
        Movement(
            shop=shop,
            sku=hold.sku,
            # What is shipped already is part of the key: a reservation may end in parts.
            key=f"{to}:{order_id}:{hold.shipped}",
            kind=MovementKind.RELEASED if released else MovementKind.SHIPPED,
            at=at,
            actor=actor,
            available_change=hold.reserved if released else 0,
            reserved_change=-hold.reserved,
            shipped_change=0 if released else hold.reserved,
            order_id=order_id,
        )
        for hold in holds
        if hold.reserved > 0 and to is not Fate.STAYS
    ]


def released(
    shop: str,
    order_id: str,
    holds: Sequence[Hold],
    pieces: Mapping[str, int],
    request_id: str,
    at: datetime,
    actor: str,
) -> list[Movement]:
    """Return the movements that free some pieces of an order that goes on; as far as they are reserved."""
    return [
        Movement(
            shop=shop,
            sku=hold.sku,
            key=f"{Fate.RELEASED}:{order_id}:lines:{request_id}",
            kind=MovementKind.RELEASED,
            at=at,
            actor=actor,
            available_change=free,
            reserved_change=-free,
            order_id=order_id,
        )
        for hold in holds
        if (free := min(pieces.get(hold.sku, 0), hold.reserved)) > 0
    ]


def parted(
    shop: str, order_id: str, holds: Sequence[Hold], pieces: Mapping[str, int], at: datetime, actor: str
) -> list[Movement]:
    """Return the movements of a part of an order that left; `pieces` are all that have, by SKU. Again it is nothing."""
    return [
        Movement(
            shop=shop,
            sku=hold.sku,
            key=f"{Fate.SHIPPED}:{order_id}:{hold.shipped}",
            kind=MovementKind.SHIPPED,
            at=at,
            actor=actor,
            reserved_change=-gone,
            shipped_change=gone,
            order_id=order_id,
        )
        for hold in holds
        if (gone := min(pieces.get(hold.sku, 0) - hold.shipped, hold.reserved)) > 0
    ]


def left(
    shop: str,
    order_id: str,
    holds: Sequence[Hold],
    levels: Mapping[str, Level],
    pieces: Mapping[str, int],
    at: datetime,
    actor: str,
) -> list[Movement]:
    """Return the movements of goods that left although their order has ended, or is about to, without them.

    They are gone, whatever we decided: what is still reserved first, then what is available, and what is missing then
    is `found`. `pieces` are all that have left, by SKU: again it is nothing.
    """
    movements: list[Movement] = []
    for hold in holds:
        gone = max(min(hold.promised, pieces.get(hold.sku, 0)) - hold.shipped, 0)
        from_reserved = min(gone, hold.reserved)
        from_available = min(gone - from_reserved, levels[hold.sku].available)
        taken = from_reserved + from_available
        for kind, quantity, available, held in (
            (MovementKind.SHIPPED, taken, from_available, from_reserved),
            (MovementKind.FOUND, gone - taken, 0, 0),
        ):
            if quantity > 0:
                movements.append(
                    Movement(
                        shop=shop,
                        sku=hold.sku,
                        key=f"late {kind}:{order_id}:{hold.shipped}",
                        kind=kind,
                        at=at,
                        actor=actor,
                        available_change=-available,
                        reserved_change=-held,
                        shipped_change=quantity,
                        order_id=order_id,
                        reason="left although the order ends without goods",
                    )
                )
    return movements
