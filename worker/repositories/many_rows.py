"""Many rows of one statement, handed to the driver as they are: SQLAlchemy would weigh every cell of every row anew.

Measured (rows of 11 to 27 cells): what SQLAlchemy does between a row and the driver takes as long as the driver itself.
So values come as the driver writes them: JSON as text, times as `utc_text`.
"""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Insert
from sqlalchemy.dialects.mysql.pymysql import MySQLDialect_pymysql

from worker.repositories.times import NaiveTime


class ManyRows:
    """An INSERT, made into text once; whatever belongs to the transaction and its failures goes on as with any other."""

    def __init__(self, statement: Insert) -> None:
        made = statement.compile(dialect=MySQLDialect_pymysql())
        self._text = str(made)
        self._cells = itemgetter(*made.positiontup or ())

    def execute(self, connection: Connection, rows: Iterable[Mapping[str, Any]]) -> None:
        """Insert the rows, each with a value for every column, in one statement (the driver's limit allowing)."""
        connection.exec_driver_sql(self._text, list(map(self._cells, rows)))


@lru_cache(maxsize=4096)
def utc_text(at: datetime) -> str:
    """Return a time as DATETIME(6) is written: UTC, without a zone. Raises NaiveTime."""
    if at.tzinfo is None:
        raise NaiveTime("a time for the database needs a zone")
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")


def utc_text_or_none(at: datetime | None) -> str | None:
    """Do as `utc_text`, and let NULL be NULL."""
    return None if at is None else utc_text(at)


json_text = json.JSONEncoder(separators=(",", ":")).encode
"""Make a JSON value the text of its column."""
