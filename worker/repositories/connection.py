"""Connections of PyMySQL that read the description of a column once, write values quickly, and know whether they were answered.

With every row that is asked for the server describes each of its columns again, in the same bytes, and PyMySQL takes them
apart in Python: a fifth of what the statements of an order cost. Every value that is written it asks in turn whether it is
this or that: half of what the many rows of a run cost.
"""

import functools
from typing import Any

from pymysql.connections import Connection
from pymysql.constants import SERVER_STATUS
from pymysql.cursors import Cursor
from pymysql.protocol import FieldDescriptorPacket, MysqlPacket

REMEMBERED = 4096
"""Columns, each as one statement names it. More than all tables have; what is asked for once only is forgotten."""


@functools.lru_cache(REMEMBERED)
def _described(data: bytes, encoding: str) -> FieldDescriptorPacket:
    """Return what the bytes say of a column. Nobody changes it: it is shared by all results of the process."""
    return FieldDescriptorPacket(data, encoding)


class QuickCursor(Cursor):
    """A cursor that writes the values almost all rows consist of at once: texts, whole numbers and NULL."""

    def _mogrify(self, query: str, args: Any) -> str:
        connection: Any = self.connection
        if type(args) is not tuple or not connection.server_status & SERVER_STATUS.SERVER_STATUS_NO_BACKSLASH_ESCAPES:
            return self._as_ever(query, args)
        literals = [
            "'" + value.replace("'", "''") + "'"
            if type(value) is str
            else str(value)
            if type(value) is int
            else "NULL"
            if value is None
            else connection.escape(value)
            for value in args
        ]
        try:
            return query % tuple(literals)
        except TypeError:
            return self._as_ever(query, args)  # which says what is wrong

    def _as_ever(self, query: str, args: Any) -> str:
        written: str = super()._mogrify(query, args)  # type: ignore[misc]  # the stubs know what is public only
        return written


class AttentiveConnection(Connection):
    """A connection that knows again what it was told of a column. `answered`: a statement has succeeded since that was set."""

    answered = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"cursorclass": QuickCursor, **kwargs})

    def query(self, sql: Any, unbuffered: bool = False) -> int:
        """Send a statement and read its answer; return how many rows it was about."""
        rows: int = super().query(sql, unbuffered)
        self.answered = True
        return rows

    def _read_packet(self, packet_type: Any = MysqlPacket) -> Any:
        return super()._read_packet(  # type: ignore[no-untyped-call]
            _described if packet_type is FieldDescriptorPacket else packet_type
        )
