"""A database of one's own on the shared MariaDB, so that tests of one file meet no rows of another's."""

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


def engine_of(url: str, *, pool_size: int = 12, lock_wait: int = 5, read_timeout: int = 30) -> Engine:
    return make_engine(
        url,
        pool_size=pool_size,
        connect_timeout=5,
        read_timeout=read_timeout,
        write_timeout=30,
        lock_wait=lock_wait,
        tls=False,
    )


@contextmanager
def empty_database(database_url: str) -> Iterator[str]:
    """Make a database without tables and yield its URL; drop it afterwards."""
    base: URL = make_url(database_url)
    name = f"orders_test_{uuid.uuid4().hex[:10]}"
    server = engine_of(database_url, pool_size=1)
    with server.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name} CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci"))
    try:
        yield base.set(database=name).render_as_string(hide_password=False)
    finally:
        with server.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name}"))
        server.dispose()


@contextmanager
def migrated_database(database_url: str) -> Iterator[Engine]:
    """Make a database with our tables and yield an engine of it; drop it afterwards."""
    with empty_database(database_url) as url:
        engine = engine_of(url)
        try:
            upgrade(engine)
            yield engine
        finally:
            engine.dispose()


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
    barrier = Barrier(times, timeout=30)

    def started(number: int) -> T:
        barrier.wait()
        return work(number)

    with ThreadPoolExecutor(times) as pool:
        return list(pool.map(started, range(times)))
