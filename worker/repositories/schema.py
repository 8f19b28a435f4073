"""The tables, as the statements see them. The migrations make them; a test keeps the two equal.

- Amounts are BIGINT minor units beside a currency; times are UTC DATETIME(6).
- Text compares by bytes (utf8mb4_bin): `Order-1` and `order-1` are two orders.
- Documents (lines of an order, evidence, bridges, counts) are JSON; what is searched or sorted by has a column.
- Money that moved is never turned away because a row is missing: payments, book entries and parcels have no
  foreign key to orders. Parts that are written together with their owner have one.
"""

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.schema import SchemaItem

from worker.repositories.times import UtcDateTime

METADATA = MetaData()

_SHOP = String(128)
_ID = String(128)
_PROVIDER = String(64)
_REFERENCE = String(320)
_CURRENCY = String(8)
_WORD = String(32)
_SHA256 = String(64)
_OUTSIDE = String(512)
"""A text an outside system chose, for example what it took for our order id."""


def _table(name: str, *items: SchemaItem) -> Table:
    return Table(name, METADATA, *items, mysql_engine="InnoDB", mysql_charset="utf8mb4", mysql_collate="utf8mb4_bin")


def _required(name: str, kind: Any, **options: Any) -> Column[Any]:
    return Column(name, kind, nullable=False, **options)


def _key(name: str, kind: Any) -> Column[Any]:
    return Column(name, kind, primary_key=True, autoincrement=False)


ORDERS = _table(
    "orders",
    _key("shop", _SHOP),
    _key("order_id", _ID),
    _required("currency", _CURRENCY),
    _required("total_minor", BigInteger),
    _required("shipping_minor", BigInteger),
    _required("discount_minor", BigInteger),
    _required("tax_minor", BigInteger),
    _required("positions", JSON),
    _required("customer_id", String(255)),
    _required("payment_mode", _WORD),
    Column("payment_method", String(255)),
    _required("origin", _WORD),
    _required("state", _WORD),
    _required("state_reason", Text),
    _required("placed_at", UtcDateTime),
    _required("updated_at", UtcDateTime),
    _required("trail_length", Integer),
    Index("orders_by_placed", "shop", "placed_at", "order_id"),
    Index("orders_by_updated", "shop", "updated_at", "order_id"),
    Index("orders_by_state", "shop", "state", "placed_at"),
)

ORDER_TRAIL = _table(
    "order_trail",
    _key("shop", _SHOP),
    _key("order_id", _ID),
    _key("sequence", Integer),
    _required("from_state", _WORD),
    _required("to_state", _WORD),
    _required("happened_at", UtcDateTime),
    _required("actor", String(255)),
    _required("reason", Text),
    ForeignKeyConstraint(["shop", "order_id"], ["orders.shop", "orders.order_id"], name="order_trail_of_order"),
)

PAYMENTS = _table(
    "payments",
    _key("provider", _PROVIDER),
    _key("reference", _REFERENCE),
    _required("shop", _SHOP),
    _required("order_id", _ID),
    _required("amount_minor", BigInteger),
    _required("currency", _CURRENCY),
    _required("state", _WORD),
    _required("captured_minor", BigInteger),
    _required("refunded_minor", BigInteger),
    _required("detail", Text),
    _required("first_seen_at", UtcDateTime),
    _required("updated_at", UtcDateTime),
    Index("payments_by_order", "shop", "order_id", "first_seen_at"),
)

BOOK_ENTRIES = _table(
    "book_entries",
    Column("entry_id", BigInteger, primary_key=True, autoincrement=True),
    _required("provider", _PROVIDER),
    _required("kind", _WORD),
    _required("reference", _REFERENCE),
    _required("payment_reference", _REFERENCE),
    _required("shop", _SHOP),
    _required("order_id", _ID),
    _required("amount_minor", BigInteger),
    _required("currency", _CURRENCY),
    _required("occurred_at", UtcDateTime),
    Column("method", _WORD, nullable=False, server_default=""),
    UniqueConstraint("provider", "kind", "reference", name="book_entries_once"),
    CheckConstraint("kind <> 'capture' OR amount_minor >= 0", name="captures_come_in"),
    CheckConstraint("kind <> 'refund' OR amount_minor <= 0", name="refunds_go_out"),
    Index("book_entries_by_order", "shop", "order_id", "occurred_at"),
    Index("book_entries_by_time", "shop", "provider", "occurred_at", "reference", "kind"),
    Index("book_entries_by_payment", "provider", "payment_reference"),
)

SHIPMENTS = _table(
    "shipments",
    _key("shop", _SHOP),
    _key("shipment_id", _ID),
    _required("order_id", _ID),
    _required("state", _WORD),
    _required("requested_at", UtcDateTime),
    Column("shipped_at", UtcDateTime),
    _required("tracking", String(255)),
    Index("shipments_by_order", "shop", "order_id", "requested_at"),
)

INBOX = _table(
    "inbox",
    # The id first: the other way round, the optimiser reads a whole source and sorts it to find its newest events.
    _key("event_id", _ID),
    _key("source", _PROVIDER),
    _required("topic", String(255)),
    _required("origin", _WORD),
    _required("body_sha256", _SHA256),
    _required("received_at", UtcDateTime),
    _required("workflow_id", String(512)),
    _required("run_id", _ID),
    _required("outcome", _WORD),
    _required("detail", Text),
    Column("closed_at", UtcDateTime),
    Index("inbox_by_time", "received_at", "event_id", "source"),
    Index("inbox_by_source", "source", "received_at", "event_id"),
    Index("inbox_by_outcome", "outcome", "received_at", "event_id", "source"),
)

USERS = _table(
    "users",
    _key("user_id", _ID),
    _required("email", _REFERENCE),
    _required("state", _WORD),
    _required("registered_at", UtcDateTime),
    Column("confirmed_at", UtcDateTime),
    _required("updated_at", UtcDateTime),
)

RUNS = _table(
    "runs",
    _key("run_id", _ID),
    _required("shop", _SHOP),
    _required("provider", _PROVIDER),
    _required("window_start", UtcDateTime),
    _required("window_end", UtcDateTime),
    _required("source", String(255)),
    _required("requested_by", String(255)),
    _required("workflow_id", String(512)),
    _required("started_at", UtcDateTime),
    Column("finished_at", UtcDateTime),
    _required("verdict", _WORD),
    Column("counts", JSON(none_as_null=True)),
    _required("incomplete_because", JSON),
    _required("report", String(1024)),
    Index("runs_by_time", "started_at"),
    Index("runs_by_shop", "shop", "started_at"),
)

RUN_STATEMENTS = _table(
    "run_statements",
    Column("run_id", _ID, ForeignKey("runs.run_id", name="run_statements_of_run"), primary_key=True),
    _key("currency", _CURRENCY),
    _required("ours_minor", BigInteger),
    _required("theirs_minor", BigInteger),
    _required("fees_minor", BigInteger),
    _required("net_minor", BigInteger),
    _required("bridge", JSON),
)

RUN_FINDINGS = _table(
    "run_findings",
    Column("run_id", _ID, ForeignKey("runs.run_id", name="run_findings_of_run"), primary_key=True),
    _key("position", Integer),
    _required("leg", _WORD),
    _required("subject", _OUTSIDE),
    _required("kind", _WORD),
    _required("outcome", _WORD),
    _required("currency", _CURRENCY),
    _required("order_id", _OUTSIDE),
    _required("difference_minor", BigInteger),
    _required("at_risk_minor", BigInteger),
    _required("document", JSON),
)

WATERMARKS = _table(
    "watermarks",
    _key("shop", _SHOP),
    _key("provider", _PROVIDER),
    Column("reached_at", UtcDateTime),
)

BREAKS = _table(
    "breaks",
    _key("break_id", _WORD),
    _required("shop", _SHOP),
    _required("provider", _PROVIDER),
    _required("status", _WORD),
    _required("leg", _WORD),
    _required("kind", _WORD),
    _required("currency", _CURRENCY),
    _required("order_id", _OUTSIDE),
    _required("at_risk_minor", BigInteger),
    _required("first_seen_at", UtcDateTime),
    _required("last_seen_at", UtcDateTime),
    _required("first_movement_at", UtcDateTime),
    _required("runs_seen", Integer),
    _required("repair_state", _WORD),
    Column("resolved_at", UtcDateTime),
    _required("resolution", Text),
    _required("finding", JSON),
    Index("breaks_by_status", "shop", "provider", "status", "first_seen_at"),
    Index("breaks_by_shop_risk", "shop", "at_risk_minor", "break_id"),
    Index("breaks_by_risk", "at_risk_minor", "break_id"),
)

BREAK_ACTIONS = _table(
    "break_actions",
    Column("action_id", BigInteger, primary_key=True, autoincrement=True),
    _required("break_id", _WORD),
    _required("happened_at", UtcDateTime),
    _required("actor", String(255)),
    _required("action", _WORD),
    _required("run_id", _ID),
    _required("detail", Text),
    Index("break_actions_by_break", "break_id", "action_id"),
    ForeignKeyConstraint(["break_id"], ["breaks.break_id"], name="break_actions_of_break"),
)

STATEMENT_FILES = _table(
    "statement_files",
    _key("sha256", _SHA256),
    _required("shop", _SHOP),
    _required("provider", _PROVIDER),
    _required("file_format", _WORD),
    _required("name", String(512)),
    _required("imported_at", UtcDateTime),
    _required("row_count", BigInteger),
    _required("rejected_count", BigInteger),
    Column("first_at", UtcDateTime),
    Column("last_at", UtcDateTime),
    _required("checks", JSON),
)

STATEMENT_LINES = _table(
    "statement_lines",
    Column("sha256", _SHA256, ForeignKey("statement_files.sha256", name="statement_lines_of_file"), primary_key=True),
    _key("position", BigInteger),
    _required("line_id", _REFERENCE),
    _required("provider", _PROVIDER),
    _required("kind", _WORD),
    _required("currency", _CURRENCY),
    _required("gross_minor", BigInteger),
    _required("fee_minor", BigInteger),
    _required("net_minor", BigInteger),
    _required("created_at", UtcDateTime),
    _required("payment_reference", _REFERENCE),
    _required("order_id", _OUTSIDE),
    _required("source_id", _REFERENCE),
    _required("payout_id", _REFERENCE),
    _required("type_text", String(255)),
)

STATEMENT_REJECTS = _table(
    "statement_rejects",
    Column("sha256", _SHA256, ForeignKey("statement_files.sha256", name="statement_rejects_of_file"), primary_key=True),
    _key("position", BigInteger),
    _required("line_number", BigInteger),
    _required("column_name", String(255)),
    _required("reason", Text),
)
