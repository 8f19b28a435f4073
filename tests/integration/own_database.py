"""A database of one's own on the shared MariaDB, so that tests of one file meet no rows of another's."""

import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Barrier
from typing import TypeVar

from sqlalchemy import URL, Engine, delete, make_url, text

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
    """Remove every row: quicker than another database for each test."""
    with engine.begin() as connection:
        connection.execute(text("SET FOREIGN_KEY_CHECKS = 0"))
        for table in METADATA.tables.values():
            connection.execute(delete(table))
        connection.execute(text("SET FOREIGN_KEY_CHECKS = 1"))


def at_once(times: int, work: Callable[[int], T]) -> list[T]:
    """Run `work(0..times-1)` in as many threads, all starting together; return the results in order."""
    barrier = Barrier(times, timeout=30)

    def started(number: int) -> T:
        barrier.wait()
        return work(number)

    with ThreadPoolExecutor(times) as pool:
        return list(pool.map(started, range(times)))
