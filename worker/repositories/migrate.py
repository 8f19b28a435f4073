"""Migrations: forward only, one at a time, under a lock of the server, so that any number of deployments may start them.

A release only ever adds to the schema (a column with a default, a table, an index): what it no longer needs is removed
by a later one. So the code of the release before works on the schema of the release after, and a rollback needs no
migration: older code meets a newer database with a warning, newer code refuses an older one.

Versions are numbers in their file names (`0001`, `0002`, ...). MySQL commits each statement of a schema change by
itself; every migration is therefore written so that it can be run again after it was cut off halfway.
"""

import hashlib
import logging
import re
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError

from worker.domain.errors import DatabaseUnavailable, SchemaMismatch
from worker.repositories.audit import MysqlAuditTrail
from worker.repositories.failures import translate

VERSION_TABLE = "schema_version"
_log = logging.getLogger(__name__)
_VERSION = re.compile(r"\d{4}")
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
                before = _current(connection)
                if _is_newer(before):
                    return before, before or ""
                configuration = _configuration()
                configuration.attributes["connection"] = connection
                command.upgrade(configuration, "head")
                connection.commit()
                # An older release, which may still run, writes the history of breaks where it always did.
                MysqlAuditTrail(connection).carry_over()
                connection.commit()
                after = _current(connection)
            finally:
                # Closing the session frees the lock, whatever state the work left it in.
                connection.invalidate()
    except SQLAlchemyError as error:
        raise translate(error) from error
    return before, after or ""


def check(engine: Engine) -> None:
    """Raise SchemaMismatch when the database is older than this code, or not ours; DatabaseUnavailable when away.

    A newer one is used, with a warning: that is what a rollback looks like.
    """
    try:
        with engine.connect() as connection:
            current = _current(connection)
    except SQLAlchemyError as error:
        raise translate(error) from error
    if _is_newer(current):
        _log.warning("the database is newer than this code", extra={"schema": current, "code": head()})
        return
    if current != head():
        raise SchemaMismatch(
            f"the database has schema {current or 'none'}, this code needs {head()}: run `orders db migrate`"
        )


def head() -> str:
    """Return the version of the schema this code needs."""
    version = ScriptDirectory.from_config(_configuration()).get_current_head()
    if version is None:
        raise SchemaMismatch("this installation has no migrations")
    return version


def _configuration() -> Config:
    configuration = Config()
    # Alembic reads % in options as the start of a reference.
    configuration.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    configuration.set_main_option("path_separator", "os")
    return configuration


def _current(connection: Connection) -> str | None:
    return MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE}).get_current_revision()


def _is_newer(current: str | None) -> bool:
    """Tell whether a version is of a later release. Raises SchemaMismatch for one that no release can have."""
    known = {script.revision for script in ScriptDirectory.from_config(_configuration()).walk_revisions()}
    if current is None or current in known:
        return False
    if _VERSION.fullmatch(current) and current > head():
        return True
    raise SchemaMismatch(
        f"the database has schema {current[:40]!r}, which is neither a version of this code, up to {head()}, nor a later "
        "one: it was made by something else; check ORDERS_DATABASE__URL, or restore the database"
    )


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
