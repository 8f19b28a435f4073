"""Up to when every month is closed; which runs an alert is about; and a statement file is a shop's, not everybody's.

All are added at the end of their rows, and empty. The watermark of closing is put down by a run of this release, from the
runs of closing that are stored; a release that does not know the column closes months as it did, and they are found by
their runs. An alert that such a release opened is about the run that it names.

A statement file keeps its key. That of a second shop gets another one beside it (statement_keys.py), so a release that knows
one file of a SHA-256 finds one, and goes on refusing it to other shops.
"""

from alembic import op
from sqlalchemy import inspect

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

_COLUMNS = (("watermarks", "closed_until", "DATETIME(6)"), ("alerts", "standing", "JSON"), ("statement_files", "content_sha256", "VARCHAR(64)"))


def upgrade() -> None:
    """Add the columns; where a run before this one was cut off, some may be there."""
    for table, name, definition in _COLUMNS:
        if name not in {column["name"] for column in inspect(op.get_bind()).get_columns(table)}:
            op.execute(f"ALTER TABLE {table} ADD COLUMN {name} {definition}")
    op.execute("UPDATE statement_files SET content_sha256 = sha256 WHERE content_sha256 IS NULL")
    if "statement_files_of_shop" not in {index["name"] for index in inspect(op.get_bind()).get_indexes("statement_files")}:
        op.execute("CREATE UNIQUE INDEX statement_files_of_shop ON statement_files (shop, content_sha256)")


def downgrade() -> None:
    """Refuse: migrations go forward only; a mistake is corrected by the next one."""
    raise NotImplementedError("migrations go forward only")
