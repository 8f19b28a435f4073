"""What the tables are made of: kinds of columns, each the same everywhere, and the metadata that holds all tables."""

from typing import Any

from sqlalchemy import Column, MetaData, String, Table
from sqlalchemy.schema import SchemaItem

METADATA = MetaData()

SHOP = String(128)
ID = String(128)
PROVIDER = String(64)
REFERENCE = String(320)
CURRENCY = String(8)
WORD = String(32)
SHA256 = String(64)
OUTSIDE = String(512)
"""A text an outside system chose, for example what it took for our order id."""


def table(name: str, *items: SchemaItem) -> Table:
    """Return a table of ours: InnoDB, texts compared by bytes."""
    return Table(name, METADATA, *items, mysql_engine="InnoDB", mysql_charset="utf8mb4", mysql_collate="utf8mb4_bin")


def required(name: str, kind: Any, **options: Any) -> Column[Any]:
    """Return a column that always has a value."""
    return Column(name, kind, nullable=False, **options)


def key(name: str, kind: Any) -> Column[Any]:
    """Return a column of the primary key, whose value we choose."""
    return Column(name, kind, primary_key=True, autoincrement=False)
