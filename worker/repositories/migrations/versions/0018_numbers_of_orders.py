"""Orders hold the number by which the shop's customers know them: a statement may name an order by it, and not by its id.

Added at the end of the row and with a default, so a release that does not know the column still takes orders.
"""

from alembic import op
from sqlalchemy import inspect

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column and its index; where a run before this one was cut off, either may be there."""
    found = inspect(op.get_bind())
    if "number" not in {column["name"] for column in found.get_columns("orders")}:
        op.execute("ALTER TABLE orders ADD COLUMN number VARCHAR(64) NOT NULL DEFAULT ''")
    if "orders_by_number" not in {index["name"] for index in found.get_indexes("orders")}:
        op.execute("CREATE INDEX orders_by_number ON orders (shop, number)")


def downgrade() -> None:
    """Refuse: migrations go forward only; a mistake is corrected by the next one."""
    raise NotImplementedError("migrations go forward only")
