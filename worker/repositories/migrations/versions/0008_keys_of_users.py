"""Every user has a key of their own, kept wrapped by a key of the settings; forgetting it erases what it sealed.

Additive: the release before runs on it, and makes users without a key, whose payloads are sealed with the settings' key.
"""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

STATEMENT = """
    CREATE TABLE IF NOT EXISTS user_keys (
        key_id VARCHAR(32) NOT NULL,
        user_id VARCHAR(128) NOT NULL,
        wrapped VARCHAR(255) NOT NULL,
        wrapped_with VARCHAR(32) NOT NULL,
        made_at DATETIME(6) NOT NULL,
        dropped_at DATETIME(6),
        PRIMARY KEY (key_id),
        CONSTRAINT user_keys_once UNIQUE (user_id),
        KEY user_keys_by_wrapping (wrapped_with, key_id)
    ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
"""


def upgrade() -> None:
    """Make the table."""
    op.execute(STATEMENT)


def downgrade() -> None:
    """Refuse: migrations go forward only; a mistake is corrected by the next one."""
    raise NotImplementedError("migrations go forward only")
