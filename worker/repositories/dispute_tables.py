"""The table of disputes; see schema.py for what holds of all tables."""

from sqlalchemy import BigInteger, Index, String

from worker.repositories.columns import CURRENCY, ID, PROVIDER, REFERENCE, SHOP, WORD, key, required, table
from worker.repositories.times import UtcDateTime

DISPUTES = table(
    "disputes",
    key("provider", PROVIDER),
    key("reference", REFERENCE),
    required("payment_reference", REFERENCE),
    required("shop", SHOP),
    required("order_id", ID),
    required("amount_minor", BigInteger),
    required("currency", CURRENCY),
    required("state", WORD),
    required("reason", String(255)),
    required("opened_at", UtcDateTime),
    required("updated_at", UtcDateTime),
    Index("disputes_by_order", "shop", "order_id", "opened_at"),
)
