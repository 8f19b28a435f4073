"""What a parcel holds, and when it reached the customer.

Additive: the release before runs on it, and takes every parcel for the whole of its order.
"""

from alembic import op
from sqlalchemy import inspect

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

COLUMNS = {"contents": "JSON", "delivered_at": "DATETIME(6)"}


def upgrade() -> None:
    """Add the columns."""
    # Where a run before this one was cut off, one of them may be there.
    present = {one["name"] for one in inspect(op.get_bind()).get_columns("shipments")}
    for name, kind in COLUMNS.items():
        if name not in present:
            op.execute(f"ALTER TABLE shipments ADD COLUMN {name} {kind}")


def downgrade() -> None:
    """Refuse: migrations go forward only; a mistake is corrected by the next one."""
    raise NotImplementedError("migrations go forward only")
