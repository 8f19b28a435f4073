"""What MySQL's error numbers mean to us.

Messages name the number and never the server's text, which quotes the values of a row.
Source of the numbers: MySQL reference manual, "Server Error Message Reference" and "Client Error Message
Reference"; MariaDB knowledge base, "MariaDB Error Code Reference" (4025).
"""

from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from worker.domain.errors import Conflict, DatabaseUnavailable, InvalidInput, OrdersError, SchemaMismatch

DEADLOCK = 1213
LOCK_WAIT = 1205
DUPLICATE = 1062
_CHECK_VIOLATED = frozenset({3819, 4025})
_UNKNOWN_TABLE_OR_COLUMN = frozenset({1054, 1146})

_SAID = {
    1040: "MySQL takes no more connections",
    1044: "MySQL does not let this user into the database",
    1045: "MySQL does not let this user in",
    1021: "MySQL's disk is full",
    1049: "MySQL has no such database",
    1053: "MySQL is shutting down",
    1114: "a table of MySQL is full: its disk, or the limit that it has",
    1290: "MySQL only reads: it is a replica now, or was set so",
    1836: "MySQL only reads: it is a replica now, or was set so",
    1927: "the connection to MySQL was ended by its administrator",
    LOCK_WAIT: "a row stayed locked for too long",
    DEADLOCK: "MySQL chose this transaction to end a deadlock",
    2002: "MySQL does not answer at its address",
    2003: "MySQL does not answer at its address",
    2006: "MySQL has closed the connection",
    2013: "the connection to MySQL was lost",
}


def error_number(error: BaseException | None) -> int:
    """Return MySQL's error number, or 0 when the error has none."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    arguments = getattr(cause, "args", ())
    return arguments[0] if arguments and isinstance(arguments[0], int) else 0


def is_expected_duplicate(error: BaseException | None) -> bool:
    """Tell whether a unique key refused a row: an answer rather than a failure."""
    return isinstance(error, IntegrityError) and error_number(error) == DUPLICATE


def is_disconnect(error: BaseException) -> bool:
    """Tell whether the connection was gone."""
    return isinstance(error, DBAPIError) and error.connection_invalidated


def translate(error: SQLAlchemyError | UnicodeEncodeError) -> OrdersError:
    """Return the error of our tree for one of SQLAlchemy's or the driver's."""
    number = error_number(error)
    if isinstance(error, UnicodeEncodeError):
        return InvalidInput("a text for the database is not valid Unicode")
    if isinstance(error, PoolTimeout):
        return DatabaseUnavailable("all database connections of this process are in use")
    if number in _UNKNOWN_TABLE_OR_COLUMN:
        return SchemaMismatch(f"the database lacks a table or column this code needs (MySQL error {number})")
    if isinstance(error, DataError):
        return InvalidInput(f"a value does not fit its column (MySQL error {number})")
    if isinstance(error, IntegrityError) or number in _CHECK_VIOLATED:
        return Conflict(f"the database refused a row that breaks a rule of its table (MySQL error {number})")
    if number:
        said = _SAID.get(number)
        return DatabaseUnavailable(f"{said} (MySQL error {number})" if said else f"MySQL error {number}")
    return DatabaseUnavailable(f"the database layer failed: {type(error).__name__}")
