"""Webhooks we send: a message for each change of state and subscription, and endpoints that are disabled.

Additive: the release before runs on it, and sends nothing.
"""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

STATEMENTS = (
    """
    CREATE TABLE IF NOT EXISTS outbound_messages (
        message_id VARCHAR(64) NOT NULL,
        subscription VARCHAR(128) NOT NULL,
        shop VARCHAR(128) NOT NULL,
        order_id VARCHAR(128) NOT NULL,
        kind VARCHAR(32) NOT NULL,
        body TEXT NOT NULL,
        created_at DATETIME(6) NOT NULL,
        state VARCHAR(32) NOT NULL,
        attempts INTEGER NOT NULL,
        due_at DATETIME(6),
        attempted_at DATETIME(6),
        status INTEGER,
        detail TEXT NOT NULL,
        finished_at DATETIME(6),
        PRIMARY KEY (message_id, subscription),
        KEY outbound_messages_by_due (state, subscription, due_at),
        KEY outbound_messages_by_state (state, created_at, message_id, subscription),
        KEY outbound_messages_by_order (shop, order_id, created_at)
    ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
    """,
    """
    CREATE TABLE IF NOT EXISTS outbound_endpoints (
        subscription VARCHAR(128) NOT NULL,
        disabled_at DATETIME(6),
        changed_by VARCHAR(255) NOT NULL,
        reason TEXT NOT NULL,
        PRIMARY KEY (subscription)
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
