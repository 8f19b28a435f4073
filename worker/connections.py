"""What settings lead to, for programs that only read: the database's engine, the object store's folder.

Apart from the composition root, so that a command that lists orders need not load the whole application.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from worker.config import DatabaseConfig, WorkerConfig
from worker.contract.settings import ROOT
from worker.repositories.database import MysqlDatabase
from worker.repositories.engine import Engine, make_engine
from worker.services.ports import Database


def engine_of(config: DatabaseConfig) -> Engine:
    """Make the engine of the settings."""
    return make_engine(
        config.url.reveal(),
        pool_size=config.pool_size,
        connect_timeout=config.connect_timeout_seconds,
        read_timeout=config.read_timeout_seconds,
        write_timeout=config.write_timeout_seconds,
        lock_wait=config.lock_wait_seconds,
        tls=config.tls,
    )


@contextmanager
def reading(config: WorkerConfig) -> Iterator[Database]:
    """Give the command line a database for a moment."""
    engine = engine_of(config.database)
    try:
        yield MysqlDatabase(engine)
    finally:
        engine.dispose()


def store_path(config: WorkerConfig) -> Path:
    """Return the object store's folder; a relative one is below the project's root."""
    return config.store.path if config.store.path.is_absolute() else ROOT / config.store.path
