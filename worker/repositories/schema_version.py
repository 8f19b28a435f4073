"""Which version of the schema a database has and this code needs, without the machinery that changes it.

Every process and every command asks at its start, and Alembic takes a third of a second to load.
"""

import logging
import re
from pathlib import Path

from sqlalchemy import Connection, Engine, String, column, select, table
from sqlalchemy.exc import SQLAlchemyError

from worker.domain.errors import SchemaMismatch
from worker.repositories.failures import translate

VERSION_TABLE = "schema_version"
_log = logging.getLogger(__name__)
_VERSION = re.compile(r"\d{4}")
_VERSIONS = Path(__file__).parent / "migrations" / "versions"


def check(engine: Engine) -> None:
    """Raise SchemaMismatch when the database is older than this code, or not ours; DatabaseUnavailable when away.

    A newer one is used, with a warning: that is what a rollback looks like.
    """
    found = version(engine)
    if is_newer(found):
        _log.warning("the database is newer than this code", extra={"schema": found, "code": head()})
        return
    if found != head():
        raise SchemaMismatch(
            f"the database has schema {found or 'none'}, this code needs {head()}: run `orders db migrate`"
        )


def version(engine: Engine) -> str | None:
    """Return the version of the schema, or None for an empty database. Raises DatabaseUnavailable."""
    try:
        with engine.connect() as connection:
            return current(connection)
    except SQLAlchemyError as error:
        raise translate(error) from error


def head() -> str:
    """Return the version of the schema this code needs."""
    return max(_known(), default="") or _none()


def current(connection: Connection) -> str | None:
    """Return the version of the schema, or None for an empty database."""
    if not connection.dialect.has_table(connection, VERSION_TABLE):
        return None
    asked = select(column("version_num", String)).select_from(table(VERSION_TABLE))
    return connection.execute(asked).scalar_one_or_none()


def is_newer(version: str | None) -> bool:
    """Tell whether a version is of a later release. Raises SchemaMismatch for one that no release can have."""
    if version is None or version in _known():
        return False
    if _VERSION.fullmatch(version) and version > head():
        return True
    raise SchemaMismatch(
        f"the database has schema {version[:40]!r}, which is neither a version of this code, up to {head()}, nor a later "
        "one: it was made by something else; check ORDERS_DATABASE__URL, or restore the database"
    )


def _known() -> set[str]:
    """Versions are the numbers before the names of the migrations' files, one after the other."""
    return {number for file in _VERSIONS.glob("*_*.py") if (number := file.name.partition("_")[0]).isdigit()}


def _none() -> str:
    raise SchemaMismatch("this installation has no migrations")
