import contextlib
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from threading import Barrier, Event
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, delete, text

from infra.local.freeports import free_port
from tests.integration.own_database import at_once, engine_of, migrated_database
from tests.pressure import Stopwatch
from worker.domain.errors import Conflict, DatabaseUnavailable, NotFound
from worker.domain.order import Line, Order, OrderState
from worker.domain.user import User, UserState
from worker.repositories import database as database_module
from worker.repositories.database import MysqlDatabase
from worker.repositories.schema import ORDER_TRAIL, ORDERS, USERS
from worker.services.ports import Transaction

NOW = datetime(2026, 11, 22, 14, tzinfo=UTC)
ORDER = Order(
    shop="main",
    order_id="A",
    currency="EUR",
    total_minor=100,
    lines=(Line(sku="mug", quantity=1, unit_price_minor=100),),
    customer_id="c-7",
    payment_mode="charge",
    placed_at=NOW,
    origin="api",
)
USER = User(user_id="u1", email="a@shop.example", state=UserState.PENDING, registered_at=NOW)


@pytest.fixture(scope="module")
def _server(database_url: str) -> Iterator[Engine]:
    with migrated_database(database_url) as engine:
        yield engine


@pytest.fixture
def server(_server: Engine) -> Engine:
    """An engine of the test's own hand, to hold locks, kill connections and look at what was stored."""
    with _server.begin() as connection:
        for table in (ORDER_TRAIL, ORDERS, USERS):
            connection.execute(delete(table))
    MysqlDatabase(_server).transact(lambda tx: [tx.orders.add(replace(ORDER, order_id=i), NOW, "test") for i in "AB"])
    return _server


@pytest.fixture
def database(server: Engine) -> Iterator[MysqlDatabase]:
    database = MysqlDatabase(engine_of(server.url.render_as_string(hide_password=False), pool_size=4, lock_wait=1))
    yield database
    database.close()


@pytest.fixture
def patient(server: Engine) -> Iterator[MysqlDatabase]:
    """One that waits for a lock for longer than any machine keeps its holder from giving it back."""
    database = MysqlDatabase(engine_of(server.url.render_as_string(hide_password=False), pool_size=4))
    yield database
    database.close()


def raw(tx: Transaction) -> Connection:
    connection: Any = vars(tx)["_connection"]
    assert isinstance(connection, Connection)
    return connection


def connection_id(tx: Transaction) -> int:
    return int(raw(tx).execute(text("SELECT CONNECTION_ID()")).scalar_one())


def kill(server: Engine, connection: int) -> None:
    with server.connect() as other:
        other.execute(text(f"KILL {connection}"))
        gone = text("SELECT COUNT(*) FROM information_schema.processlist WHERE id = :id")
        while other.execute(gone, {"id": connection}).scalar_one():
            time.sleep(0.005)


def stored_user(server: Engine) -> User | None:
    return MysqlDatabase(server).transact(lambda tx: tx.users.get("u1"))


def chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


@contextlib.contextmanager
def held(server: Engine, order_id: str) -> Iterator[None]:
    """Keep an order locked by somebody else."""
    with server.begin() as holder:
        holder.execute(text("SELECT 1 FROM orders WHERE order_id = :id FOR UPDATE"), {"id": order_id})
        yield


def somebody_waits(server: Engine) -> None:
    """Come back once somebody has asked for a lock and does not have it."""
    asking = text(
        "SELECT COUNT(*) FROM information_schema.processlist"
        " WHERE info LIKE '%FROM orders%FOR UPDATE%' AND id <> CONNECTION_ID()"
    )
    with server.connect() as other:
        while not other.execute(asking).scalar_one():
            time.sleep(0.005)


def test_an_error_of_the_work_rolls_everything_back(server: Engine, database: MysqlDatabase) -> None:
    for error in (Conflict("no"), ValueError("no")):

        def work(tx: Transaction, error: Exception = error) -> None:
            tx.users.add(USER)
            raise error

        with pytest.raises(type(error), match="no"):
            database.transact(work)
        assert stored_user(server) is None


def test_the_result_of_the_work_comes_back_and_its_effect_stays(server: Engine, database: MysqlDatabase) -> None:
    assert database.transact(lambda tx: tx.users.add(USER)) is True
    assert stored_user(server) == USER


def test_a_deadlock_is_run_again_and_both_sides_succeed(patient: MysqlDatabase) -> None:
    met = Barrier(2, timeout=60)
    attempts: list[str] = []

    def mover(number: int) -> None:
        order_ids = "AB" if number else "BA"
        first_time = True

        def work(tx: Transaction) -> None:
            nonlocal first_time
            attempts.append(order_ids)
            first = tx.orders.lock("main", order_ids[0])
            if first_time:
                first_time = False
                met.wait()
            second = tx.orders.lock("main", order_ids[1])
            for order in (first, second):
                state = OrderState.PAYING if order.state is OrderState.RECEIVED else OrderState.AUTHORISED
                tx.orders.move(order, state, at=NOW, actor=f"mover {number}")

        patient.transact(work)

    at_once(2, mover)
    assert len(attempts) == 3
    for order_id in "AB":
        trail = patient.transact(lambda tx, order_id=order_id: tx.orders.trail("main", order_id))  # type: ignore[misc]
        assert [line.to_state for line in trail] == ["received", "paying", "authorised"]


def test_a_deadlock_that_never_ends_is_given_up(database: MysqlDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database_module, "PAUSE_SECONDS", 0)
    attempts = 0

    def work(tx: Transaction) -> None:
        nonlocal attempts
        attempts += 1
        raw(tx).execute(text("SIGNAL SQLSTATE '40001' SET MYSQL_ERRNO = 1213, MESSAGE_TEXT = 'Deadlock found'"))

    with pytest.raises(DatabaseUnavailable, match="1213"):
        database.transact(work)
    assert attempts == database_module.ATTEMPTS[1213]


def test_a_lock_wait_persists_nothing(server: Engine, database: MysqlDatabase) -> None:
    attempts = 0

    def work(tx: Transaction) -> None:
        nonlocal attempts
        attempts += 1
        tx.users.add(USER)
        tx.orders.lock("main", "A")

    with held(server, "A"), pytest.raises(DatabaseUnavailable, match="1205"):
        database.transact(work)
    assert attempts == database_module.ATTEMPTS[1205]
    assert stored_user(server) is None
    database.transact(work)
    assert stored_user(server) == USER


def test_a_lock_wait_persists_nothing_even_when_the_work_swallows_it(server: Engine, database: MysqlDatabase) -> None:
    def work(tx: Transaction) -> str:
        tx.users.add(USER)
        with contextlib.suppress(Exception):
            tx.orders.lock("main", "A")
        return "looks fine"

    with held(server, "A"), pytest.raises(DatabaseUnavailable, match="nothing was stored"):
        database.transact(work)
    assert stored_user(server) is None


def test_a_short_wait_for_a_lock_succeeds(server: Engine, patient: MysqlDatabase) -> None:
    taken = Event()

    def work(number: int) -> str:
        if number:
            assert taken.wait(60)
            return patient.transact(lambda tx: tx.orders.lock("main", "A")).state
        with held(server, "A"):
            taken.set()
            somebody_waits(server)
        return "held"

    assert at_once(2, work) == ["held", "received"]


def test_a_dead_pooled_connection_is_replaced_unseen(server: Engine, database: MysqlDatabase) -> None:
    kill(server, database.transact(connection_id))
    attempts = 0

    def work(tx: Transaction) -> bool:
        nonlocal attempts
        attempts += 1
        return tx.users.add(USER)

    assert database.transact(work)
    assert attempts == 2
    assert stored_user(server) == USER


def test_a_connection_that_dies_under_way_is_reported_and_stores_nothing(
    server: Engine, database: MysqlDatabase
) -> None:
    attempts = 0

    def work(tx: Transaction) -> None:
        nonlocal attempts
        attempts += 1
        tx.users.add(USER)
        kill(server, connection_id(tx))
        tx.users.get("u1")

    with pytest.raises(DatabaseUnavailable):
        database.transact(work)
    assert attempts == 1
    assert stored_user(server) is None
    database.ping()


def test_a_connection_that_dies_before_the_commit_leaves_the_outcome_unknown(
    server: Engine, database: MysqlDatabase
) -> None:
    attempts = 0

    def work(tx: Transaction) -> None:
        nonlocal attempts
        attempts += 1
        tx.users.add(USER)
        kill(server, connection_id(tx))

    with pytest.raises(DatabaseUnavailable, match="outcome of a commit is unknown"):
        database.transact(work)
    assert attempts == 1
    database.ping()


def test_connections_are_kept_after_a_no_and_discarded_after_a_failure(server: Engine, database: MysqlDatabase) -> None:
    first = database.transact(connection_id)
    with pytest.raises(NotFound):
        database.transact(lambda tx: tx.orders.lock("main", "none"))
    database.transact(lambda tx: tx.orders.add(ORDER, NOW, "test"))  # a duplicate is an answer
    assert database.transact(connection_id) == first

    with pytest.raises(DatabaseUnavailable):
        database.transact(lambda tx: raw(tx).execute(text("SIGNAL SQLSTATE '45000' SET MYSQL_ERRNO = 1644")))
    assert database.transact(connection_id) != first


def test_an_interrupted_work_costs_its_connection(server: Engine, database: MysqlDatabase) -> None:
    class Interrupted(BaseException):
        pass

    def work(tx: Transaction) -> None:
        tx.users.add(USER)
        raise Interrupted

    first = database.transact(connection_id)
    with pytest.raises(Interrupted):
        database.transact(work)
    assert database.transact(connection_id) != first
    assert stored_user(server) is None


def test_a_database_that_is_away_is_said_to_be_away_at_once() -> None:
    away = MysqlDatabase(engine_of(f"mysql+pymysql://orders:hush@127.0.0.1:{free_port()}/orders"))
    watch = Stopwatch()
    for question in (away.ping, away.schema_version, lambda: away.transact(lambda tx: tx.users.get("u1"))):
        with pytest.raises(DatabaseUnavailable) as refusal:
            question()
        assert "hush" not in str(refusal.value)
    assert watch.seconds < 5


def test_a_refused_password_reads_as_away_and_stays_out_of_the_error(server: Engine) -> None:
    url = server.url.set(password="hush-hush").render_as_string(hide_password=False)
    with pytest.raises(DatabaseUnavailable) as refusal:
        MysqlDatabase(engine_of(url)).ping()
    assert "hush" not in "".join(f"{shown!r} {shown}" for shown in chain(refusal.value))


def test_a_thread_does_not_wait_for_ever_for_a_connection(server: Engine) -> None:
    engine = engine_of(server.url.render_as_string(hide_password=False), pool_size=1)
    engine.pool._timeout = 0.1  # type: ignore[attr-defined]
    narrow = MysqlDatabase(engine)
    with pytest.raises(DatabaseUnavailable, match="in use"):
        narrow.transact(lambda _: narrow.transact(lambda tx: tx.users.get("u1")))
    assert narrow.transact(lambda tx: tx.users.get("u1")) is None
    narrow.close()


def test_every_connection_is_set_up_strictly_and_in_utc(database: MysqlDatabase) -> None:
    settings = "SELECT @@time_zone, @@tx_isolation, @@innodb_lock_wait_timeout, @@character_set_client, @@sql_mode"
    row = database.transact(lambda tx: raw(tx).execute(text(settings)).one())
    assert tuple(row)[:4] == ("+00:00", "READ-COMMITTED", 1, "utf8mb4")
    assert "STRICT_ALL_TABLES" in row[4]
    assert "NO_BACKSLASH_ESCAPES" in row[4]
    driver: Any = database.transact(lambda tx: raw(tx).connection.driver_connection)
    assert driver.ssl is False


@pytest.mark.parametrize(
    "hostile",
    [
        "\\",
        "'",
        "\\'",
        "\\'; DROP TABLE users; -- ",
        "''\\\\''",
        '{"a": "\\"\\\\"}',
        "\0\n\r\x1a\t",
        "%s %%",
        "\N{PARTY POPPER}",
    ],
)
def test_a_text_comes_back_as_it_was_sent(database: MysqlDatabase, hostile: str) -> None:
    asked = text("SELECT :told, CHAR_LENGTH(:told), HEX(:told)")
    row = database.transact(lambda tx: raw(tx).execute(asked, {"told": hostile}).one())
    assert tuple(row) == (hostile, len(hostile), hostile.encode().hex().upper())


def test_nothing_is_asked_of_the_server_after_a_commit(database: MysqlDatabase) -> None:
    def rollbacks(tx: Transaction) -> int:
        return int(raw(tx).execute(text("SHOW SESSION STATUS LIKE 'Com_rollback'")).one()[1])

    before = database.transact(rollbacks)
    database.transact(lambda tx: tx.users.add(USER))
    assert database.transact(rollbacks) == before


def test_what_a_connection_left_open_is_rolled_back_before_the_next_has_it(server: Engine) -> None:
    engine = engine_of(server.url.render_as_string(hide_password=False), pool_size=1, lock_wait=1)
    left = engine.raw_connection()
    left.cursor().execute("UPDATE orders SET currency = 'XXX'")
    left.close()
    order = MysqlDatabase(engine).transact(lambda tx: tx.orders.get("main", "A"))
    assert order is not None
    assert order.currency == "EUR"
    engine.dispose()


def test_a_stream_cannot_be_read_after_its_transaction(database: MysqlDatabase) -> None:
    stream = database.transact(lambda tx: tx.payments.entries("main", "stripe", NOW, NOW))
    with pytest.raises(Exception, match="closed"):
        list(stream)


def test_eight_threads_share_four_connections(database: MysqlDatabase) -> None:
    def work(number: int) -> int:
        for turn in range(10):
            user = replace(USER, user_id=f"u-{number}-{turn}")
            assert database.transact(lambda tx, user=user: tx.users.add(user))  # type: ignore[misc]
        return database.transact(connection_id)

    assert len(set(at_once(8, work))) <= 4
