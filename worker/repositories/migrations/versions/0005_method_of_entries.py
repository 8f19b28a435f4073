"""Book entries hold how the customer paid: patience with the provider's ledger depends on it.

Added at the end of the row and with a default, so a release that does not know the column still posts entries.
"""

from alembic import op
from sqlalchemy import inspect

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; where a run before this one was cut off, it may be there."""
    if "method" not in {column["name"] for column in inspect(op.get_bind()).get_columns("book_entries")}:
        op.execute("ALTER TABLE book_entries ADD COLUMN method VARCHAR(32) NOT NULL DEFAULT ''")


def downgrade() -> None:
    """Refuse: migrations go forward only; a mistake is corrected by the next one."""
    raise NotImplementedError("migrations go forward only")
