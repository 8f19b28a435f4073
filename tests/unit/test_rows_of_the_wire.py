"""Rows as the server sends them are read as PyMySQL reads them, cell by cell."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from pymysql.connections import MySQLResult
from pymysql.protocol import MysqlPacket

from worker.repositories.connection import Reader, cells

READERS: list[Reader] = [("utf-8", None), ("ascii", int), (None, None)]
CELLS = st.one_of(
    st.none().map(lambda _: (None, None)),
    st.tuples(st.just(READERS[0]), st.text(max_size=400).map(str.encode)),
    st.tuples(st.just(READERS[1]), st.integers().map(lambda number: str(number).encode())),
    st.tuples(st.just(READERS[2]), st.binary(max_size=300)),
    st.tuples(st.just(READERS[2]), st.sampled_from([0, 250, 251, 252, 255, 256, 65_535, 65_536, 70_000]).map(bytes)),
)


def written(cell: bytes | None) -> bytes:
    if cell is None:
        return b"\xfb"
    size = len(cell)
    if size < 251:
        return bytes([size]) + cell
    if size < 1 << 16:
        return b"\xfc" + size.to_bytes(2, "little") + cell
    return b"\xfd" + size.to_bytes(3, "little") + cell


def as_pymysql_reads(data: bytes, readers: list[Reader]) -> tuple[Any, ...]:
    kind: Any = MySQLResult
    result, packet = kind(None), MysqlPacket(data, "utf8")
    result.converters = readers
    return tuple(result._read_row_from_packet(packet))


@given(st.lists(CELLS, min_size=1, max_size=8))
def test_a_row_is_what_pymysql_makes_of_it(row: list[tuple[Reader | None, bytes | None]]) -> None:
    readers = [reader or READERS[0] for reader, _ in row]
    data = b"".join(written(cell) for _, cell in row)
    assert cells(data, readers) == as_pymysql_reads(data, readers)


@given(st.lists(CELLS, min_size=1, max_size=8), st.integers(min_value=1, max_value=5))
def test_bytes_that_are_no_whole_row_are_left_to_pymysql(
    row: list[tuple[Reader | None, bytes | None]], missing: int
) -> None:
    readers: list[Reader] = [READERS[2]] * len(row)
    data = b"".join(written(cell) for _, cell in row)
    assert cells(data[:-missing], readers) is None
    assert cells(data + b"\0", readers) is None
    assert cells(b"\xff" + data, readers) is None


def test_a_length_of_eight_bytes_is_read() -> None:
    assert cells(b"\xfe" + (3).to_bytes(8, "little") + b"abc", [("ascii", None)]) == ("abc",)
