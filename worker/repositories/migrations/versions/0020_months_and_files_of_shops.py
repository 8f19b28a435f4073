"""The watermark of closing: up to when every month is closed, so that one that was missed is noticed.

Added at the end of the row and empty until a run of this release puts it down, from the runs of closing that are stored;
a release that does not know the column closes months as it did, and they are found by their runs.
"""

from alembic import op
from sqlalchemy import inspect

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; where a run before this one was cut off, it may be there."""
    if "closed_until" not in {column["name"] for column in inspect(op.get_bind()).get_columns("watermarks")}:
        op.execute("ALTER TABLE watermarks ADD COLUMN closed_until DATETIME(6)")


def downgrade() -> None:
    """Refuse: migrations go forward only; a mistake is corrected by the next one."""
    raise NotImplementedError("migrations go forward only")
