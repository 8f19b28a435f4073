from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import insert, select

from tests.integration.own_database import at_once, migrated_database
from worker.domain.errors import Conflict, InvalidInput
from worker.domain.payment import BookEntry, EntryKind, Payment, PaymentState
from worker.repositories.database import MysqlDatabase
from worker.repositories.paging import PAGE, paged
from worker.repositories.schema import BOOK_ENTRIES
from worker.services.ports import Transaction

NOW = datetime(2026, 11, 22, 14, tzinfo=UTC)
PAYMENT = Payment(
    provider="stripe", reference="pi_1", amount_minor=500, currency="EUR", state=PaymentState.AUTHORISED, detail="ok"
)
CAPTURE = BookEntry(
    shop="main",
    order_id="1",
    provider="stripe",
    kind=EntryKind.CAPTURE,
    reference="pi_1",
    payment_reference="pi_1",
    amount_minor=500,
    currency="EUR",
    occurred_at=NOW,
    method="card",
)
REFUND = replace(CAPTURE, kind=EntryKind.REFUND, reference="re_1", amount_minor=-200)


@pytest.fixture
def database(_module_database: MysqlDatabase) -> Iterator[MysqlDatabase]:
    yield _module_database
    with _module_database._engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM payments")
        connection.exec_driver_sql("DELETE FROM book_entries")


@pytest.fixture(scope="module")
def _module_database(database_url: str) -> Iterator[MysqlDatabase]:
    with migrated_database(database_url) as engine:
        yield MysqlDatabase(engine)


def test_a_payment_is_inserted_then_updated(database: MysqlDatabase) -> None:
    captured = replace(PAYMENT, state=PaymentState.CAPTURED, captured_minor=500, refunded_minor=20, detail="")
    database.transact(lambda tx: tx.payments.save("main", "1", PAYMENT, NOW))
    assert database.transact(lambda tx: tx.payments.of_order("main", "1")) == [PAYMENT]
    database.transact(lambda tx: tx.payments.save("main", "1", captured, NOW + timedelta(hours=1)))
    assert database.transact(lambda tx: tx.payments.of_order("main", "1")) == [captured]


def test_what_was_refunded_is_not_forgotten_when_more_is_captured(database: MysqlDatabase) -> None:
    refunded = replace(PAYMENT, captured_minor=300, refunded_minor=200)
    later = replace(PAYMENT, state=PaymentState.CAPTURED, captured_minor=500)
    database.transact(lambda tx: tx.payments.save("main", "1", refunded, NOW))
    database.transact(lambda tx: tx.payments.save("main", "1", later, NOW))
    (known,) = database.transact(lambda tx: tx.payments.of_order("main", "1"))
    assert (known.captured_minor, known.refunded_minor) == (500, 200)


def test_payments_come_oldest_first_even_after_an_update(database: MysqlDatabase) -> None:
    second = replace(PAYMENT, reference="pi_0")
    database.transact(lambda tx: tx.payments.save("main", "1", PAYMENT, NOW))
    database.transact(lambda tx: tx.payments.save("main", "1", second, NOW + timedelta(seconds=1)))
    database.transact(lambda tx: tx.payments.save("main", "1", PAYMENT, NOW + timedelta(seconds=2)))
    assert database.transact(lambda tx: tx.payments.of_order("main", "1")) == [PAYMENT, second]
    assert database.transact(lambda tx: tx.payments.of_order("other", "1")) == []


def test_a_payment_never_changes_its_order(database: MysqlDatabase) -> None:
    database.transact(lambda tx: tx.payments.save("main", "1", PAYMENT, NOW))
    taken = replace(PAYMENT, state=PaymentState.CANCELLED)
    with pytest.raises(Conflict, match="belongs to order main/1"):
        database.transact(lambda tx: tx.payments.save("main", "2", taken, NOW))
    assert database.transact(lambda tx: tx.payments.of_order("main", "1")) == [PAYMENT]
    assert database.transact(lambda tx: tx.payments.of_order("main", "2")) == []


def test_references_are_mapped_to_orders_by_payment_or_by_entry(database: MysqlDatabase) -> None:
    def work(tx: Transaction) -> None:
        tx.payments.save("main", "1", PAYMENT, NOW)
        tx.payments.save("other", "9", replace(PAYMENT, reference="pi_foreign"), NOW)
        tx.payments.save("main", "8", replace(PAYMENT, provider="adyen", reference="pi_adyen"), NOW)
        tx.payments.post(replace(CAPTURE, order_id="2", reference="ch_2", payment_reference="pi_2"))

    database.transact(work)
    asked = ["pi_1", "pi_2", "pi_foreign", "pi_adyen", *[f"unknown-{n}" for n in range(1200)]]
    found = database.transact(lambda tx: tx.payments.order_of_payment("main", "stripe", asked))
    assert found == {"pi_1": "1", "pi_2": "2"}
    assert database.transact(lambda tx: tx.payments.order_of_payment("main", "stripe", [])) == {}


def test_a_movement_is_booked_once(database: MysqlDatabase) -> None:
    assert database.transact(lambda tx: tx.payments.post(CAPTURE))
    assert not database.transact(lambda tx: tx.payments.post(replace(CAPTURE, amount_minor=999, order_id="2")))
    assert database.transact(lambda tx: tx.payments.post(REFUND))
    # The same reference may name a capture and a refund, and each provider has references of its own.
    assert database.transact(lambda tx: tx.payments.post(replace(REFUND, reference="pi_1")))
    assert database.transact(lambda tx: tx.payments.post(replace(CAPTURE, provider="adyen")))
    booked = database.transact(lambda tx: tx.payments.entries_of_order("main", "1"))
    assert booked == [CAPTURE, REFUND, replace(REFUND, reference="pi_1"), replace(CAPTURE, provider="adyen")]
    assert database.transact(lambda tx: tx.payments.entries_of_order("main", "2")) == []


def test_of_eight_posts_at_once_exactly_one_books(database: MysqlDatabase) -> None:
    posted = at_once(8, lambda _: database.transact(lambda tx: tx.payments.post(CAPTURE)))
    assert sorted(posted) == [False] * 7 + [True]
    assert database.transact(lambda tx: tx.payments.entries_of_order("main", "1")) == [CAPTURE]


@pytest.mark.parametrize("wrong", [replace(CAPTURE, amount_minor=-1), replace(REFUND, amount_minor=1)])
def test_a_movement_of_the_wrong_sign_is_refused(database: MysqlDatabase, wrong: BookEntry) -> None:
    with pytest.raises(InvalidInput, match="wrong sign"):
        database.transact(lambda tx: tx.payments.post(wrong))


def test_the_table_refuses_a_wrong_sign_by_itself(database: MysqlDatabase) -> None:
    def work(tx: Transaction) -> None:
        values = {
            "provider": "stripe",
            "kind": "refund",
            "reference": "re_9",
            "payment_reference": "pi_9",
            "shop": "main",
            "order_id": "9",
            "amount_minor": 1,
            "currency": "EUR",
            "occurred_at": NOW,
        }
        tx.payments._connection.execute(insert(BOOK_ENTRIES), values)  # type: ignore[attr-defined]

    with pytest.raises(Conflict, match="rule of its table"):
        database.transact(work)


def test_entries_stream_the_half_open_window_in_order(database: MysqlDatabase) -> None:
    def work(tx: Transaction) -> None:
        for reference, offset in [("c", 0), ("a", 0), ("b", 59), ("out", 60), ("before", -1)]:
            at = NOW + timedelta(minutes=offset)
            tx.payments.post(replace(CAPTURE, reference=reference, occurred_at=at))
        tx.payments.post(replace(REFUND, reference="a"))
        tx.payments.post(replace(CAPTURE, reference="foreign", shop="other"))
        tx.payments.post(replace(CAPTURE, provider="adyen"))

    database.transact(work)
    found = database.transact(lambda tx: list(tx.payments.entries("main", "stripe", NOW, NOW + timedelta(hours=1))))
    assert [(found_entry.reference, found_entry.kind) for found_entry in found] == [
        ("a", "capture"),
        ("a", "refund"),
        ("c", "capture"),
        ("b", "capture"),
    ]


def test_a_stream_of_several_pages_loses_and_repeats_nothing(database: MysqlDatabase) -> None:
    # Many share a moment, so that pages end in the middle of one.
    rows = [
        {
            "provider": "stripe",
            "kind": "capture",
            "reference": f"r{number:05}",
            "payment_reference": f"pi{number}",
            "shop": "main",
            "order_id": str(number),
            "amount_minor": number,
            "currency": "EUR",
            "occurred_at": NOW + timedelta(seconds=number * 7919 % 5),
        }
        for number in range(2 * PAGE + 100)
    ]

    def work(tx: Transaction) -> list[BookEntry]:
        tx.payments._connection.execute(insert(BOOK_ENTRIES), rows)  # type: ignore[attr-defined]
        return list(tx.payments.entries("main", "stripe", NOW, NOW + timedelta(days=1)))

    found = database.transact(work)
    expected = sorted(rows, key=lambda row: (row["occurred_at"], row["reference"]))
    assert [item.reference for item in found] == [row["reference"] for row in expected]


@pytest.mark.parametrize("page", [1, 2, 3, 7])
def test_pages_of_any_size_make_the_same_whole(database: MysqlDatabase, page: int) -> None:
    def work(tx: Transaction) -> list[tuple[datetime, str, str]]:
        for number in range(6):
            at = NOW + timedelta(seconds=number % 2)
            tx.payments.post(replace(CAPTURE, reference=f"r{number % 3}", provider=f"p{number}", occurred_at=at))
        table = BOOK_ENTRIES.c
        statement = select(table.occurred_at, table.reference, table.provider)
        connection = tx.payments._connection  # type: ignore[attr-defined]
        rows = paged(connection, statement, [table.occurred_at, table.reference, table.provider], page)
        return [(row.occurred_at, row.reference, row.provider) for row in rows]

    found = database.transact(work)
    assert len(found) == 6
    assert found == sorted(found)


def test_naive_times_are_refused(database: MysqlDatabase) -> None:
    naive = NOW.replace(tzinfo=None)
    with pytest.raises(InvalidInput, match="zone"):
        database.transact(lambda tx: tx.payments.post(replace(CAPTURE, occurred_at=naive)))
    with pytest.raises(InvalidInput, match="zone"):
        database.transact(lambda tx: list(tx.payments.entries("main", "stripe", naive, NOW)))
