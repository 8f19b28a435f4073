"""A database that the outer environment named: used as it is, or a throw-away neighbour of it where that is allowed."""

import secrets
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

import pymysql

from infra.local.errors import StackError
from infra.local.layout import OWN_DATABASE


def check(url: str) -> None:
    """Make sure that the database answers. Raises StackError that says where the URL came from."""
    try:
        _execute(urlsplit(url), "SELECT 1")
    except pymysql.MySQLError as error:
        raise StackError(
            f"{OWN_DATABASE} is set, but that database does not answer ({error}); unset it to use a private MariaDB",
        ) from error


def claim(url: str) -> str | None:
    """Create an empty database beside the one of `url` and return its URL; None when the user may not create one."""
    parts = urlsplit(url)
    name = f"{_name(parts)}_{secrets.token_hex(4)}"
    try:
        _execute(parts, f"CREATE DATABASE `{name}` CHARACTER SET utf8mb4")
    except pymysql.MySQLError:
        return None
    return urlunsplit(parts._replace(path=f"/{name}"))


def drop(url: str) -> None:
    """Drop the database that `claim` made."""
    parts = urlsplit(url)
    _execute(parts, f"DROP DATABASE IF EXISTS `{_name(parts)}`")


def _name(parts: SplitResult) -> str:
    return parts.path.lstrip("/").replace("`", "")


def _execute(parts: SplitResult, statement: str) -> None:
    connection = pymysql.connect(
        host=parts.hostname or "127.0.0.1",
        port=parts.port or 3306,
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        connect_timeout=5,
        read_timeout=10,
    )
    with connection, connection.cursor() as cursor:
        cursor.execute(statement)
