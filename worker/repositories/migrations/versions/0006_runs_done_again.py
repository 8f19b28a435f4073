"""Runs keep where their inputs lie and the digest of what they found; light runs have a watermark of their own.

Added at the end of the rows and with defaults, so a release that does not know the columns still stores runs.
"""

from alembic import op
from sqlalchemy import inspect

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_COLUMNS = (
    ("runs", "inputs", "VARCHAR(1024) NOT NULL DEFAULT ''"),
    ("runs", "result_sha256", "VARCHAR(64) NOT NULL DEFAULT ''"),
    ("watermarks", "light_reached_at", "DATETIME(6)"),
)


def upgrade() -> None:
    """Add the columns; where a run before this one was cut off, some may be there."""
    for table, name, definition in _COLUMNS:
        if name not in {column["name"] for column in inspect(op.get_bind()).get_columns(table)}:
            op.execute(f"ALTER TABLE {table} ADD COLUMN {name} {definition}")


def downgrade() -> None:
    """Refuse: migrations go forward only; a mistake is corrected by the next one."""
    raise NotImplementedError("migrations go forward only")
