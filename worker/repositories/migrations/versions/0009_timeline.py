"""The timeline of orders: everything that happened to one, an entry each.

Additive: the release before runs on it, and writes no entries; what it did is derived when a timeline is read.
"""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

STATEMENT = """
    CREATE TABLE IF NOT EXISTS order_entries (
        entry_id BIGINT NOT NULL AUTO_INCREMENT,
        shop VARCHAR(128) NOT NULL,
        order_id VARCHAR(128) NOT NULL,
        entry_key VARCHAR(255) NOT NULL,
        kind VARCHAR(32) NOT NULL,
        happened_at DATETIME(6) NOT NULL,
        actor VARCHAR(255) NOT NULL,
        sentence TEXT NOT NULL,
        amount_minor BIGINT,
        currency VARCHAR(8) NOT NULL,
        note TEXT NOT NULL,
        PRIMARY KEY (entry_id),
        CONSTRAINT order_entries_once UNIQUE (shop, order_id, entry_key)
    ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
    """


def upgrade() -> None:
    """Add the table."""
    op.execute(STATEMENT)


def downgrade() -> None:
    """Refuse: migrations go forward only; a mistake is corrected by the next one."""
    raise NotImplementedError("migrations go forward only")
