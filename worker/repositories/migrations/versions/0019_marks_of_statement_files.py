"""Statement files keep what they begin and end with: whether one follows another without a gap can be told.

Added at the end of the row and empty where it is not known, so a release that does not know the column still imports.
"""

from alembic import op
from sqlalchemy import inspect

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; where a run before this one was cut off, it may be there."""
    columns = {column["name"] for column in inspect(op.get_bind()).get_columns("statement_files")}
    if "marks" not in columns:
        op.execute("ALTER TABLE statement_files ADD COLUMN marks JSON")


def downgrade() -> None:
    """Refuse: migrations go forward only; a mistake is corrected by the next one."""
    raise NotImplementedError("migrations go forward only")
