"""Where the parcel of an order goes, and since when; emptied when its customer is erased.

Additive: the release before runs on it, keeps no address and hands none to the warehouse.
"""

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

STATEMENT = """
    CREATE TABLE IF NOT EXISTS shipping_addresses (
        shop VARCHAR(128) NOT NULL,
        order_id VARCHAR(128) NOT NULL,
        customer_id VARCHAR(255) NOT NULL,
        address JSON,
        request_id VARCHAR(128) NOT NULL,
        changed_at DATETIME(6) NOT NULL,
        PRIMARY KEY (shop, order_id),
        KEY shipping_addresses_by_customer (shop, customer_id, order_id),
        CONSTRAINT shipping_address_of_order FOREIGN KEY (shop, order_id) REFERENCES orders (shop, order_id)
    ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
"""


def upgrade() -> None:
    """Make the table."""
    op.execute(STATEMENT)


def downgrade() -> None:
    """Refuse: migrations go forward only; a mistake is corrected by the next one."""
    raise NotImplementedError("migrations go forward only")
