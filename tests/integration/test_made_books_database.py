"""Made books in a real database: what the worker's own repositories read there is what was made."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from infra.local.books.bulk import BulkBooks, bulk
from infra.local.books.database import TABLES, load
from infra.local.books.plan import Plan
from tests.books.from_bulk import from_bulk
from tests.integration.own_database import new_database
from worker.domain.money import Money
from worker.domain.order import OrderState
from worker.repositories.database import MysqlDatabase
from worker.repositories.schema import METADATA

PLAN = Plan(size=1500, seed=5, days=4)


@pytest.fixture(scope="module")
def made() -> Iterator[BulkBooks]:
    with bulk(PLAN) as books:
        yield books


@pytest.fixture(scope="module")
def database(database_url: str, made: BulkBooks) -> Iterator[MysqlDatabase]:
    with new_database(database_url) as engine:
        url = engine.url.render_as_string(hide_password=False)
        assert load(url, made)["orders"] == PLAN.size
        yield MysqlDatabase(engine)


def test_the_repositories_read_what_was_made(database: MysqlDatabase, made: BulkBooks) -> None:
    books = from_bulk(made).books
    end = PLAN.end + timedelta(days=1)
    entries = database.transact(lambda tx: list(tx.payments.entries("main", "stripe", PLAN.start, end)))
    assert sorted(entries, key=str) == sorted(books.entries, key=str)
    own = database.transact(lambda tx: tx.orders.for_reconciliation("main", PLAN.start, end, []))
    assert own == books.own
    owners = database.transact(
        lambda tx: tx.payments.order_of_payment("main", "stripe", sorted(books.order_of_payment))
    )
    assert owners == books.order_of_payment


def test_an_order_of_them_is_an_order_like_any_other(database: MysqlDatabase, made: BulkBooks) -> None:
    order = database.transact(lambda tx: tx.orders.get("main", "1000000000"))
    assert order is not None
    assert order.state is OrderState.COMPLETED
    assert Money(order.captured_minor, order.currency).minor == order.total_minor == order.lines[0].unit_price_minor


def test_every_column_that_must_be_filled_is() -> None:
    """A new column without a default would make the load fail or, worse, hold what nobody meant."""
    for name, columns in TABLES.items():
        table = METADATA.tables[name]
        required = {c.name for c in table.columns if not (c.nullable or c.autoincrement is True or c.server_default)}
        assert required <= set(columns), name
        assert set(columns) <= set(table.columns.keys()), name
