"""Statement files of every kind: what a file tells of, how was paid, what the customer saw, and entries of bank accounts.

Frozen SQL: a migration says what was done on a day, and must not change when the code's view of the tables does.
Each statement changes a table whole or not at all, and can be repeated.
"""

from alembic import op
from sqlalchemy import inspect

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

COLUMNS = (
    (
        "statement_files",
        "scope",
        """
        ALTER TABLE statement_files
            ADD COLUMN scope VARCHAR(32) NOT NULL DEFAULT 'ledger',
            ADD KEY statement_files_by_shop (shop, imported_at, sha256),
            ADD KEY statement_files_by_scope (shop, scope, last_at)
        """,
    ),
    (
        "statement_lines",
        "method",
        """
        ALTER TABLE statement_lines
            ADD COLUMN method VARCHAR(255) NOT NULL DEFAULT '',
            ADD COLUMN country VARCHAR(8) NOT NULL DEFAULT '',
            ADD COLUMN customer_currency VARCHAR(8) NOT NULL DEFAULT '',
            ADD COLUMN customer_minor BIGINT NOT NULL DEFAULT 0,
            ADD COLUMN payout_at DATETIME(6)
        """,
    ),
)
BANK_ENTRIES = """
    CREATE TABLE IF NOT EXISTS bank_entries (
        shop VARCHAR(128) NOT NULL,
        account VARCHAR(128) NOT NULL,
        entry_id VARCHAR(128) NOT NULL,
        sha256 VARCHAR(64) NOT NULL,
        amount_minor BIGINT NOT NULL,
        currency VARCHAR(8) NOT NULL,
        booked_on DATE NOT NULL,
        value_on DATE,
        status VARCHAR(32) NOT NULL,
        refers_to JSON NOT NULL,
        text TEXT NOT NULL,
        counterparty VARCHAR(255) NOT NULL,
        reversal BOOL NOT NULL,
        PRIMARY KEY (shop, account, entry_id),
        KEY bank_entries_by_day (shop, booked_on, account, entry_id),
        CONSTRAINT bank_entries_of_file FOREIGN KEY (sha256) REFERENCES statement_files (sha256)
    ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
    """


def upgrade() -> None:
    """Add the columns that are missing (MySQL knows no ADD COLUMN IF NOT EXISTS), then the table."""
    for table, column, statement in COLUMNS:
        if column not in {one["name"] for one in inspect(op.get_bind()).get_columns(table)}:
            op.execute(statement)
    op.execute(BANK_ENTRIES)


def downgrade() -> None:
    """Refuse: migrations go forward only; a mistake is corrected by the next one."""
    raise NotImplementedError("migrations go forward only")
