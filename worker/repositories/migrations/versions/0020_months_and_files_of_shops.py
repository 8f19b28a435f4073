"""Up to when every month is closed, so that one that was missed is noticed; and which runs an alert is about.

Both are added at the end of their rows, and empty. The watermark of closing is put down by a run of this release, from the
runs of closing that are stored; a release that does not know the column closes months as it did, and they are found by
their runs. An alert that such a release opened is about the run that it names.
"""

from alembic import op
from sqlalchemy import inspect

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

_COLUMNS = (("watermarks", "closed_until", "DATETIME(6)"), ("alerts", "standing", "JSON"))


def upgrade() -> None:
    """Add the columns; where a run before this one was cut off, some may be there."""
    for table, name, definition in _COLUMNS:
        if name not in {column["name"] for column in inspect(op.get_bind()).get_columns(table)}:
            op.execute(f"ALTER TABLE {table} ADD COLUMN {name} {definition}")


def downgrade() -> None:
    """Refuse: migrations go forward only; a mistake is corrected by the next one."""
    raise NotImplementedError("migrations go forward only")
