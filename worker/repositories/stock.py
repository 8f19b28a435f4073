"""Stock in MySQL: levels, each the sum of its movements.

Nothing is oversold because a level is read under its lock, changed by the domain's arithmetic and written with its
movement in one transaction; a CHECK of the table refuses what would be below zero all the same. The levels of an order
are locked in one statement along the primary key, so two orders of the same goods never wait for each other in a circle.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, case, func, insert, select
from sqlalchemy.dialects.mysql import insert as upsert

from worker.domain.order import TERMINAL, Order, OrderState
from worker.domain.stock import (
    Fate,
    Hold,
    Level,
    Movement,
    MovementKind,
    Shortage,
    Unknown,
    fate,
    left,
    parted,
    released,
    reserved,
    settled,
    shortages,
    wanted_of,
)
from worker.domain.timeline import StateChange
from worker.repositories.locks import lock_stock, lock_stock_of_one
from worker.repositories.schema import ORDERS
from worker.repositories.stock_tables import STOCK_LEVELS, STOCK_MOVEMENTS
from worker.services.ports.stock import Contradiction

_L, _M = STOCK_LEVELS.c, STOCK_MOVEMENTS.c
_SAVE = upsert(STOCK_LEVELS)
_SAVE = _SAVE.on_duplicate_key_update(
    {name: _SAVE.inserted[name] for name in ("available", "reserved", "shipped", "updated_at")}
)
_APPEND = insert(STOCK_MOVEMENTS)
_BOOKED = select(_M.movement_id).where(
    _M.shop == bindparam("of_shop"), _M.sku == bindparam("of_sku"), _M.movement_key == bindparam("of_key")
)
_LEVEL = select(STOCK_LEVELS).where(_L.shop == bindparam("of_shop"), _L.sku == bindparam("of_sku"))
_NEWEST = (
    select(STOCK_MOVEMENTS)
    .where(_M.shop == bindparam("of_shop"), _M.sku == bindparam("of_sku"))
    .order_by(_M.movement_id.desc())
    .limit(bindparam("at_most"))
)
_HELD = func.sum(_M.reserved_change)
_OF_ORDER = (
    select(
        _M.sku,
        func.sum(case((_M.kind == MovementKind.RESERVED.value, _M.reserved_change), else_=0)).label("promised"),
        _HELD.label("reserved"),
        func.sum(_M.shipped_change).label("shipped"),
    )
    .where(_M.shop == bindparam("of_shop"), _M.order_id == bindparam("of_order"))
    .group_by(_M.sku)
    .order_by(_M.sku)
)
_HOLDERS = (
    select(_M.order_id, _HELD.label("reserved"))
    .where(_M.shop == bindparam("of_shop"), _M.sku == bindparam("of_sku"), _M.order_id != "")
    .group_by(_M.order_id)
    .having(_HELD != 0)
    .order_by(_M.order_id)
    .limit(bindparam("at_most"))
)
_SUMS = (
    select(
        _M.sku,
        func.sum(_M.available_change).label("available"),
        _HELD.label("reserved"),
        func.sum(_M.shipped_change).label("shipped"),
    )
    .where(_M.shop == bindparam("of_shop"))
    .group_by(_M.sku)
    .subquery()
)
# One statement, so one view of the rows: what is sold meanwhile is in both numbers or in neither.
_WRONG = (
    select(
        _L.sku,
        *(_L[name].label(f"{name}_is") for name in ("available", "reserved", "shipped")),
        *(func.coalesce(_SUMS.c[name], 0).label(f"{name}_sum") for name in ("available", "reserved", "shipped")),
    )
    .select_from(STOCK_LEVELS.outerjoin(_SUMS, _SUMS.c.sku == _L.sku))
    .where(
        _L.shop == bindparam("of_shop"),
        (_L.available != func.coalesce(_SUMS.c.available, 0))
        | (_L.reserved != func.coalesce(_SUMS.c.reserved, 0))
        | (_L.shipped != func.coalesce(_SUMS.c.shipped, 0)),
    )
    .order_by(_L.sku)
)
_WITHOUT_LEVEL = (
    select(_SUMS.c.sku)
    .select_from(_SUMS.outerjoin(STOCK_LEVELS, (_L.shop == bindparam("of_shop")) & (_L.sku == _SUMS.c.sku)))
    .where(_L.sku.is_(None))
    .order_by(_SUMS.c.sku)
)
_OUTLIVED = (
    select(_M.order_id, _M.sku, ORDERS.c.state, _HELD.label("reserved"))
    .select_from(STOCK_MOVEMENTS.outerjoin(ORDERS, (ORDERS.c.shop == _M.shop) & (ORDERS.c.order_id == _M.order_id)))
    .where(
        _M.shop == bindparam("of_shop"),
        _M.order_id != "",
        ORDERS.c.state.is_(None) | ORDERS.c.state.in_(sorted(state.value for state in TERMINAL)),
    )
    .group_by(_M.order_id, _M.sku, ORDERS.c.state)
    .having(_HELD != 0)
    .order_by(_M.order_id, _M.sku)
)


class MysqlStockStore:
    """Implements `StockStore`. `kept` are the shops that keep stock, with what an SKU without a level means there."""

    def __init__(self, connection: Connection, kept: Mapping[str, Unknown]) -> None:
        self._connection = connection
        self._kept = kept

    def reserve(self, order: Order, at: datetime, actor: str) -> list[Shortage]:
        """Promise an order its goods, all or nothing; return what there is too little of. The order must be locked."""
        unknown = self._kept.get(order.shop)
        if unknown is None:
            return []
        wanted = wanted_of(order)
        levels = self._locked(order.shop, list(wanted))
        missing = shortages(wanted, levels, unknown)
        if not missing:
            self._write(levels, [reserved(order, sku, wanted[sku], at, actor) for sku in levels])
        return missing

    def changed(self, change: StateChange) -> None:
        """Settle an order's reservation when its new state ends it."""
        to = fate(change.to_state)
        # What was rejected got nothing, and what completes after it was shipped has nothing left: no need to look.
        over = change.to_state is OrderState.REJECTED or change.from_state == OrderState.SHIPPED
        if to is not Fate.STAYS and not over and change.shop in self._kept:
            self.settle(change.shop, change.order_id, to, change.at, change.actor)

    def settle(self, shop: str, order_id: str, to: Fate, at: datetime, actor: str) -> None:
        """End what is reserved for an order, which must be locked; again it is nothing."""
        holds = [hold for hold in self.of_order(shop, order_id) if hold.reserved > 0]
        levels = self._locked(shop, [hold.sku for hold in holds])
        self._write(levels, settled(shop, order_id, holds, to, at, actor))

    def parted(self, shop: str, order_id: str, pieces: Mapping[str, int], at: datetime, actor: str) -> None:
        """Book a part of an order that left; `pieces` are all that have, by SKU. The order must be locked."""
        if shop not in self._kept:
            return
        holds = self.of_order(shop, order_id)
        levels = self._locked(shop, [hold.sku for hold in holds])
        self._write(levels, parted(shop, order_id, holds, pieces, at, actor))

    def released(
        self, shop: str, order_id: str, pieces: Mapping[str, int], request_id: str, at: datetime, actor: str
    ) -> None:
        """Free pieces, by SKU, of an order that goes on without them. The order must be locked."""
        if shop not in self._kept:
            return
        holds = self.of_order(shop, order_id)
        levels = self._locked(shop, [hold.sku for hold in holds])
        self._write(levels, released(shop, order_id, holds, pieces, request_id, at, actor))

    def left(self, shop: str, order_id: str, pieces: Mapping[str, int], at: datetime, actor: str) -> None:
        """Book goods that left although their order ends without them; `pieces` are all that have left, by SKU.

        Again it is nothing. The order must be locked.
        """
        if shop not in self._kept:
            return
        holds = self.of_order(shop, order_id)
        levels = self._locked(shop, [hold.sku for hold in holds])
        self._write(levels, left(shop, order_id, holds, levels, pieces, at, actor))

    def book(self, movement: Movement) -> Level:
        """Append a movement of a person's and return the level after it. One with a known key changes nothing.

        Raises InvalidInput when a number would fall below zero.
        """
        level = self.lock(movement.shop, movement.sku)
        key = {"of_shop": movement.shop, "of_sku": movement.sku, "of_key": movement.key}
        if self._connection.execute(_BOOKED, key).one_or_none() is not None:
            return level
        return self._write({movement.sku: level}, [movement])[movement.sku]

    def lock(self, shop: str, sku: str) -> Level:
        """Return the level of an SKU, made when it is new, locked until the transaction ends."""
        return _level(lock_stock_of_one(self._connection, shop, sku))

    def level(self, shop: str, sku: str) -> Level | None:
        """Return the level of an SKU, or None."""
        row = self._connection.execute(_LEVEL, {"of_shop": shop, "of_sku": sku}).one_or_none()
        return None if row is None else _level(row)

    def levels(self, shop: str, *, at_most: int | None, limit: int) -> list[Level]:
        """Return levels sorted by SKU; only those of which at most so many are available."""
        statement = select(STOCK_LEVELS).where(_L.shop == shop).order_by(_L.sku).limit(limit)
        if at_most is not None:
            statement = statement.where(_L.available <= at_most)
        return [_level(row) for row in self._connection.execute(statement)]

    def movements(self, shop: str, sku: str, limit: int) -> list[Movement]:
        """Return the newest movements of an SKU, newest first."""
        rows = self._connection.execute(_NEWEST, {"of_shop": shop, "of_sku": sku, "at_most": limit})
        return [_movement(row) for row in rows]

    def holders(self, shop: str, sku: str, limit: int) -> dict[str, int]:
        """Return the orders that an SKU is reserved for, with how many pieces each."""
        rows = self._connection.execute(_HOLDERS, {"of_shop": shop, "of_sku": sku, "at_most": limit})
        return {row.order_id: int(row.reserved) for row in rows}

    def of_order(self, shop: str, order_id: str) -> list[Hold]:
        """Return what an order has of each SKU, sorted by SKU."""
        rows = self._connection.execute(_OF_ORDER, {"of_shop": shop, "of_order": order_id})
        return [
            Hold(sku=row.sku, promised=int(row.promised), reserved=int(row.reserved), shipped=int(row.shipped))
            for row in rows
        ]

    def contradictions(self, shop: str) -> list[Contradiction]:
        """Return levels that are not the sum of their movements, and reservations of orders that are over."""
        of_shop = {"of_shop": shop}
        found = [
            Contradiction(
                sku=row.sku,
                order_id="",
                what="the level is"
                f" {row.available_is} available, {row.reserved_is} reserved, {row.shipped_is} shipped; its movements make"
                f" {row.available_sum}, {row.reserved_sum}, {row.shipped_sum}",
            )
            for row in self._connection.execute(_WRONG, of_shop)
        ]
        found += [
            Contradiction(sku=row.sku, order_id="", what="there are movements and no level")
            for row in self._connection.execute(_WITHOUT_LEVEL, of_shop)
        ]
        return found + [
            Contradiction(
                sku=row.sku,
                order_id=row.order_id,
                what=f"{row.reserved} reserved for an order that is {row.state or 'not in our books'}",
            )
            for row in self._connection.execute(_OUTLIVED, of_shop)
        ]

    def _locked(self, shop: str, skus: Sequence[str]) -> dict[str, Level]:
        return {row.sku: _level(row) for row in lock_stock(self._connection, shop, skus)} if skus else {}

    def _write(self, levels: Mapping[str, Level], movements: Iterable[Movement]) -> dict[str, Level]:
        """Append movements and write the levels they lead to, which are locked."""
        after: dict[str, Level] = {}
        rows: list[dict[str, Any]] = []
        at: dict[str, datetime] = {}
        for each in movements:
            after[each.sku] = after.get(each.sku, levels[each.sku]).moved(each)
            at[each.sku] = each.at
            rows.append(_row(each))
        if rows:
            self._connection.execute(_SAVE, [_saved(after[sku], at[sku]) for sku in sorted(after)])
            self._connection.execute(_APPEND, rows)
        return after


def _level(row: Row[Any]) -> Level:
    return Level(shop=row.shop, sku=row.sku, available=row.available, reserved=row.reserved, shipped=row.shipped)


def _saved(level: Level, at: datetime) -> dict[str, Any]:
    return {
        "shop": level.shop,
        "sku": level.sku,
        "available": level.available,
        "reserved": level.reserved,
        "shipped": level.shipped,
        "updated_at": at,
    }


def _row(movement: Movement) -> dict[str, Any]:
    return {
        "shop": movement.shop,
        "sku": movement.sku,
        "movement_key": movement.key,
        "kind": movement.kind.value,
        "order_id": movement.order_id,
        "available_change": movement.available_change,
        "reserved_change": movement.reserved_change,
        "shipped_change": movement.shipped_change,
        "happened_at": movement.at,
        "actor": movement.actor[:255],
        "reason": movement.reason,
    }


def _movement(row: Row[Any]) -> Movement:
    return Movement(
        shop=row.shop,
        sku=row.sku,
        key=row.movement_key,
        kind=MovementKind(row.kind),
        at=row.happened_at,
        actor=row.actor,
        available_change=row.available_change,
        reserved_change=row.reserved_change,
        shipped_change=row.shipped_change,
        order_id=row.order_id,
        reason=row.reason,
    )
