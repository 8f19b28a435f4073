"""Orders and their audit trail in MySQL.

The state of a locked order changes only by UPDATE ... WHERE state = the expected one, in one transaction with its line of the
trail, its entry of the timeline, the webhooks that tell of it and the stock that it frees or uses up; the trail is append-only
and its sequence has no gap. All moves of a transaction are one UPDATE and one INSERT, right before its commit.
"""

from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, insert, select, update

from worker.domain.errors import Conflict, NotFound
from worker.domain.ledger import OwnOrder
from worker.domain.order import MONEY_IN_HAND, Line, Order, OrderState, Transition
from worker.domain.timeline import StateChange, of_change
from worker.repositories.held_orders import HeldOrder, HeldOrders
from worker.repositories.insertion import insert_once
from worker.repositories.locks import lock_order
from worker.repositories.order_sums import (
    WITH_SUMS,
    OrderSums,
    ParcelTimes,
    Parts,
    parcel_times,
    parts_of,
    sums_in,
    sums_of,
    sums_of_one,
)
from worker.repositories.outbound import MysqlOutboundStore
from worker.repositories.paging import chunked, paged
from worker.repositories.schema import ORDER_TRAIL, ORDERS
from worker.repositories.stock import MysqlStockStore
from worker.repositories.timeline import MysqlTimelineStore

_ONE = (ORDERS.c.shop == bindparam("of_shop"), ORDERS.c.order_id == bindparam("of_order"))
_ADD = insert(ORDERS)
_GET = WITH_SUMS.where(*_ONE)
_MOVE = (
    update(ORDERS)
    .where(*_ONE, ORDERS.c.state == bindparam("expected"))
    .values(
        state=bindparam("to_state"),
        state_reason=bindparam("reason"),
        updated_at=bindparam("at"),
        trail_length=bindparam("length"),
    )
)
_APPEND = insert(ORDER_TRAIL)
_TRAIL = (
    select(ORDER_TRAIL)
    .where(ORDER_TRAIL.c.shop == bindparam("of_shop"), ORDER_TRAIL.c.order_id == bindparam("of_order"))
    .order_by(ORDER_TRAIL.c.sequence)
)
_COUNT = (
    select(ORDERS.c.state, func.count().label("orders"))
    .where(ORDERS.c.shop == bindparam("of_shop"))
    .group_by(ORDERS.c.state)
)
_OWN = select(
    ORDERS.c.order_id,
    ORDERS.c.state,
    ORDERS.c.total_minor,
    ORDERS.c.currency,
    ORDERS.c.payment_mode,
    ORDERS.c.placed_at,
    ORDERS.c.updated_at,
)


class MysqlOrderStore:
    """Implements `OrderStore`."""

    def __init__(
        self,
        connection: Connection,
        timeline: MysqlTimelineStore,
        outbound: MysqlOutboundStore,
        stock: MysqlStockStore,
        held: HeldOrders,
    ) -> None:
        self._connection = connection
        self._timeline = timeline
        self._outbound = outbound
        self._stock = stock
        self._held = held

    def add(self, order: Order, at: datetime, actor: str) -> bool:
        """Insert the order with its first trail line; return False (and change nothing) when it exists."""
        values = {
            "shop": order.shop,
            "order_id": order.order_id,
            "currency": order.currency,
            "total_minor": order.total_minor,
            "shipping_minor": order.shipping_minor,
            "discount_minor": order.discount_minor,
            "tax_minor": order.tax_minor,
            "positions": [asdict(line) for line in order.lines],
            "customer_id": order.customer_id,
            "payment_mode": order.payment_mode,
            "payment_method": order.payment_method,
            "origin": order.origin,
            "state": order.state.value,
            "state_reason": order.state_reason,
            "placed_at": order.placed_at,
            "updated_at": at,
            "trail_length": 1,
            "number": order.number,
        }
        if not insert_once(self._connection, _ADD, values):
            return False
        held = HeldOrder(replace(order, updated_at=at), order.state, trail_length=0)
        self._held[order.shop, order.order_id] = held
        self._append(held, "", at, actor)
        return True

    def get(self, shop: str, order_id: str) -> Order | None:
        """Return the order with its captured and refunded sums, or None."""
        if held := self._held.get((shop, order_id)):
            return held.order
        row = self._connection.execute(_GET, _key(shop, order_id)).one_or_none()
        return None if row is None else _order(row, sums_in(row))

    def lock(self, shop: str, order_id: str) -> Order:
        """Return the order, locked until the transaction ends. Raises NotFound."""
        return self._locked(shop, order_id).order

    def move(self, order: Order, to: OrderState, *, at: datetime, actor: str, reason: str = "") -> Order:
        """Change the state and append to the trail.

        Raises Conflict when the transition table forbids it or somebody else moved the order meanwhile, and
        NotFound when there is no such order.
        """
        order.moved(to)
        held = self._locked(order.shop, order.order_id)
        if held.order.state is not order.state:
            raise Conflict(f"order {order.shop}/{order.order_id} is {held.order.state}, no longer {order.state}")
        held.order = replace(held.order.moved(to, reason), updated_at=at)
        self._append(held, order.state, at, actor)
        return held.order

    def write(self) -> None:
        """Write the moves of this transaction."""
        for (shop, order_id), held in self._held.items():
            if held.unwritten:
                self._write(shop, order_id, held)

    def trail(self, shop: str, order_id: str) -> list[Transition]:
        """Return the audit trail, oldest first."""
        self.write()
        return [
            Transition(
                from_state=row.from_state,
                to_state=row.to_state,
                at=row.happened_at,
                actor=row.actor,
                reason=row.reason,
            )
            for row in self._connection.execute(_TRAIL, _key(shop, order_id))
        ]

    def recent(self, shop: str, *, state: str | None, limit: int, since: datetime | None = None) -> list[Order]:
        """Return the newest orders by placing time, newest first; of one state, placed from `since` on."""
        statement = select(ORDERS).where(ORDERS.c.shop == shop)
        if since is not None:
            statement = statement.where(ORDERS.c.placed_at >= since)
        if state is not None:
            statement = statement.where(ORDERS.c.state == state)
        newest = statement.order_by(ORDERS.c.placed_at.desc(), ORDERS.c.order_id.desc()).limit(limit)
        return self._orders(shop, self._connection.execute(newest).all())

    def count_by_state(self, shop: str) -> dict[str, int]:
        """Return how many orders stand in each state; states without orders are absent."""
        return {row.state: row.orders for row in self._connection.execute(_COUNT, {"of_shop": shop})}

    def for_reconciliation(self, shop: str, start: datetime, end: datetime, order_ids: Sequence[str]) -> list[OwnOrder]:
        """Return the orders placed or updated in [start, end), and those named, each once, sorted by id.

        Orders placed before `end` that still hold money without being over are carried for as long as they do.
        """
        rows: dict[str, Row[Any]] = {}
        for time in (ORDERS.c.placed_at, ORDERS.c.updated_at):
            in_range = _OWN.where(ORDERS.c.shop == shop, time >= start, time < end)
            rows |= {row.order_id: row for row in paged(self._connection, in_range, [time, ORDERS.c.order_id])}
        for state in sorted(MONEY_IN_HAND):
            carried = _OWN.where(ORDERS.c.shop == shop, ORDERS.c.state == state.value, ORDERS.c.placed_at < end)
            pages = paged(self._connection, carried, [ORDERS.c.placed_at, ORDERS.c.order_id])
            rows |= {row.order_id: row for row in pages}
        missing = sorted(set(order_ids) - rows.keys())
        for some in chunked(missing):
            named = _OWN.where(ORDERS.c.shop == shop, ORDERS.c.order_id.in_(some))
            rows |= {row.order_id: row for row in self._connection.execute(named)}
        sums = sums_of(self._connection, shop, {order_id: row.currency for order_id, row in rows.items()})
        parcels = parcel_times(self._connection, shop, list(rows))
        none, parts, whole = ParcelTimes(), parts_of(self._connection, shop, list(parcels)), Parts()
        return [
            OwnOrder(
                order_id=order_id,
                state=row.state,
                total_minor=row.total_minor,
                currency=row.currency,
                payment_mode=row.payment_mode,
                captured_minor=sums[order_id].captured_minor,
                refunded_minor=sums[order_id].refunded_minor,
                disputed_minor=sums[order_id].disputed_minor,
                placed_at=row.placed_at,
                updated_at=row.updated_at,
                shipped_at=parcels.get(order_id, none).shipped_at,
                requested_at=parcels.get(order_id, none).requested_at,
                parcels=parts.get(order_id, whole).parcels,
                pieces=parts.get(order_id, whole).pieces,
                due_minor=parts.get(order_id, whole).due_minor,
            )
            for order_id, row in sorted(rows.items())
        ]

    def by_number(self, shop: str, numbers: Sequence[str]) -> dict[str, str]:
        """Map numbers of orders to their ids. Left out is what is an id itself, and what several orders bear."""
        found: dict[str, set[str]] = {}
        for some in chunked(numbers):
            columns = select(ORDERS.c.number, ORDERS.c.order_id).where(ORDERS.c.shop == shop)
            for row in self._connection.execute(columns.where(ORDERS.c.number.in_(some))):
                found.setdefault(row.number, set()).add(row.order_id)
            for row in self._connection.execute(columns.where(ORDERS.c.order_id.in_(some))):
                found[row.order_id] = set()
        return {number: next(iter(ids)) for number, ids in sorted(found.items()) if len(ids) == 1}

    def _locked(self, shop: str, order_id: str) -> HeldOrder:
        held = self._held.get((shop, order_id))
        if held is not None:
            return held
        row = lock_order(self._connection, shop, order_id)
        if row is None:
            raise NotFound(f"order {shop}/{order_id} is not in our books")
        order = _order(row, sums_of_one(self._connection, shop, order_id, row.currency))
        self._held[shop, order_id] = held = HeldOrder(order, order.state, row.trail_length)
        return held

    def _append(self, held: HeldOrder, from_state: str, at: datetime, actor: str) -> None:
        order = held.order
        held.unwritten.append(
            Transition(from_state=from_state, to_state=order.state, at=at, actor=actor, reason=order.state_reason)
        )
        change = StateChange(
            shop=order.shop,
            order_id=order.order_id,
            from_state=from_state,
            to_state=order.state,
            at=at,
            actor=actor,
            currency=order.currency,
            total_minor=order.total_minor,
        )
        self._timeline.add(of_change(change))
        self._outbound.changed(change)
        self._stock.changed(change)

    def _write(self, shop: str, order_id: str, held: HeldOrder) -> None:
        order, key = held.order, {"shop": shop, "order_id": order_id}
        lines = [
            {
                **key,
                "sequence": number,
                "from_state": line.from_state,
                "to_state": line.to_state,
                "happened_at": line.at,
                "actor": line.actor,
                "reason": line.reason,
            }
            for number, line in enumerate(held.unwritten, start=held.trail_length + 1)
        ]
        held.unwritten, held.trail_length = [], held.trail_length + len(lines)
        if held.stored is not order.state:
            moved = {
                "expected": held.stored.value,
                "to_state": order.state.value,
                "reason": order.state_reason,
                "at": order.updated_at,
                "length": held.trail_length,
            }
            changed = self._connection.execute(_MOVE, {**_key(shop, order_id), **moved})
            assert changed.rowcount == 1, "it is locked"
            held.stored = order.state
        self._connection.execute(_APPEND, lines)

    def _orders(self, shop: str, rows: Sequence[Row[Any]]) -> list[Order]:
        sums = sums_of(self._connection, shop, {row.order_id: row.currency for row in rows})
        return [_order(row, sums[row.order_id]) for row in rows]


def _order(row: Row[Any], sums: OrderSums) -> Order:
    return Order(
        shop=row.shop,
        order_id=row.order_id,
        currency=row.currency,
        total_minor=row.total_minor,
        lines=tuple(Line(**position) for position in row.positions),
        customer_id=row.customer_id,
        payment_mode=row.payment_mode,
        placed_at=row.placed_at,
        origin=row.origin,
        shipping_minor=row.shipping_minor,
        discount_minor=row.discount_minor,
        tax_minor=row.tax_minor,
        payment_method=row.payment_method,
        state=OrderState(row.state),
        state_reason=row.state_reason,
        updated_at=row.updated_at,
        captured_minor=sums.captured_minor,
        refunded_minor=sums.refunded_minor,
        disputed_minor=sums.disputed_minor,
        number=row.number,
    )


def _key(shop: str, order_id: str) -> dict[str, str]:
    return {"of_shop": shop, "of_order": order_id}
