"""A database of one's own on the shared MariaDB, so that tests of one file meet no rows of another's."""

import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Barrier
from typing import TypeVar

from sqlalchemy import URL, Engine, make_url, text

from worker.repositories.engine import make_engine
from worker.repositories.migrate import upgrade
from worker.repositories.schema import METADATA

T = TypeVar("T")


def engine_of(url: str, *, pool_size: int = 12, lock_wait: int = 20, read_timeout: int = 30) -> Engine:
    return make_engine(
        url,
        pool_size=pool_size,
        connect_timeout=30,
        read_timeout=read_timeout,
        write_timeout=30,
        lock_wait=lock_wait,
        tls=False,
    )


@contextmanager
def empty_database(database_url: str) -> Iterator[str]:
    """Make a database without tables and yield its URL; drop it afterwards."""
    url = _created(database_url)
    try:
        yield url.render_as_string(hide_password=False)
    finally:
        _on_server(database_url, f"DROP DATABASE {url.database}")


@contextmanager
def new_database(database_url: str) -> Iterator[Engine]:
    """Make a database with our tables and yield an engine of it; drop it afterwards."""
    with empty_database(database_url) as url:
        engine = engine_of(url)
        try:
            upgrade(engine)
            yield engine
        finally:
            engine.dispose()


_left: dict[str, list[URL]] = {}
"""By server: migrated databases that nobody uses at the moment."""


@contextmanager
def migrated_database(database_url: str) -> Iterator[Engine]:
    """Yield an engine of a database with our tables and no rows, as one of one's own: another file may have had it.

    To make one and drop it costs half a second of CPU, to empty it a tenth of that. Who changes tables, fills them with
    thousands of rows, or asks how they are read makes one (`new_database`).
    """
    left = _left.setdefault(database_url, [])
    url = left.pop() if left else _created(database_url)
    engine = engine_of(url.render_as_string(hide_password=False))
    try:
        upgrade(engine)
        emptied(engine)
        _count_from_one(engine)
        yield engine
        if _is_free(engine):
            left.append(url)
    finally:
        engine.dispose()


def _created(database_url: str) -> URL:
    name = f"orders_test_{uuid.uuid4().hex[:10]}"
    _on_server(database_url, f"CREATE DATABASE {name} CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci")
    return make_url(database_url).set(database=name)


def _on_server(database_url: str, statement: str) -> None:
    server = engine_of(database_url, pool_size=1)
    with server.connect() as connection:
        connection.execute(text(statement))
    server.dispose()


def _count_from_one(engine: Engine) -> None:
    counted = "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE() AND auto_increment > 1"
    with engine.connect() as connection:
        for name in connection.exec_driver_sql(counted).scalars().all():
            connection.exec_driver_sql(f"ALTER TABLE {name} AUTO_INCREMENT = 1")


def _is_free(engine: Engine) -> bool:
    """Tell whether nobody is connected any more; the server knows of an end a moment after it."""
    engine.dispose()
    for _ in range(50):
        with engine.connect() as connection:
            others = (
                "SELECT COUNT(*) FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID()"
            )
            if connection.exec_driver_sql(others).scalar_one() == 0:
                return True
        time.sleep(0.02)
    return False


def emptied(engine: Engine) -> None:
    """Remove every row: quicker than another database for each test.

    Most tests fill few tables, and deleting from an empty one costs as much as asking all of them.
    """
    with engine.begin() as connection:
        filled = set(connection.exec_driver_sql(_FILLED).scalars())
        # Children before those they belong to, so that no foreign key stands in the way.
        for name in reversed(_TABLES):
            if name in filled:
                connection.exec_driver_sql(f"DELETE FROM {name}")  # noqa: S608 - a name of our own


_TABLES = [table.name for table in METADATA.sorted_tables]
_FILLED = " UNION ALL ".join(f"(SELECT '{name}' FROM {name} LIMIT 1)" for name in _TABLES)  # noqa: S608 - names of our own
"""Names the tables in which there is a row."""


def at_once(times: int, work: Callable[[int], T]) -> list[T]:
    """Run `work(0..times-1)` in as many threads, all starting together; return the results in order."""
    barrier = Barrier(times, timeout=60)

    def started(number: int) -> T:
        barrier.wait()
        return work(number)

    with ThreadPoolExecutor(times) as pool:
        return list(pool.map(started, range(times)))
