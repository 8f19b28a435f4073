"""The database and the application's own user in it, as the server's master user prepares them for a deployment.

The application reads and writes rows and does nothing else: it can neither change the schema nor make users. Every
statement may be repeated, and two deployments at once wait for each other.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError

from worker.domain.errors import DatabaseUnavailable, InvalidInput
from worker.repositories.failures import error_number, translate

USER = "orders_app"
RIGHTS = "SELECT, INSERT, UPDATE, DELETE"
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
_REFUSALS = {1044, 1045, 1049, 1698}
"""MySQL's numbers for: no right to the database, wrong password or user (two), no such database."""

_LOCK = "orders-provision"
_LOCK_SECONDS = 25


def ensure_database(master: Engine, name: str) -> None:
    """Make the database unless it is there. Raises DatabaseUnavailable, InvalidInput."""
    with _session(master) as connection:
        connection.execute(text(f"CREATE DATABASE IF NOT EXISTS `{_checked(name)}` CHARACTER SET utf8mb4"))


def ensure_user(master: Engine, database: str, password: str, *, tls: bool) -> None:
    """Make the application's user, or give the one that is there this password and exactly RIGHTS.

    With `tls` the server takes it over encrypted connections only. Raises DatabaseUnavailable, InvalidInput.
    """
    # In a grant _ stands for any letter unless it is escaped.
    scope = _checked(database).replace("_", r"\_")
    demand = "SSL" if tls else "NONE"
    with _session(master) as connection:
        given = {"user": USER, "password": password}
        connection.execute(text("CREATE USER IF NOT EXISTS :user@'%' IDENTIFIED BY :password"), given)
        connection.execute(text(f"ALTER USER :user@'%' IDENTIFIED BY :password REQUIRE {demand}"), given)
        connection.execute(text(f"GRANT {RIGHTS} ON `{scope}`.* TO :user@'%'"), {"user": USER})


def answers(engine: Engine) -> bool:
    """Tell whether one can sign in with an engine's credentials; False for a refusal.

    Raises DatabaseUnavailable when the server does not answer.
    """
    try:
        with engine.connect():
            return True
    except SQLAlchemyError as error:
        if error_number(error) in _REFUSALS:
            return False
        raise translate(error) from error


@contextmanager
def alone(master: Engine) -> Iterator[None]:
    """Hold the server's lock for the preparation of databases. Raises DatabaseUnavailable when it is not to be had."""
    with _session(master) as connection:
        taken = connection.execute(text("SELECT GET_LOCK(:name, :wait)"), {"name": _LOCK, "wait": _LOCK_SECONDS})
        if taken.scalar_one() != 1:
            raise DatabaseUnavailable("another deployment prepares this server; try again")
        try:
            yield
        finally:
            # Closing the session frees the lock.
            connection.invalidate()


@contextmanager
def _session(master: Engine) -> Iterator[Connection]:
    try:
        with master.connect() as connection:
            yield connection
    except SQLAlchemyError as error:
        raise translate(error) from error


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise InvalidInput(f"a database is named with letters, digits and _, not {name[:80]!r}")
    return name
