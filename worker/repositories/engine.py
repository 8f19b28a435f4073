"""The engine: one pool of MySQL connections a process, set up the same way each time.

Every connection speaks utf8mb4, keeps UTC, refuses bad values instead of bending them (strict mode), reads what
is committed (READ COMMITTED: what a locking read waited for is what the next read sees) and gives up waiting
for a lock after `lock_wait` seconds.
"""

import functools
import ssl
from typing import Any

from pymysql.constants import SERVER_STATUS
from sqlalchemy import URL, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError

from worker.domain.errors import InvalidInput
from worker.repositories.connection import CONVERSIONS, AttentiveConnection
from worker.repositories.unit_of_work import watch

__all__ = ["Engine", "make_engine"]

SQL_MODE = (
    "STRICT_ALL_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION"
    # A backslash is a character like any other, as in standard SQL. The server says so with every answer, and PyMySQL
    # then doubles quotes, in C, instead of looking each character of a text up: JSON is full of what it would escape.
    ",NO_BACKSLASH_ESCAPES"
)

LONGEST_TEXT = 64 * 1024 * 1024
"""Bytes of one text that the server makes of many rows (`entry_blocks`): at its default of 1 MB it would be cut off."""
RECYCLE_SECONDS = 280
"""Age at which an idle connection is replaced: below the 350 s after which common network devices forget one."""


@functools.cache
def tls_context(ca_file: str = "") -> ssl.SSLContext:
    """Return the process's one TLS context: certificates are verified, and that they are the host's.

    `ca_file` names the authorities; without it they are the public ones (or SSL_CERT_FILE's). Raises InvalidInput
    when the file holds none. PyMySQL would load the roots anew for each connection, which costs some 70 ms of CPU.
    """
    try:
        return ssl.create_default_context(cafile=ca_file or None)
    except (OSError, ssl.SSLError) as error:
        raise InvalidInput(f"database.ca_file {ca_file!r} cannot be read as certificates: {error.strerror}") from error


def make_engine(
    url: str,
    *,
    pool_size: int,
    connect_timeout: int,
    read_timeout: int,
    write_timeout: int,
    lock_wait: int,
    tls: bool,
    ca_file: str = "",
) -> Engine:
    """Return an engine; nothing is connected yet. Times are whole seconds.

    `url` is `mysql+pymysql://user:password@host:port/name`. Raises InvalidInput (without the URL, which holds
    a password) when it is not. A thread waits at most `connect_timeout` seconds for a free connection.
    """
    engine = create_engine(
        _checked(url),
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=connect_timeout,
        pool_recycle=RECYCLE_SECONDS,
        pool_use_lifo=True,
        pool_reset_on_return=None,  # `_end_what_is_open` does it
        isolation_level="READ COMMITTED",
        hide_parameters=True,
        connect_args={
            "connect_timeout": connect_timeout,
            "read_timeout": read_timeout,
            "write_timeout": write_timeout,
            "sql_mode": SQL_MODE,
            "init_command": f"SET time_zone = '+00:00', innodb_lock_wait_timeout = {int(lock_wait)}, "
            f"group_concat_max_len = {LONGEST_TEXT}",
            **({"ssl": tls_context(ca_file)} if tls else {"ssl_disabled": True}),
        },
    )
    watch(engine)
    event.listen(engine, "do_connect", _connected)
    event.listen(engine, "reset", _end_what_is_open)
    return engine


def _connected(_dialect: Any, _record: Any, arguments: list[Any], options: dict[str, Any]) -> AttentiveConnection:
    """Connect as SQLAlchemy would."""
    return AttentiveConnection(*arguments, conv=CONVERSIONS, **options)


def _end_what_is_open(connection: Any, *_ignored: object) -> None:
    """Roll back what a connection that comes back to the pool left open.

    The pool itself would ask so every time, also right after a commit: one question more for each transaction. The server
    says with each answer whether a transaction is open.
    """
    if connection.server_status & SERVER_STATUS.SERVER_STATUS_IN_TRANS:
        connection.rollback()


def url_of(user: str, password: str, host: str, port: int, database: str) -> str:
    """Return the URL of a sign-in; every character of a password may stand in it."""
    url = URL.create(
        "mysql+pymysql",
        username=user,
        password=password,
        host=host,
        port=port,
        database=database,
        query={"charset": "utf8mb4"},
    )
    return url.render_as_string(hide_password=False)


def password_of(url: str) -> str:
    """Return the password in a URL, nothing when there is none or it is no URL."""
    try:
        return str(make_url(url).password or "")
    except (ArgumentError, ValueError):
        return ""


def _checked(url: str) -> URL:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        parsed = None
    if parsed is None or parsed.drivername != "mysql+pymysql" or not parsed.database:
        raise InvalidInput("the database URL must read mysql+pymysql://user:password@host:port/name")
    return parsed.update_query_dict({"charset": "utf8mb4"})
