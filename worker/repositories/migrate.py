"""Migrations: forward only, one at a time, under a lock of the server, so that any number of deployments may start them.

A release only ever adds to the schema (a column with a default, a table, an index): what it no longer needs is removed
by a later one. So the code of the release before works on the schema of the release after, and a rollback needs no
migration: older code meets a newer database with a warning, newer code refuses an older one.

Versions are numbers in their file names (`0001`, `0002`, ...). MySQL commits each statement of a schema change by
itself; every migration is therefore written so that it can be run again after it was cut off halfway.
"""

import hashlib
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError

from worker.domain.errors import DatabaseUnavailable
from worker.repositories.audit import MysqlAuditTrail
from worker.repositories.failures import translate
from worker.repositories.schema_version import current, is_newer

_FOLDER = Path(__file__).with_name("migrations")

LOCK_POLLS = 30
LOCK_POLL_SECONDS = 2
"""One wait for the lock stays far below the read time-out of a connection; all together give a minute."""


def upgrade(engine: Engine) -> tuple[str | None, str]:
    """Bring the database up to this code's version; return the versions before and after.

    A second one that starts meanwhile waits for the first and finds nothing to do. A database that is newer than
    this code stays as it is. Raises DatabaseUnavailable when MySQL is away or the lock is not to be had.
    """
    try:
        with engine.connect() as connection:
            name = _lock_name(connection)
            _take(connection, name)
            try:
                before = current(connection)
                if is_newer(before):
                    return before, before or ""
                configuration = _configuration()
                configuration.attributes["connection"] = connection
                command.upgrade(configuration, "head")
                connection.commit()
                # An older release, which may still run, writes the history of breaks where it always did.
                MysqlAuditTrail(connection).carry_over()
                connection.commit()
                after = current(connection)
            finally:
                # Closing the session frees the lock, whatever state the work left it in.
                connection.invalidate()
    except SQLAlchemyError as error:
        raise translate(error) from error
    return before, after or ""


def _configuration() -> Config:
    configuration = Config()
    # Alembic reads % in options as the start of a reference.
    configuration.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    configuration.set_main_option("path_separator", "os")
    return configuration


def _lock_name(connection: Connection) -> str:
    # Names of locks are the server's, not the database's, and at most 64 characters.
    database = connection.execute(text("SELECT DATABASE()")).scalar_one()
    return "orders-schema-" + hashlib.sha256(str(database).encode()).hexdigest()[:16]


def _take(connection: Connection, name: str) -> None:
    for _ in range(LOCK_POLLS):
        answer = connection.execute(text("SELECT GET_LOCK(:name, :wait)"), {"name": name, "wait": LOCK_POLL_SECONDS})
        if answer.scalar_one() == 1:
            return
    raise DatabaseUnavailable("another migration holds the lock of this database")
