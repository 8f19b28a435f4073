"""Notes about steps that keep failing, for people to see. Additive; can be repeated after a run that was cut off."""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.execute(
        """
        CREATE TABLE IF NOT EXISTS stuck_steps (
            run_id VARCHAR(128) NOT NULL,
            step_id VARCHAR(128) NOT NULL,
            workflow_id VARCHAR(512) NOT NULL,
            queue VARCHAR(32) NOT NULL,
            activity VARCHAR(128) NOT NULL,
            attempts INTEGER NOT NULL,
            code VARCHAR(128) NOT NULL,
            message TEXT NOT NULL,
            since DATETIME(6) NOT NULL,
            failed_at DATETIME(6) NOT NULL,
            PRIMARY KEY (run_id, step_id),
            KEY stuck_steps_by_since (since, run_id, step_id),
            KEY stuck_steps_by_failed (failed_at)
        ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
        """
    )


def downgrade() -> None:
    """Refuse: migrations go forward only; a mistake is corrected by the next one."""
    raise NotImplementedError("migrations go forward only")
