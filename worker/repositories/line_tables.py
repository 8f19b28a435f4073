"""The table of cancelled pieces of orders; see schema.py for what holds of all tables."""

from sqlalchemy import JSON, BigInteger, ForeignKeyConstraint, String

from worker.repositories.columns import ID, SHOP, key, required, table
from worker.repositories.times import UtcDateTime

CANCELLED_LINES = table(
    "cancelled_lines",
    key("shop", SHOP),
    key("order_id", ID),
    key("request_id", ID),
    # How many of which line: {"1": 2}.
    required("pieces", JSON),
    # What less is owed, and what of that is given back.
    required("amount_minor", BigInteger),
    required("back_minor", BigInteger),
    required("requested_by", String(255)),
    required("happened_at", UtcDateTime),
    ForeignKeyConstraint(["shop", "order_id"], ["orders.shop", "orders.order_id"], name="cancelled_lines_of_order"),
)
