"""People act on breaks: owner, decision and links of a break; the audit trail, one hash chain a shop.

The history of breaks moves from break_actions into the trail. The older release may still write break_actions while
this one runs (and again after a rollback), so moving rows here, once, would lose some: each row says whether it has a
place in the trail, and worker/repositories/audit.py gives one to those that have none (`orders db migrate` does so
right after this migration).

Frozen SQL; each statement makes its change whole or not at all, and can be repeated.
"""

from alembic import op
from sqlalchemy import inspect

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TABLES = (
    """
    CREATE TABLE IF NOT EXISTS audit_trail (
        shop VARCHAR(128) NOT NULL,
        sequence BIGINT NOT NULL,
        happened_at DATETIME(6) NOT NULL,
        actor VARCHAR(255) NOT NULL,
        action VARCHAR(32) NOT NULL,
        subject VARCHAR(320) NOT NULL,
        run_id VARCHAR(128) NOT NULL,
        detail TEXT NOT NULL,
        previous_hash VARCHAR(64) NOT NULL,
        hash VARCHAR(64) NOT NULL,
        PRIMARY KEY (shop, sequence),
        KEY audit_trail_by_subject (subject, shop, sequence)
    ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
    """,
    """
    CREATE TABLE IF NOT EXISTS audit_heads (
        shop VARCHAR(128) NOT NULL,
        sequence BIGINT NOT NULL,
        hash VARCHAR(64) NOT NULL,
        PRIMARY KEY (shop)
    ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
    """,
)
COLUMNS = (
    (
        "breaks",
        "owner",
        """
        ALTER TABLE breaks
            ADD COLUMN owner VARCHAR(128) NOT NULL DEFAULT '',
            ADD COLUMN settled_as VARCHAR(32) NOT NULL DEFAULT '',
            ADD COLUMN settled_by VARCHAR(128) NOT NULL DEFAULT '',
            ADD COLUMN settled_at DATETIME(6),
            ADD COLUMN ignored_until DATETIME(6),
            ADD COLUMN links JSON,
            ADD COLUMN revision INTEGER NOT NULL DEFAULT 0,
            ADD KEY breaks_by_lapse (shop, provider, ignored_until)
        """,
    ),
    (
        "break_actions",
        "audit_sequence",
        """
        ALTER TABLE break_actions
            ADD COLUMN audit_sequence BIGINT,
            ADD KEY break_actions_by_place (audit_sequence, action_id)
        """,
    ),
)


def upgrade() -> None:
    """Make the tables and add the columns that are missing."""
    for statement in TABLES:
        op.execute(statement)
    for table, column, statement in COLUMNS:
        # Not ADD COLUMN IF NOT EXISTS, which MySQL does not know.
        if column not in {one["name"] for one in inspect(op.get_bind()).get_columns(table)}:
            op.execute(statement)


def downgrade() -> None:
    """Refuse: migrations go forward only; a mistake is corrected by the next one."""
    raise NotImplementedError("migrations go forward only")
