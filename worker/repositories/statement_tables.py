"""The tables of statement files and bank accounts; see schema.py for what holds of all tables.

A file is a shop's: `sha256`, by which its rejects and bank entries know it, is the key that statement_keys.py gives it, and
`content_sha256` the digest of its bytes; empty where a release stored it that knew only the one.
"""

from sqlalchemy import JSON, BigInteger, Boolean, Column, Date, ForeignKey, Index, String, Text

from worker.repositories.columns import (
    CURRENCY,
    ID,
    OUTSIDE,
    PROVIDER,
    REFERENCE,
    SHA256,
    SHOP,
    WORD,
    key,
    required,
    table,
)
from worker.repositories.times import UtcDateTime

STATEMENT_FILES = table(
    "statement_files",
    key("sha256", SHA256),
    required("shop", SHOP),
    required("provider", PROVIDER),
    required("file_format", WORD),
    required("name", String(512)),
    required("imported_at", UtcDateTime),
    required("row_count", BigInteger),
    required("rejected_count", BigInteger),
    Column("first_at", UtcDateTime),
    Column("last_at", UtcDateTime),
    required("checks", JSON),
    required("scope", WORD, server_default="ledger"),
    Column("marks", JSON),
    Column("content_sha256", SHA256),
    Index("statement_files_by_shop", "shop", "imported_at", "sha256"),
    Index("statement_files_by_scope", "shop", "scope", "last_at"),
    Index("statement_files_of_shop", "shop", "content_sha256", unique=True),
)

STATEMENT_LINES = table(
    "statement_lines",
    Column("sha256", SHA256, ForeignKey("statement_files.sha256", name="statement_lines_of_file"), primary_key=True),
    key("position", BigInteger),
    required("line_id", REFERENCE),
    required("provider", PROVIDER),
    required("kind", WORD),
    required("currency", CURRENCY),
    required("gross_minor", BigInteger),
    required("fee_minor", BigInteger),
    required("net_minor", BigInteger),
    required("created_at", UtcDateTime),
    required("payment_reference", REFERENCE),
    required("order_id", OUTSIDE),
    required("source_id", REFERENCE),
    required("payout_id", REFERENCE),
    required("type_text", String(255)),
    required("method", String(255), server_default=""),
    required("country", CURRENCY, server_default=""),
    required("customer_currency", CURRENCY, server_default=""),
    required("customer_minor", BigInteger, server_default="0"),
    Column("payout_at", UtcDateTime),
)

STATEMENT_REJECTS = table(
    "statement_rejects",
    Column("sha256", SHA256, ForeignKey("statement_files.sha256", name="statement_rejects_of_file"), primary_key=True),
    key("position", BigInteger),
    required("line_number", BigInteger),
    required("column_name", String(255)),
    required("reason", Text),
)

BANK_ENTRIES = table(
    "bank_entries",
    key("shop", SHOP),
    key("account", ID),
    key("entry_id", ID),
    Column("sha256", SHA256, ForeignKey("statement_files.sha256", name="bank_entries_of_file"), nullable=False),
    required("amount_minor", BigInteger),
    required("currency", CURRENCY),
    required("booked_on", Date),
    Column("value_on", Date),
    required("status", WORD),
    required("refers_to", JSON),
    required("text", Text),
    required("counterparty", String(255)),
    required("reversal", Boolean),
    Index("bank_entries_by_day", "shop", "booked_on", "account", "entry_id"),
)
