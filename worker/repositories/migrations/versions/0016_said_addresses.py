"""What a shop said last of where a parcel goes, and when: its repetition must not undo what was changed since.

Additive: the release before runs on it, and what it writes is taken for what the shop said.
"""

from alembic import op
from sqlalchemy import inspect

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

COLUMNS = {"said_fingerprint": "VARCHAR(64)", "said_at": "DATETIME(6)"}


def upgrade() -> None:
    """Add the columns."""
    # Where a run before this one was cut off, they may be there; MySQL knows no IF NOT EXISTS for them.
    present = {one["name"] for one in inspect(op.get_bind()).get_columns("shipping_addresses")}
    for name, kind in COLUMNS.items():
        if name not in present:
            op.execute(f"ALTER TABLE shipping_addresses ADD COLUMN {name} {kind}")


def downgrade() -> None:
    """Refuse: migrations go forward only; a mistake is corrected by the next one."""
    raise NotImplementedError("migrations go forward only")
