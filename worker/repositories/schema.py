"""The tables, as the statements see them. The migrations make them; a test keeps the two equal.

- Amounts are BIGINT minor units beside a currency; times are UTC DATETIME(6).
- Text compares by bytes (utf8mb4_bin): `Order-1` and `order-1` are two orders.
- Documents (lines of an order, evidence, bridges, counts) are JSON; what is searched or sorted by has a column.
- Money that moved is never turned away because a row is missing: payments, book entries and parcels have no
  foreign key to orders. Parts that are written together with their owner have one.
"""

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    String,
    Text,
    UniqueConstraint,
)

from worker.repositories import (
    address_tables,
    alert_tables,
    break_tables,
    columns,
    dispute_tables,
    line_tables,
    run_tables,
    statement_tables,
    stock_tables,
    timeline_tables,
)
from worker.repositories.columns import CURRENCY as _CURRENCY
from worker.repositories.columns import ID as _ID
from worker.repositories.columns import OUTSIDE as _OUTSIDE
from worker.repositories.columns import PROVIDER as _PROVIDER
from worker.repositories.columns import REFERENCE as _REFERENCE
from worker.repositories.columns import SHA256 as _SHA256
from worker.repositories.columns import SHOP as _SHOP
from worker.repositories.columns import WORD as _WORD
from worker.repositories.columns import key as _key
from worker.repositories.columns import required as _required
from worker.repositories.columns import table as _table
from worker.repositories.times import UtcDateTime

METADATA = columns.METADATA

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
    _required("number", String(64), server_default=""),
    Index("orders_by_number", "shop", "number"),
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
    Column("contents", JSON(none_as_null=True)),  # none: all that was left of its order
    Column("delivered_at", UtcDateTime),
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
    Index("users_by_time", "registered_at", "user_id"),
    Index("users_by_state", "state", "registered_at", "user_id"),
)

USER_KEYS = _table(
    "user_keys",
    _key("key_id", _WORD),
    _required("user_id", _ID),
    # Base64, and no text once it was dropped; what wraps it is named, and is empty then, too.
    _required("wrapped", String(255)),
    _required("wrapped_with", _WORD),
    _required("made_at", UtcDateTime),
    Column("dropped_at", UtcDateTime),
    UniqueConstraint("user_id", name="user_keys_once"),
    Index("user_keys_by_wrapping", "wrapped_with", "key_id"),
)

AUDIT_TRAIL = _table(
    "audit_trail",
    _key("shop", _SHOP),
    _key("sequence", BigInteger),
    _required("happened_at", UtcDateTime),
    _required("actor", String(255)),
    _required("action", _WORD),
    _required("subject", _REFERENCE),
    _required("run_id", _ID),
    # Text and not JSON: the database must not write it its own way, the hash is over these very characters.
    _required("detail", Text),
    _required("previous_hash", _SHA256),
    _required("hash", _SHA256),
    Index("audit_trail_by_subject", "subject", "shop", "sequence"),
)

AUDIT_HEADS = _table(
    "audit_heads",
    _key("shop", _SHOP),
    _required("sequence", BigInteger),
    _required("hash", _SHA256),
)
STUCK_STEPS = _table(
    "stuck_steps",
    _key("run_id", _ID),
    _key("step_id", _ID),
    _required("workflow_id", _OUTSIDE),
    _required("queue", _WORD),
    _required("activity", _ID),
    _required("attempts", Integer),
    _required("code", _ID),
    _required("message", Text),
    _required("since", UtcDateTime),
    _required("failed_at", UtcDateTime),
    Index("stuck_steps_by_since", "since", "run_id", "step_id"),
    Index("stuck_steps_by_failed", "failed_at"),
)

BREAKS, BREAK_ACTIONS, REPAIR_ATTEMPTS = break_tables.BREAKS, break_tables.BREAK_ACTIONS, break_tables.REPAIR_ATTEMPTS
RUNS, RUN_STATEMENTS, RUN_FINDINGS = run_tables.RUNS, run_tables.RUN_STATEMENTS, run_tables.RUN_FINDINGS
WATERMARKS = run_tables.WATERMARKS
ALERTS, ALERT_NOTICES = alert_tables.ALERTS, alert_tables.ALERT_NOTICES
STATEMENT_FILES, STATEMENT_LINES = statement_tables.STATEMENT_FILES, statement_tables.STATEMENT_LINES
DISPUTES = dispute_tables.DISPUTES
ORDER_ENTRIES = timeline_tables.ORDER_ENTRIES
OUTBOUND_MESSAGES, OUTBOUND_ENDPOINTS = timeline_tables.OUTBOUND_MESSAGES, timeline_tables.OUTBOUND_ENDPOINTS
STOCK_LEVELS, STOCK_MOVEMENTS = stock_tables.STOCK_LEVELS, stock_tables.STOCK_MOVEMENTS
STATEMENT_REJECTS, BANK_ENTRIES = statement_tables.STATEMENT_REJECTS, statement_tables.BANK_ENTRIES
ADDRESS_CHANGES = address_tables.ADDRESS_CHANGES
CANCELLED_LINES = line_tables.CANCELLED_LINES
