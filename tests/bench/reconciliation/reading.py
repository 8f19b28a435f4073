"""Reading all book entries into Arrow, each way for itself: what it costs the client, the server and in memory.

Program: DATABASE_URL SERVER_PID WAY. The ways `blocks` (the worker's), `quoted` (the same as CSV with every text quoted)
and `pymysql` (rows, in chunks) need what the worker has; `connectorx` is of the peers' environment. Each tells its rows
and a sum over all of their cells, which must be every way's. Not here: DuckDB's MySQL extension, which is fetched from a
server of its own and is in no package for the DuckDB that is pinned; MySQL's connector, whose package came without its part in C.
"""

import sys
import zlib
from collections.abc import Callable, Iterator
from itertools import cycle
from urllib.parse import urlsplit

import pyarrow as pa

from tests.bench.reconciliation.spent import Spent, peak_mb

COLUMNS = (
    "shop", "order_id", "provider", "kind", "reference", "payment_reference", "amount_minor", "currency", "occurred_at",
    "method",
)  # fmt: skip
_QUERY = f"SELECT {', '.join(COLUMNS)} FROM book_entries WHERE shop = 'main' AND provider = 'stripe'"  # noqa: S608
_CHUNK = 10_000


def main(url: str, server: str, way: str) -> None:
    """Read, then weigh what was read."""
    spent = Spent(int(server))
    started = peak_mb()
    tables = WAYS[way](url)
    held: list[pa.Table] = []
    with spent.step("read"):
        held.extend(tables)
    read = peak_mb()
    spent.tell(rows=sum(table.num_rows for table in held), cells=sum(map(_weight, held)), grown_mb=read - started)


def _weight(table: pa.Table) -> int:
    """Return a sum over all cells, whatever the order of the rows."""
    moments = table.column("occurred_at").cast(pa.timestamp("us")).cast(pa.int64()).to_pylist()
    columns = [table.column(name).to_pylist() for name in COLUMNS if name != "occurred_at"]
    return sum(zlib.crc32(repr(row).encode()) for row in zip(*columns, moments, strict=True))


def _blocks(url: str) -> Iterator[pa.Table]:
    from tests.bench.reconciliation.floor import SINCE, UNTIL, books_of  # noqa: PLC0415 - the worker's environment
    from worker.lake.entries import read_block  # noqa: PLC0415

    def read() -> Iterator[pa.Table]:
        with books_of(url) as database:
            yield from database.transact(
                lambda tx: [read_block(block) for block in tx.payments.entry_blocks("main", "stripe", SINCE, UNTIL)]
            )

    return read()


def _quoted(url: str) -> Iterator[pa.Table]:
    from worker.repositories import entry_blocks  # noqa: PLC0415

    # As if every block held what parts the fields: all are asked for as CSV, once each.
    truly, bare = entry_blocks.asked, cycle((True, False))
    entry_blocks.asked = lambda *block: (1, b"") if next(bare) else truly(*block)
    return _blocks(url)


def _pymysql(url: str) -> Iterator[pa.Table]:
    import pymysql  # noqa: PLC0415
    from pymysql.cursors import SSCursor  # noqa: PLC0415

    place = urlsplit(url)

    def read() -> Iterator[pa.Table]:
        with pymysql.connect(
            host=place.hostname,
            port=place.port or 3306,
            user=place.username,
            password=place.password or "",
            database=place.path.lstrip("/"),
            cursorclass=SSCursor,
            ssl_disabled=True,
        ) as connection:
            cursor = connection.cursor()
            cursor.execute(_QUERY)
            while rows := cursor.fetchmany(_CHUNK):
                yield pa.table(dict(zip(COLUMNS, map(pa.array, zip(*rows, strict=True)), strict=True)))

    return read()


def _connectorx(url: str) -> Iterator[pa.Table]:
    import connectorx  # noqa: PLC0415

    place = urlsplit(url)._replace(scheme="mysql", query="").geturl()
    return (connectorx.read_sql(place, _QUERY, return_type="arrow") for _ in range(1))


WAYS: dict[str, Callable[[str], Iterator[pa.Table]]] = {
    "blocks": _blocks,
    "quoted": _quoted,
    "pymysql": _pymysql,
    "connectorx": _connectorx,
}
OF_PEERS = frozenset({"connectorx"})

if __name__ == "__main__":
    main(*sys.argv[1:])
