"""Who orders, cancels and ships goods of one shelf; as a program, one of several that do it at once until killed."""

import os
import sys
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import count
from random import Random
from typing import Any, cast

from sqlalchemy import Engine

from tests.integration.own_database import engine_of
from worker.contract.orders import OrderLine, OrderStatus, PaymentMode, PlaceOrder
from worker.domain.errors import Conflict
from worker.domain.order import OrderState
from worker.domain.stock import Unknown, wanted_of
from worker.repositories.database import MysqlDatabase
from worker.services.orders import OrderService
from worker.services.ports import Transaction
from worker.services.stock import StockService

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
SHELF = {"bowl": 20, "cup": 12, "jug": 3, "mug": 30, "pen": 0}
SKUS = sorted(SHELF)
S = OrderState
_TO_SHIPPED = (S.AUTHORISED, S.PAID, S.FULFILLING, S.SHIPPED, S.COMPLETED)


class _Clock:
    def now(self) -> datetime:
        return NOW


def kept(engine: Engine) -> MysqlDatabase:
    return MysqlDatabase(engine, stocked={"main": Unknown.REFUSE})


class Shopper:
    """Orders of one shop, as the services write them, without their provider and warehouse."""

    def __init__(self, database: MysqlDatabase) -> None:
        self.database = database
        self.clock = _Clock()
        outside = cast("Any", None)
        self.orders = OrderService(database, outside, outside, outside, self.clock)
        self.stock = StockService(database, self.clock)

    def fill(self, shelf: Mapping[str, int]) -> None:
        for sku, quantity in shelf.items():
            self.stock.adjust("main", sku, quantity, actor="test", reason="delivery")

    def record(self, order_id: str, wanted: Mapping[str, int], *, again: bool = False) -> OrderStatus:
        """Record an order as its workflow does; `again` doubles its lines."""
        lines = [OrderLine(sku=sku, quantity=quantity, unit_price_minor=1) for sku, quantity in wanted.items()]
        lines = lines * 2 if again else lines
        return self.orders.record(
            PlaceOrder(
                shop="main",
                order_id=order_id,
                currency="EUR",
                total_minor=sum(line.quantity for line in lines),
                lines=tuple(lines),
                customer_id="c1",
                payment_mode=PaymentMode.CHARGE,
                payment_method="pm_card_visa",
                placed_at=NOW.isoformat(),
            )
        )

    def place(self, order_id: str, wanted: Mapping[str, int], to: OrderState = S.PAYING) -> None:
        if to is S.PAYING:
            assert self.record(order_id, wanted).state == S.PAYING
            return
        # An order that has its goods and nothing else, from which every way leads.
        status = self.record(order_id, wanted)
        assert status.state == S.PAYING
        with self.database._engine.begin() as connection:
            connection.exec_driver_sql("UPDATE orders SET state = %s WHERE order_id = %s", (to.value, order_id))

    def move(self, order_id: str, to: OrderState) -> bool:
        """Move an order; False when it cannot go there."""

        def work(tx: Transaction) -> bool:
            tx.orders.move(tx.orders.lock("main", order_id), to, at=NOW, actor="test")
            return True

        try:
            return self.database.transact(work)
        except Conflict:
            return False

    def ship(self, order_id: str) -> bool:
        return all(self.move(order_id, state) for state in _TO_SHIPPED)

    def left(self, order_id: str) -> None:
        """Hear that the goods of an order left, whatever it thinks of that."""

        def work(tx: Transaction) -> None:
            order = tx.orders.lock("main", order_id)
            tx.stock.left("main", order_id, wanted_of(order), NOW, "warehouse")

        self.database.transact(work)

    def hammer(self, chance: Random, times: int | None, name: str) -> dict[str, int]:
        """Place, cancel and ship orders at random; for ever without `times`, with a line on stdout before each."""
        done: Counter[str] = Counter()
        mine: list[str] = []
        for number in count() if times is None else range(times):
            if times is None:
                sys.stdout.write("on\n")
                sys.stdout.flush()
            order_id = f"{name}-{number}"
            skus = chance.sample(SKUS, chance.randint(1, 4))
            taken = self.record(order_id, {sku: chance.randint(1, 4) for sku in skus}).state == S.PAYING
            done["taken" if taken else "rejected"] += 1
            if taken:
                mine.append(order_id)
            if mine and chance.random() < 0.5:
                one = mine.pop(chance.randrange(len(mine)))
                if chance.random() < 0.7:
                    done["cancelled"] += self.move(one, S.CANCELLED)
                else:
                    done["shipped"] += self.ship(one)
        return dict(done)


if __name__ == "__main__":
    database = kept(engine_of(os.environ["STOCK_DATABASE"], pool_size=1))
    Shopper(database).hammer(Random(sys.argv[1]), None, sys.argv[1])
