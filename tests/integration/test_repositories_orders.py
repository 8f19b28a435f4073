from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from threading import Barrier

import pytest
from sqlalchemy import delete

from tests.integration.own_database import at_once, migrated_database
from worker.domain.errors import Conflict, InvalidInput, NotFound
from worker.domain.ledger import Shipment, ShipmentState
from worker.domain.order import Line, Order, OrderState
from worker.domain.payment import BookEntry, EntryKind
from worker.repositories.database import MysqlDatabase
from worker.repositories.schema import BOOK_ENTRIES, ORDER_TRAIL, ORDERS, SHIPMENTS
from worker.services.ports import Transaction

NOW = datetime(2026, 11, 22, 14, 30, 15, 123456, tzinfo=UTC)
S = OrderState


def order(order_id: str = "1001", **changes: object) -> Order:
    base = Order(
        shop="main",
        order_id=order_id,
        currency="EUR",
        total_minor=12345,
        lines=(
            Line(sku="mug-Ω", quantity=2, unit_price_minor=5000),
            Line(sku="pen", quantity=1, unit_price_minor=1900),
        ),
        customer_id="c-7",
        payment_mode="charge",
        placed_at=NOW,
        origin="api",
        shipping_minor=500,
        discount_minor=100,
        tax_minor=45,
        payment_method="pm_card_visa",
    )
    return replace(base, **changes)  # type: ignore[arg-type]


def entry(order_id: str, kind: EntryKind, amount: int, reference: str, currency: str = "EUR") -> BookEntry:
    return BookEntry(
        shop="main",
        order_id=order_id,
        provider="stripe",
        kind=kind,
        reference=reference,
        payment_reference=f"pi_{order_id}",
        amount_minor=amount,
        currency=currency,
        occurred_at=NOW,
    )


@pytest.fixture(scope="module")
def _module_database(database_url: str) -> Iterator[MysqlDatabase]:
    with migrated_database(database_url) as engine:
        yield MysqlDatabase(engine)


@pytest.fixture
def database(_module_database: MysqlDatabase) -> Iterator[MysqlDatabase]:
    yield _module_database
    with _module_database._engine.begin() as connection:
        for table in (ORDER_TRAIL, ORDERS, BOOK_ENTRIES, SHIPMENTS):
            connection.execute(delete(table))


def test_an_order_comes_back_as_it_went_in(database: MysqlDatabase) -> None:
    assert database.transact(lambda tx: tx.orders.add(order(), NOW, "worker"))
    assert database.transact(lambda tx: tx.orders.get("main", "1001")) == replace(order(), updated_at=NOW)
    assert database.transact(lambda tx: tx.orders.lock("main", "1001")) == replace(order(), updated_at=NOW)


def test_the_first_statement_of_an_order_stays(database: MysqlDatabase) -> None:
    database.transact(lambda tx: tx.orders.add(order(), NOW, "worker"))
    again = order(total_minor=1, placed_at=NOW + timedelta(days=1))
    assert not database.transact(lambda tx: tx.orders.add(again, NOW, "somebody"))
    assert database.transact(lambda tx: tx.orders.get("main", "1001")) == replace(order(), updated_at=NOW)
    assert len(database.transact(lambda tx: tx.orders.trail("main", "1001"))) == 1


def test_a_refused_insert_leaves_the_transaction_usable(database: MysqlDatabase) -> None:
    database.transact(lambda tx: tx.orders.add(order(), NOW, "worker"))

    def work(tx: Transaction) -> tuple[bool, bool]:
        return tx.orders.add(order(), NOW, "worker"), tx.orders.add(order("1002"), NOW, "worker")

    assert database.transact(work) == (False, True)
    assert database.transact(lambda tx: tx.orders.get("main", "1002")) is not None


def test_ids_are_compared_by_bytes_and_per_shop(database: MysqlDatabase) -> None:
    for stated in (order("Ab"), order("aB"), order("ab"), order("äb"), order("ab", shop="other")):
        assert database.transact(lambda tx, stated=stated: tx.orders.add(stated, NOW, "worker"))  # type: ignore[misc]
    assert database.transact(lambda tx: tx.orders.get("main", "AB")) is None


def test_absence(database: MysqlDatabase) -> None:
    assert database.transact(lambda tx: tx.orders.get("main", "none")) is None
    assert database.transact(lambda tx: tx.orders.trail("main", "none")) == []
    with pytest.raises(NotFound, match="main/none"):
        database.transact(lambda tx: tx.orders.lock("main", "none"))
    with pytest.raises(NotFound, match="main/none"):
        database.transact(lambda tx: tx.orders.move(order("none"), S.PAYING, at=NOW, actor="worker"))


def test_moves_leave_a_trail_without_gaps(database: MysqlDatabase) -> None:
    def work(tx: Transaction) -> Order:
        tx.orders.add(order(), NOW, "worker")
        current = tx.orders.lock("main", "1001")
        for number, state in enumerate([S.PAYING, S.AUTHORISED, S.CANCELLED], start=1):
            at = NOW + timedelta(seconds=number)
            current = tx.orders.move(current, state, at=at, actor=f"actor {number}", reason=f"because {number}")
        return current

    moved = database.transact(work)
    assert moved == database.transact(lambda tx: tx.orders.get("main", "1001"))
    assert (moved.state, moved.state_reason, moved.updated_at) == (S.CANCELLED, "because 3", NOW + timedelta(seconds=3))
    trail = database.transact(lambda tx: tx.orders.trail("main", "1001"))
    assert [(line.from_state, line.to_state, line.actor, line.reason) for line in trail] == [
        ("", "received", "worker", ""),
        ("received", "paying", "actor 1", "because 1"),
        ("paying", "authorised", "actor 2", "because 2"),
        ("authorised", "cancelled", "actor 3", "because 3"),
    ]
    assert [line.at for line in trail] == [NOW + timedelta(seconds=n) for n in range(4)]


def test_a_forbidden_move_changes_nothing(database: MysqlDatabase) -> None:
    database.transact(lambda tx: tx.orders.add(order(), NOW, "worker"))
    with pytest.raises(Conflict, match="cannot become shipped"):
        database.transact(lambda tx: tx.orders.move(order(), S.SHIPPED, at=NOW, actor="worker"))
    assert len(database.transact(lambda tx: tx.orders.trail("main", "1001"))) == 1


def test_a_move_from_a_state_that_has_passed_is_refused(database: MysqlDatabase) -> None:
    database.transact(lambda tx: tx.orders.add(order(), NOW, "worker"))
    stale = order()
    database.transact(lambda tx: tx.orders.move(stale, S.PAYING, at=NOW, actor="first"))
    with pytest.raises(Conflict, match="is paying, no longer received"):
        database.transact(lambda tx: tx.orders.move(stale, S.CANCELLED, at=NOW, actor="second"))
    assert [line.actor for line in database.transact(lambda tx: tx.orders.trail("main", "1001"))] == ["worker", "first"]


@pytest.mark.parametrize("locking", [False, True])
def test_of_eight_movers_at_once_exactly_one_wins(database: MysqlDatabase, locking: bool) -> None:
    database.transact(lambda tx: tx.orders.add(order(), NOW, "worker"))
    read = Barrier(8, timeout=60)

    def mover(number: int) -> str:
        seen = database.transact(lambda tx: tx.orders.get("main", "1001"))
        assert seen is not None
        read.wait()

        def work(tx: Transaction) -> None:
            current = tx.orders.lock("main", "1001") if locking else seen
            if current.state is not S.RECEIVED:
                raise Conflict("somebody was faster")
            tx.orders.move(current, S.PAYING, at=NOW, actor=f"mover {number}")

        try:
            database.transact(work)
        except Conflict:
            return "lost"
        return f"mover {number}"

    results = at_once(8, mover)
    winners = [result for result in results if result != "lost"]
    assert len(winners) == 1
    trail = database.transact(lambda tx: tx.orders.trail("main", "1001"))
    assert [line.actor for line in trail] == ["worker", *winners]


def test_of_eight_adders_at_once_exactly_one_inserts(database: MysqlDatabase) -> None:
    added = at_once(8, lambda n: database.transact(lambda tx: tx.orders.add(order(), NOW, f"adder {n}")))
    assert sorted(added) == [False] * 7 + [True]
    trail = database.transact(lambda tx: tx.orders.trail("main", "1001"))
    assert [line.actor for line in trail] == [f"adder {added.index(True)}"]


def test_the_sums_are_those_of_the_book_entries_in_the_orders_currency(database: MysqlDatabase) -> None:
    def work(tx: Transaction) -> None:
        tx.orders.add(order(), NOW, "worker")
        tx.payments.post(entry("1001", EntryKind.CAPTURE, 10000, "a"))
        tx.payments.post(entry("1001", EntryKind.CAPTURE, 2345, "b"))
        tx.payments.post(entry("1001", EntryKind.REFUND, -300, "c"))
        tx.payments.post(entry("1001", EntryKind.CAPTURE, 77, "d", "USD"))
        tx.payments.post(entry("1002", EntryKind.CAPTURE, 9, "e"))

    database.transact(work)
    stored = database.transact(lambda tx: tx.orders.get("main", "1001"))
    assert stored is not None
    assert (stored.captured_minor, stored.refunded_minor) == (12345, 300)
    assert stored.financial_status == "partially_refunded"
    assert database.transact(lambda tx: tx.orders.lock("main", "1001")) == stored
    assert database.transact(lambda tx: tx.orders.recent("main", state=None, limit=5)) == [stored]


def test_recent_and_counts(database: MysqlDatabase) -> None:
    def work(tx: Transaction) -> None:
        for number in range(5):
            placed = order(f"{number}", placed_at=NOW + timedelta(minutes=number))
            tx.orders.add(placed, NOW, "worker")
            if number % 2:
                tx.orders.move(placed, S.PAYING, at=NOW, actor="worker")
        tx.orders.add(order("9", shop="other"), NOW, "worker")

    database.transact(work)
    newest = database.transact(lambda tx: tx.orders.recent("main", state=None, limit=3))
    assert [found.order_id for found in newest] == ["4", "3", "2"]
    paying = database.transact(lambda tx: tx.orders.recent("main", state="paying", limit=10))
    assert [found.order_id for found in paying] == ["3", "1"]
    assert database.transact(lambda tx: tx.orders.count_by_state("main")) == {"received": 3, "paying": 2}
    assert database.transact(lambda tx: tx.orders.count_by_state("nowhere")) == {}


def test_for_reconciliation_takes_each_order_of_the_window_or_the_list_once(database: MysqlDatabase) -> None:
    hour = timedelta(hours=1)

    def work(tx: Transaction) -> None:
        for order_id, placed, updated in [
            ("placed-at-start", NOW, NOW + 9 * hour),
            ("placed-at-end", NOW + hour, NOW + 9 * hour),
            ("updated-at-start", NOW - hour, NOW),
            ("updated-at-end", NOW - hour, NOW + hour),
            ("both", NOW + timedelta(minutes=1), NOW + timedelta(minutes=2)),
            ("named", NOW - hour, NOW - hour),
            ("elsewhere", NOW - hour, NOW - hour),
        ]:
            tx.orders.add(order(order_id, placed_at=placed), updated, "worker")
        tx.orders.add(order("both", shop="other"), NOW, "worker")
        tx.payments.post(entry("both", EntryKind.CAPTURE, 12345, "a"))
        tx.payments.post(entry("both", EntryKind.REFUND, -45, "b"))
        for shipment_id, shipped in [("late", NOW + hour), ("early", NOW), ("never", None)]:
            parcel = Shipment(
                shipment_id=shipment_id,
                order_id="both",
                state=ShipmentState.SHIPPED if shipped else ShipmentState.REQUESTED,
                requested_at=NOW,
                shipped_at=shipped,
            )
            tx.shipments.save("main", parcel)

    database.transact(work)
    asked = ["named", "both", "unknown", "named"]
    found = database.transact(lambda tx: tx.orders.for_reconciliation("main", NOW, NOW + hour, asked))
    assert [own.order_id for own in found] == ["both", "named", "placed-at-start", "updated-at-start"]
    both = found[0]
    assert (both.captured_minor, both.refunded_minor, both.shipped_at) == (12345, 45, NOW)
    assert (both.total_minor, both.currency, both.payment_mode) == (12345, "EUR", "charge")
    assert (both.placed_at, both.updated_at) == (NOW + timedelta(minutes=1), NOW + timedelta(minutes=2))
    assert all((own.captured_minor, own.shipped_at) == (0, None) for own in found[1:])


def test_times_keep_the_moment_and_come_back_in_utc(database: MysqlDatabase) -> None:
    placed = datetime(2026, 7, 1, 1, 30, tzinfo=timezone(timedelta(hours=5, minutes=45)))
    database.transact(lambda tx: tx.orders.add(order(placed_at=placed), NOW, "worker"))
    stored = database.transact(lambda tx: tx.orders.get("main", "1001"))
    assert stored is not None
    assert stored.placed_at == placed
    assert stored.placed_at.tzinfo is UTC


def test_naive_times_are_refused(database: MysqlDatabase) -> None:
    naive = NOW.replace(tzinfo=None)
    with pytest.raises(InvalidInput, match="zone"):
        database.transact(lambda tx: tx.orders.add(order(), naive, "worker"))
    with pytest.raises(InvalidInput, match="zone"):
        database.transact(lambda tx: tx.orders.add(order(placed_at=naive), NOW, "worker"))
    with pytest.raises(InvalidInput, match="zone"):
        database.transact(lambda tx: tx.orders.for_reconciliation("main", naive, NOW, []))
    database.transact(lambda tx: tx.orders.add(order(), NOW, "worker"))
    with pytest.raises(InvalidInput, match="zone"):
        database.transact(lambda tx: tx.orders.move(order(), S.PAYING, at=naive, actor="worker"))


@pytest.mark.parametrize(
    "broken",
    [
        order(total_minor=2**63),
        order("x" * 129),
        order(customer_id=chr(0xDC80)),
        order(customer_id=chr(0xD800)),
    ],
    ids=["amount", "id", "surrogate escape", "surrogate"],
)
def test_values_that_do_not_fit_are_refused_without_being_quoted(database: MysqlDatabase, broken: Order) -> None:
    with pytest.raises(InvalidInput) as refusal:
        database.transact(lambda tx: tx.orders.add(broken, NOW, "worker"))
    assert "xxx" not in str(refusal.value)
    assert str(2**63) not in str(refusal.value)
    assert database.transact(lambda tx: tx.orders.count_by_state("main")) == {}
