"""Changes of users' addresses, and users listed by their time.

Additive: the release before runs on it, and changes no address.
"""

from alembic import op
from sqlalchemy import inspect

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

STATEMENTS = (
    """
    CREATE TABLE IF NOT EXISTS address_changes (
        user_id VARCHAR(128) NOT NULL,
        change_id VARCHAR(128) NOT NULL,
        email VARCHAR(320) NOT NULL,
        previous VARCHAR(320) NOT NULL,
        state VARCHAR(32) NOT NULL,
        asked_at DATETIME(6) NOT NULL,
        finished_at DATETIME(6),
        PRIMARY KEY (user_id, change_id),
        KEY address_changes_by_state (user_id, state)
    ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
    """,
)
KEYS = {"users_by_time": "registered_at, user_id", "users_by_state": "state, registered_at, user_id"}


def upgrade() -> None:
    """Add the table and the indexes."""
    for statement in STATEMENTS:
        op.execute(statement)
    # Where a run before this one was cut off, some of them may be there.
    present = {one["name"] for one in inspect(op.get_bind()).get_indexes("users")}
    for name, columns in KEYS.items():
        if name not in present:
            op.execute(f"ALTER TABLE users ADD KEY {name} ({columns})")


def downgrade() -> None:
    """Refuse: migrations go forward only; a mistake is corrected by the next one."""
    raise NotImplementedError("migrations go forward only")
