"""Connections of PyMySQL that read the description of a column once, and know whether they were answered.

With every row that is asked for the server describes each of its columns again, in the same bytes, and PyMySQL takes them
apart in Python: a fifth of what the statements of an order cost.
"""

import functools
from typing import Any

from pymysql.connections import Connection
from pymysql.protocol import FieldDescriptorPacket, MysqlPacket

REMEMBERED = 4096
"""Columns, each as one statement names it. More than all tables have; what is asked for once only is forgotten."""


@functools.lru_cache(REMEMBERED)
def _described(data: bytes, encoding: str) -> FieldDescriptorPacket:
    """Return what the bytes say of a column. Nobody changes it: it is shared by all results of the process."""
    return FieldDescriptorPacket(data, encoding)


class AttentiveConnection(Connection):
    """A connection that knows again what it was told of a column. `answered`: a statement has succeeded since that was set."""

    answered = False

    def query(self, sql: Any, unbuffered: bool = False) -> int:
        """Send a statement and read its answer; return how many rows it was about."""
        rows: int = super().query(sql, unbuffered)
        self.answered = True
        return rows

    def _read_packet(self, packet_type: Any = MysqlPacket) -> Any:
        return super()._read_packet(  # type: ignore[no-untyped-call]
            _described if packet_type is FieldDescriptorPacket else packet_type
        )
