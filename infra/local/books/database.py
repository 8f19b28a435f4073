"""Made books into the tables of a MySQL or MariaDB, by LOAD DATA LOCAL INFILE: the fastest way in there is.

The schema must be there (`orders db migrate`), and the server must allow it (`local_infile`, on by default in
MariaDB). Only for databases that are thrown away afterwards: nothing here checks what the worker would check.
"""

import ssl
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType

import pymysql
from pymysql.cursors import Cursor
from sqlalchemy import make_url

from infra.local.books.bulk import BulkBooks

TABLES: Mapping[str, tuple[str, ...]] = MappingProxyType({
    "orders": (
        "shop", "order_id", "currency", "total_minor", "shipping_minor", "discount_minor", "tax_minor", "positions",
        "customer_id", "payment_mode", "payment_method", "origin", "state", "state_reason", "placed_at", "updated_at",
        "trail_length",
    ),
    "payments": (
        "provider", "reference", "shop", "order_id", "amount_minor", "currency", "state", "captured_minor",
        "refunded_minor", "detail", "first_seen_at", "updated_at",
    ),
    "book_entries": (
        "provider", "kind", "reference", "payment_reference", "shop", "order_id", "amount_minor", "currency",
        "occurred_at",
    ),
    "shipments": ("shop", "shipment_id", "order_id", "state", "requested_at", "shipped_at", "tracking"),
})  # fmt: skip
"""The tables that are filled, and their columns in the order of the files."""
_RELATIONS = {"book_entries": "entries", "shipments": "parcels"}
_SORTED = {"payments": "reference", "shipments": "shipment_id"}
"""Tables whose keys are drawn by lot. A row goes where its key says, so rows out of order are a page read and written each
once the tables are larger than the server's memory."""


def load(
    url: str, books: BulkBooks, *, tables: tuple[str, ...] = tuple(TABLES), directory: Path | None = None
) -> dict[str, int]:
    """Load our side of made books; return the rows of each table.

    `url` is the worker's (`mysql+pymysql://...`). The files between stand in `directory` and are removed. Raises
    pymysql.MySQLError when the server refuses; a row it would bend or skip is an error too.
    """
    given = make_url(url)
    loaded = {}
    connection = pymysql.connect(
        host=given.host or "127.0.0.1",
        port=given.port or 3306,
        user=given.username or "",
        password=given.password or "",
        database=given.database,
        charset="utf8mb4",
        local_infile=True,
        autocommit=True,
        ssl=ssl.create_default_context() if given.query.get("ssl") == "true" else None,
    )
    with connection, TemporaryDirectory(dir=directory) as folder, connection.cursor() as cursor:
        cursor.execute("SET time_zone = '+00:00', unique_checks = 0, foreign_key_checks = 0")
        for table in tables:
            columns = TABLES[table]
            indexes = _indexes(cursor, table)
            _alter(cursor, table, [f"DROP INDEX {name}" for name, _, _ in indexes])
            path = books.write(
                _RELATIONS.get(table, table),
                Path(folder) / f"{table}.tsv",
                ", ".join(columns),
                order=_SORTED.get(table, ""),
            )
            loaded[table] = cursor.execute(
                f"LOAD DATA LOCAL INFILE %s INTO TABLE {table} CHARACTER SET utf8mb4 "
                "FIELDS TERMINATED BY '\\t' ESCAPED BY '\\\\' LINES TERMINATED BY '\\n' "
                f"({', '.join(columns)})",
                (str(path),),
            )
            path.unlink()
            cursor.execute("SHOW WARNINGS LIMIT 1")
            warned = cursor.fetchone()
            if warned is not None:
                raise pymysql.DataError(f"{table}: {warned}")
            # Built in one go from sorted keys; kept up to date row by row, they would cost several times as much.
            _alter(cursor, table, [f"ADD {kind} {name} ({columns})" for name, kind, columns in indexes])
    return loaded


def _indexes(cursor: Cursor, table: str) -> list[tuple[str, str, str]]:
    """Return name, kind and columns of a table's indexes but the primary one."""
    cursor.execute(
        "SELECT index_name, IF(MAX(non_unique), 'INDEX', 'UNIQUE INDEX'), GROUP_CONCAT(column_name ORDER BY seq_in_index) "
        "FROM information_schema.statistics WHERE table_schema = DATABASE() AND table_name = %s "
        "AND index_name <> 'PRIMARY' GROUP BY index_name ORDER BY index_name",
        (table,),
    )
    return [(str(name), str(kind), str(columns)) for name, kind, columns in cursor.fetchall()]


def _alter(cursor: Cursor, table: str, changes: list[str]) -> None:
    if changes:
        cursor.execute(f"ALTER TABLE {table} {', '.join(changes)}")
