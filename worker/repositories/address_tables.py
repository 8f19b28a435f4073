"""The tables of addresses: changes of users' own, and where parcels go; see schema.py for what holds of all tables."""

from sqlalchemy import JSON, Column, ForeignKeyConstraint, Index, String

from worker.repositories.columns import ID, REFERENCE, SHOP, WORD, key, required, table
from worker.repositories.times import UtcDateTime

ADDRESS_CHANGES = table(
    "address_changes",
    key("user_id", ID),
    key("change_id", ID),
    # Both are emptied when the change is over: what is in force stands with the user.
    required("email", REFERENCE),
    required("previous", REFERENCE),
    required("state", WORD),
    required("asked_at", UtcDateTime),
    Column("finished_at", UtcDateTime),
    Index("address_changes_by_state", "user_id", "state"),
)

SHIPPING_ADDRESSES = table(
    "shipping_addresses",
    key("shop", SHOP),
    key("order_id", ID),
    # The order's, once more: whoever is erased is found by it.
    required("customer_id", String(255)),
    # NULL once it was erased.
    Column("address", JSON(none_as_null=True)),
    # Of the latest change; empty for the address that the order came with.
    required("request_id", ID),
    required("changed_at", UtcDateTime),
    # What the shop said last, whatever became of it; NULL where it never said anything, or it was erased.
    Column("said_fingerprint", String(64)),
    Column("said_at", UtcDateTime),
    ForeignKeyConstraint(["shop", "order_id"], ["orders.shop", "orders.order_id"], name="shipping_address_of_order"),
    Index("shipping_addresses_by_customer", "shop", "customer_id", "order_id"),
)
