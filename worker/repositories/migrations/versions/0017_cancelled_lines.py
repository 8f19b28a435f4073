"""Pieces of orders that were cancelled before they left, a request each: what they were worth, and what goes back for them.

Additive: the release before runs on it; an order that became smaller is to it one of a smaller total.
"""

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

STATEMENT = """
    CREATE TABLE IF NOT EXISTS cancelled_lines (
        shop VARCHAR(128) NOT NULL,
        order_id VARCHAR(128) NOT NULL,
        request_id VARCHAR(128) NOT NULL,
        pieces JSON NOT NULL,
        amount_minor BIGINT NOT NULL,
        back_minor BIGINT NOT NULL,
        requested_by VARCHAR(255) NOT NULL,
        happened_at DATETIME(6) NOT NULL,
        PRIMARY KEY (shop, order_id, request_id),
        CONSTRAINT cancelled_lines_of_order FOREIGN KEY (shop, order_id) REFERENCES orders (shop, order_id)
    ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
"""


def upgrade() -> None:
    """Make the table."""
    op.execute(STATEMENT)


def downgrade() -> None:
    """Refuse: migrations go forward only; a mistake is corrected by the next one."""
    raise NotImplementedError("migrations go forward only")
