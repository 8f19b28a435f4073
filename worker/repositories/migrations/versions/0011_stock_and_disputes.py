"""Stock: a level for each SKU, and the movements it is the sum of. Disputes: what the provider last said of each.

Additive: the release before runs on it; it reserves nothing, and leaves reservations as they are.
"""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

STATEMENTS = (
    """
    CREATE TABLE IF NOT EXISTS stock_levels (
        shop VARCHAR(128) NOT NULL,
        sku VARCHAR(255) NOT NULL,
        available BIGINT NOT NULL,
        reserved BIGINT NOT NULL,
        shipped BIGINT NOT NULL,
        updated_at DATETIME(6) NOT NULL,
        PRIMARY KEY (shop, sku),
        CONSTRAINT stock_is_not_oversold CHECK (available >= 0),
        CONSTRAINT stock_is_promised_or_not CHECK (reserved >= 0),
        CONSTRAINT stock_leaves_once CHECK (shipped >= 0)
    ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
    """,
    """
    CREATE TABLE IF NOT EXISTS stock_movements (
        movement_id BIGINT NOT NULL AUTO_INCREMENT,
        shop VARCHAR(128) NOT NULL,
        sku VARCHAR(255) NOT NULL,
        movement_key VARCHAR(320) NOT NULL,
        kind VARCHAR(32) NOT NULL,
        order_id VARCHAR(128) NOT NULL,
        available_change BIGINT NOT NULL,
        reserved_change BIGINT NOT NULL,
        shipped_change BIGINT NOT NULL,
        happened_at DATETIME(6) NOT NULL,
        actor VARCHAR(255) NOT NULL,
        reason TEXT NOT NULL,
        PRIMARY KEY (movement_id),
        CONSTRAINT stock_movements_once UNIQUE (shop, sku, movement_key),
        KEY stock_movements_by_sku (shop, sku, movement_id),
        KEY stock_movements_by_order (shop, order_id)
    ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
    """,
    """
    CREATE TABLE IF NOT EXISTS disputes (
        provider VARCHAR(64) NOT NULL,
        reference VARCHAR(320) NOT NULL,
        payment_reference VARCHAR(320) NOT NULL,
        shop VARCHAR(128) NOT NULL,
        order_id VARCHAR(128) NOT NULL,
        amount_minor BIGINT NOT NULL,
        currency VARCHAR(8) NOT NULL,
        state VARCHAR(32) NOT NULL,
        reason VARCHAR(255) NOT NULL,
        opened_at DATETIME(6) NOT NULL,
        updated_at DATETIME(6) NOT NULL,
        PRIMARY KEY (provider, reference),
        KEY disputes_by_order (shop, order_id, opened_at)
    ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
    """,
)


def upgrade() -> None:
    """Add the tables."""
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    """Refuse: migrations go forward only; a mistake is corrected by the next one."""
    raise NotImplementedError("migrations go forward only")
