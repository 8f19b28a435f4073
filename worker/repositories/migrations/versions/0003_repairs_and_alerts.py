"""Repairs by policy, attempt by attempt; alerts, opened and closed, and the notices about them.

Additive: the release before runs on it. Each statement can be repeated after a migration that was cut off.
"""

from alembic import op
from sqlalchemy import inspect

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

BREAK_COLUMNS = {
    "repair_attempts": "INTEGER NOT NULL DEFAULT 0",
    "repair_next_at": "DATETIME(6)",
    "repair_round": "INTEGER NOT NULL DEFAULT 1",
}

STATEMENTS = (
    """
    CREATE TABLE IF NOT EXISTS repair_attempts (
        break_id VARCHAR(32) NOT NULL,
        attempt INTEGER NOT NULL,
        round INTEGER NOT NULL,
        repair VARCHAR(32) NOT NULL,
        run_id VARCHAR(128) NOT NULL,
        event_id VARCHAR(128) NOT NULL,
        claimed_at DATETIME(6) NOT NULL,
        next_at DATETIME(6) NOT NULL,
        outcome VARCHAR(32) NOT NULL,
        detail TEXT NOT NULL,
        finished_at DATETIME(6),
        PRIMARY KEY (break_id, attempt),
        CONSTRAINT repair_attempts_once UNIQUE (event_id),
        KEY repair_attempts_by_run (run_id, outcome),
        CONSTRAINT repair_attempts_of_break FOREIGN KEY (break_id) REFERENCES breaks (break_id)
    ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
    """,
    """
    CREATE TABLE IF NOT EXISTS alerts (
        alert_id VARCHAR(32) NOT NULL,
        rule VARCHAR(128) NOT NULL,
        shop VARCHAR(128) NOT NULL,
        provider VARCHAR(64) NOT NULL,
        state VARCHAR(32) NOT NULL,
        opened_at DATETIME(6) NOT NULL,
        closed_at DATETIME(6),
        last_seen_at DATETIME(6) NOT NULL,
        last_notified_at DATETIME(6),
        notices INTEGER NOT NULL,
        subjects INTEGER NOT NULL,
        summary JSON NOT NULL,
        PRIMARY KEY (alert_id),
        KEY alerts_by_rule (shop, provider, rule, opened_at),
        KEY alerts_by_state (state, opened_at, alert_id),
        KEY alerts_by_time (opened_at, alert_id)
    ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
    """,
    """
    CREATE TABLE IF NOT EXISTS alert_notices (
        notice_id VARCHAR(64) NOT NULL,
        endpoint VARCHAR(128) NOT NULL,
        alert_id VARCHAR(32) NOT NULL,
        document JSON NOT NULL,
        created_at DATETIME(6) NOT NULL,
        outcome VARCHAR(32) NOT NULL,
        detail TEXT NOT NULL,
        finished_at DATETIME(6),
        PRIMARY KEY (notice_id, endpoint),
        KEY alert_notices_by_alert (alert_id, created_at),
        KEY alert_notices_by_outcome (outcome, created_at),
        CONSTRAINT alert_notices_of_alert FOREIGN KEY (alert_id) REFERENCES alerts (alert_id)
    ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
    """,
)


def upgrade() -> None:
    """Add the columns that are missing (MySQL knows no ADD COLUMN IF NOT EXISTS), then the tables."""
    present = {column["name"] for column in inspect(op.get_bind()).get_columns("breaks")}
    for name, definition in BREAK_COLUMNS.items():
        if name not in present:
            op.execute(f"ALTER TABLE breaks ADD COLUMN {name} {definition}")
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    """Refuse: migrations go forward only; a mistake is corrected by the next one."""
    raise NotImplementedError("migrations go forward only")
