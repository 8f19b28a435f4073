"""The tables of stock; see schema.py for what holds of all tables."""

from sqlalchemy import BigInteger, CheckConstraint, Column, Index, String, Text, UniqueConstraint

from worker.domain.stock import LONGEST_SKU
from worker.repositories.columns import ID, REFERENCE, SHOP, WORD, key, required, table
from worker.repositories.times import UtcDateTime

SKU = String(LONGEST_SKU)

STOCK_LEVELS = table(
    "stock_levels",
    key("shop", SHOP),
    key("sku", SKU),
    required("available", BigInteger),
    required("reserved", BigInteger),
    required("shipped", BigInteger),
    required("updated_at", UtcDateTime),
    # The last line of defence: whatever the code does, nothing is sold that is not there.
    CheckConstraint("available >= 0", name="stock_is_not_oversold"),
    CheckConstraint("reserved >= 0", name="stock_is_promised_or_not"),
    CheckConstraint("shipped >= 0", name="stock_leaves_once"),
)

STOCK_MOVEMENTS = table(
    "stock_movements",
    Column("movement_id", BigInteger, primary_key=True, autoincrement=True),
    required("shop", SHOP),
    required("sku", SKU),
    required("movement_key", REFERENCE),
    required("kind", WORD),
    required("order_id", ID),
    required("available_change", BigInteger),
    required("reserved_change", BigInteger),
    required("shipped_change", BigInteger),
    required("happened_at", UtcDateTime),
    required("actor", String(255)),
    required("reason", Text),
    UniqueConstraint("shop", "sku", "movement_key", name="stock_movements_once"),
    Index("stock_movements_by_sku", "shop", "sku", "movement_id"),
    Index("stock_movements_by_order", "shop", "order_id"),
)
