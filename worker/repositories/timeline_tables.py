"""The tables of orders' timelines and of the webhooks we send; see schema.py for what holds of all tables."""

from sqlalchemy import BigInteger, Column, Index, Integer, String, Text, UniqueConstraint

from worker.repositories.columns import CURRENCY, ID, SHOP, WORD, key, required, table
from worker.repositories.times import UtcDateTime

ORDER_ENTRIES = table(
    "order_entries",
    # The order in which it was learned; within an order its lock makes it the order of the commits.
    Column("entry_id", BigInteger, primary_key=True, autoincrement=True),
    required("shop", SHOP),
    required("order_id", ID),
    required("entry_key", String(255)),
    required("kind", WORD),
    required("happened_at", UtcDateTime),
    required("actor", String(255)),
    required("sentence", Text),
    Column("amount_minor", BigInteger),
    required("currency", CURRENCY),
    # A person's own words, the only ones in the table: what an erasure may empty.
    required("note", Text),
    UniqueConstraint("shop", "order_id", "entry_key", name="order_entries_once"),
)

OUTBOUND_MESSAGES = table(
    "outbound_messages",
    # The id first: it begins with the time, so that new rows lie beside each other.
    key("message_id", String(64)),
    key("subscription", ID),
    required("shop", SHOP),
    required("order_id", ID),
    required("kind", WORD),
    # Text and not JSON: what is signed must be sent as it is.
    required("body", Text),
    required("created_at", UtcDateTime),
    required("state", WORD),
    required("attempts", Integer),
    Column("due_at", UtcDateTime),
    Column("attempted_at", UtcDateTime),
    Column("status", Integer),
    required("detail", Text),
    Column("finished_at", UtcDateTime),
    Index("outbound_messages_by_due", "state", "subscription", "due_at"),
    Index("outbound_messages_by_state", "state", "created_at", "message_id", "subscription"),
    Index("outbound_messages_by_order", "shop", "order_id", "created_at"),
)

OUTBOUND_ENDPOINTS = table(
    "outbound_endpoints",
    key("subscription", ID),
    Column("disabled_at", UtcDateTime),
    required("changed_by", String(255)),
    required("reason", Text),
)
