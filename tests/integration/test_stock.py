"""Stock on the real database: never oversold, whoever tries at once and whoever dies, and every level is its movements' sum."""

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from random import Random

import pytest
from sqlalchemy import Engine, text

from tests.integration.hammered_stock import NOW, SHELF, SKUS, Shopper, kept
from tests.integration.own_database import at_once, emptied, migrated_database
from worker.domain.errors import InvalidInput, NotFound
from worker.domain.order import OrderState
from worker.domain.stock import Fate, MovementKind, Unknown
from worker.repositories.database import MysqlDatabase
from worker.services.stock import StockService

S = OrderState


@pytest.fixture(scope="module")
def shared(database_url: str) -> Iterator[Engine]:
    with migrated_database(database_url) as engine:
        yield engine


@pytest.fixture
def engine(shared: Engine) -> Engine:
    emptied(shared)
    return shared


@pytest.fixture
def shopper(engine: Engine) -> Shopper:
    """Who orders one SKU after the other, with ten mugs and four pens on the shelf."""
    shopper = Shopper(kept(engine))
    shopper.fill({"mug": 10, "pen": 4})
    return shopper


def level(shopper: Shopper, sku: str) -> tuple[int, int, int]:
    found = shopper.stock.level("main", sku)
    return found.available, found.reserved, found.shipped


def wrong(shopper: Shopper) -> list[str]:
    return [each.what for each in shopper.database.transact(lambda tx: tx.stock.contradictions("main"))]


def test_an_order_reserves_and_its_end_frees_or_ships(shopper: Shopper) -> None:
    shopper.place("a", {"mug": 3, "pen": 1})
    shopper.place("b", {"mug": 2})
    assert level(shopper, "mug") == (5, 5, 0)
    assert shopper.stock.level("main", "mug").on_hand == 10
    assert shopper.move("a", S.CANCELLED)
    assert (level(shopper, "mug"), level(shopper, "pen")) == ((8, 2, 0), (4, 0, 0))
    shopper.ship("b")
    assert level(shopper, "mug") == (8, 0, 2)
    kinds = [each.kind for each in shopper.database.transact(lambda tx: tx.stock.movements("main", "mug", 9))]
    assert kinds == ["shipped", "released", "reserved", "reserved", "adjusted"], "newest first"
    assert wrong(shopper) == []


@pytest.mark.parametrize("end", [S.CANCELLED, S.DECLINED, S.EXPIRED, S.REFUNDED, S.NEEDS_ATTENTION])
def test_every_end_without_goods_frees_them(shopper: Shopper, end: OrderState) -> None:
    way = {
        S.CANCELLED: [S.PAYING, S.CANCELLED],
        S.DECLINED: [S.PAYING, S.DECLINED],
        S.EXPIRED: [S.AWAITING_PAYMENT, S.EXPIRED],
        S.REFUNDED: [S.PAYING, S.AUTHORISED, S.PAID, S.REFUNDING, S.REFUNDED],
        S.NEEDS_ATTENTION: [S.PAYING, S.AUTHORISED, S.PAID, S.REFUNDING, S.NEEDS_ATTENTION],
    }[end]
    shopper.place("a", {"mug": 10}, to=S.RECEIVED)
    for state in way[:-1]:
        assert shopper.move("a", state)
        assert level(shopper, "mug") == (0, 10, 0), f"{state} is no end"
    assert shopper.move("a", way[-1])
    assert level(shopper, "mug") == (10, 0, 0)


def test_too_little_stock_rejects_and_says_of_what_and_takes_nothing(shopper: Shopper) -> None:
    status = shopper.record("a", {"mug": 2, "pen": 5})
    assert status.state == S.REJECTED
    assert status.reason == "too little stock: SKU pen: 5 wanted, 4 available"
    assert (level(shopper, "mug"), level(shopper, "pen")) == ((10, 0, 0), (4, 0, 0))


def test_lines_of_the_same_sku_are_one_want(shopper: Shopper) -> None:
    assert shopper.record("a", {"pen": 3}, again=True).reason == "too little stock: SKU pen: 6 wanted, 4 available"


def test_recording_twice_reserves_once(shopper: Shopper) -> None:
    first = shopper.record("a", {"mug": 4})
    assert shopper.record("a", {"mug": 4}) == first
    assert level(shopper, "mug") == (6, 4, 0)


def test_what_an_unknown_sku_means_is_the_shops_setting(engine: Engine) -> None:
    refusing = Shopper(MysqlDatabase(engine, stocked={"main": Unknown.REFUSE}))
    assert refusing.record("a", {"hat": 1}).reason == "too little stock: SKU hat: the shop's stock knows no such SKU"
    unlimited = Shopper(MysqlDatabase(engine, stocked={"main": Unknown.UNLIMITED}))
    assert unlimited.record("b", {"hat": 10**9, "x" * 400: 1}).state == S.PAYING
    not_kept = Shopper(MysqlDatabase(engine, stocked={"other": Unknown.REFUSE}))
    not_kept.fill({"mug": 1})
    assert not_kept.record("c", {"mug": 5}).state == S.PAYING
    assert level(not_kept, "mug") == (1, 0, 0)


def test_goods_that_left_after_the_end_are_gone(shopper: Shopper) -> None:
    shopper.place("a", {"mug": 3, "pen": 4})
    shopper.move("a", S.CANCELLED)
    shopper.place("b", {"pen": 3})
    for _ in range(2):  # the warehouse says it twice
        shopper.left("a")
        assert level(shopper, "mug") == (7, 0, 3)
        assert level(shopper, "pen") == (0, 3, 4), (
            "one was available; what left besides was there, but not in our count"
        )
    newest = shopper.database.transact(lambda tx: tx.stock.movements("main", "pen", 2))
    assert sorted((each.kind, each.shipped_change) for each in newest) == [("found", 3), ("shipped", 1)]
    shopper.ship("b")
    assert (level(shopper, "pen"), wrong(shopper)) == ((0, 0, 7), [])


def test_goods_that_left_while_the_money_went_back_are_not_freed(shopper: Shopper) -> None:
    shopper.place("a", {"mug": 3})
    for state in (S.AUTHORISED, S.PAID, S.REFUNDING):
        shopper.move("a", state)
    shopper.left("a")
    shopper.move("a", S.REFUNDED)
    assert (level(shopper, "mug"), wrong(shopper)) == ((7, 0, 3), [])


def test_a_count_takes_in_what_is_reserved_and_never_breaks_a_promise(shopper: Shopper) -> None:
    shopper.place("a", {"mug": 6})
    stock = shopper.stock
    dry = stock.count("main", "mug", 8, actor="kim", reason="stock-take", dry_run=True)
    assert (dry.after.available, level(shopper, "mug")) == (2, (4, 6, 0))
    assert stock.count("main", "mug", 8, actor="kim", reason="stock-take").after == dry.after
    with pytest.raises(InvalidInput, match="5 on hand, but 6 are reserved, for orders like a;"):
        stock.count("main", "mug", 5, actor="kim", reason="stock-take")
    with pytest.raises(InvalidInput, match="-1 available"):
        stock.adjust("main", "mug", -3, actor="kim", reason="broken")
    assert level(shopper, "mug") == (2, 6, 0)


def test_a_delivery_is_booked_once_under_its_reference(shopper: Shopper) -> None:
    for _ in range(2):
        shopper.stock.adjust("main", "mug", 5, actor="kim", reason="delivery", reference="note-7")
    assert level(shopper, "mug") == (15, 0, 0)


def test_new_levels_are_made_once_by_all_who_count_at_once(engine: Engine) -> None:
    stock = StockService(kept(engine), Shopper(kept(engine)).clock)
    at_once(6, lambda number: stock.adjust("main", "new", number + 1, actor="kim", reason="delivery"))
    assert stock.level("main", "new").available == 21


@pytest.mark.parametrize("sku", ["", " mug", "mug\n", "x" * 256])
def test_an_sku_that_nobody_can_type_again_is_refused(shopper: Shopper, sku: str) -> None:
    with pytest.raises(InvalidInput):
        shopper.stock.count("main", sku, 1, actor="kim", reason="stock-take")
    with pytest.raises(NotFound):
        shopper.stock.level("main", "nothing")


def test_a_check_finds_what_was_tampered_with_and_what_outlived_its_order(shopper: Shopper, engine: Engine) -> None:
    shopper.place("a", {"mug": 3})
    shopper.place("b", {"pen": 1})
    Shopper(MysqlDatabase(engine)).move("a", S.CANCELLED)  # the settings kept no stock for a while
    assert wrong(shopper) == ["3 reserved for an order that is cancelled"]
    assert shopper.stock.settle("main", "a", actor="kim", reason="kept late") is Fate.RELEASED
    assert (wrong(shopper), level(shopper, "mug")) == ([], (10, 0, 0))
    with pytest.raises(InvalidInput, match="stays"):
        shopper.stock.settle("main", "b", actor="kim", reason="kept late")
    with engine.begin() as connection:
        connection.execute(text("UPDATE stock_levels SET available = 11 WHERE sku = 'mug'"))
        connection.execute(text("DELETE FROM stock_levels WHERE sku = 'pen'"))
    assert wrong(shopper) == [
        "the level is 11 available, 0 reserved, 0 shipped; its movements make 10, 0, 0",
        "there are movements and no level",
    ]


def balanced(shopper: Shopper, put_in: dict[str, int]) -> None:
    """Assert that nothing was oversold or lost, for each SKU and for each order."""
    assert wrong(shopper) == []
    for sku, quantity in put_in.items():
        numbers = level(shopper, sku)
        assert min(numbers) >= 0
        assert sum(numbers) == quantity
    with shopper.database._engine.connect() as connection:
        held = {
            (row.order_id, row.sku): (int(row.reserved), int(row.shipped))
            for row in connection.execute(
                text(
                    "SELECT order_id, sku, SUM(reserved_change) AS reserved, SUM(shipped_change) AS shipped"
                    " FROM stock_movements WHERE order_id <> '' GROUP BY order_id, sku"
                )
            )
        }
    expected: dict[tuple[str, str], tuple[int, int]] = {}
    for order in shopper.database.transact(lambda tx: tx.orders.recent("main", state=None, limit=10_000)):
        for line in order.lines:
            numbers_of = {S.COMPLETED: (0, line.quantity), S.CANCELLED: (0, 0)}
            if order.state is not S.REJECTED:
                expected[order.order_id, line.sku] = numbers_of.get(order.state, (line.quantity, 0))
    assert held == expected


def deadlocks(engine: Engine) -> int:
    with engine.connect() as connection:
        return int(connection.execute(text("SHOW GLOBAL STATUS LIKE 'Innodb_deadlocks'")).one()[1])


def test_many_hands_at_once_sell_what_is_there_and_no_more(engine: Engine) -> None:
    """Eight connections place, cancel and ship orders of the same few goods, their SKUs in any order."""
    database = kept(engine)
    shopper = Shopper(database)
    shopper.fill(SHELF)
    before = deadlocks(engine)
    outcomes = at_once(8, lambda number: Shopper(database).hammer(Random(number), 15, f"{number}"))
    assert sum((Counter(each) for each in outcomes), Counter()).keys() >= {"taken", "rejected", "cancelled", "shipped"}
    assert deadlocks(engine) == before, "levels are locked in one order"
    balanced(shopper, SHELF)
    # Whoever comes now gets exactly what is left, and the next one nothing.
    left = {sku: found for sku in SHELF if (found := level(shopper, sku)[0])}
    assert shopper.record("rest", left).state == S.PAYING
    assert [shopper.record(f"more {sku}", {sku: 1}).state for sku in SKUS] == [S.REJECTED] * len(SKUS)
    balanced(shopper, SHELF)


def test_one_order_is_shipped_or_cancelled_whoever_is_first(shopper: Shopper) -> None:
    for number in range(4):
        shopper.place(f"o{number}", {"mug": 1})
        for state in (S.AUTHORISED, S.PAID, S.FULFILLING):
            shopper.move(f"o{number}", state)
    ends = (S.SHIPPED, S.REFUNDING)
    for number in range(4):
        assert sum(at_once(2, lambda which, of=number: shopper.move(f"o{of}", ends[which]))) == 1  # type: ignore[misc]
    for number in range(4):
        shopper.move(f"o{number}", S.REFUNDED)
    available, reserved, shipped = level(shopper, "mug")
    assert (available + shipped, reserved) == (10, 0)
    assert wrong(shopper) == []


def test_a_process_killed_anywhere_leaves_no_half_movement(engine: Engine) -> None:
    """It is killed in the middle of its work, while others go on with the same goods."""
    shopper = Shopper(kept(engine))
    shopper.fill(SHELF)
    url = engine.url.render_as_string(hide_password=False)
    chance = Random(7)
    children = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.integration.hammered_stock", str(number)],
            env={**os.environ, "STOCK_DATABASE": url},
            stdout=subprocess.PIPE,
        )
        for number in range(1)
    ]
    try:
        for child in children:
            assert child.stdout is not None
            for _ in range(
                chance.randint(2, 6)
            ):  # a line is written before each order; where in it the kill falls is open
                assert child.stdout.readline() == b"on\n"
            child.send_signal(signal.SIGKILL)
            Shopper(kept(engine)).hammer(chance, 3, f"beside-{child.pid}")
    finally:
        for child in children:
            child.kill()
            child.wait()
            if child.stdout is not None:
                child.stdout.close()
    balanced(shopper, SHELF)
    taken = shopper.database.transact(lambda tx: tx.orders.recent("main", state=None, limit=10_000))
    assert {order.order_id.partition("-")[0] for order in taken} >= {"0"}, "the killed one had been at work"


def test_a_found_movement_says_why(shopper: Shopper) -> None:
    shopper.place("a", {"pen": 4})
    shopper.move("a", S.CANCELLED)
    shopper.stock.count("main", "pen", 0, actor="kim", reason="none there")
    shopper.left("a")
    (found,) = shopper.database.transact(lambda tx: tx.stock.movements("main", "pen", 1))
    assert (found.kind, found.order_id, found.at) == (MovementKind.FOUND, "a", NOW)
    assert "ends without goods" in found.reason
