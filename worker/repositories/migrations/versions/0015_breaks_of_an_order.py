"""The breaks of one order are found by an index: `orders order show` asks for them, whatever else is open.

Additive; the release before runs on it.
"""

from alembic import op
from sqlalchemy import inspect

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the index."""
    # Where a run before this one was cut off, it may be there; MySQL knows no IF NOT EXISTS for it.
    present = {one["name"] for one in inspect(op.get_bind()).get_indexes("breaks")}
    if "breaks_by_order" not in present:
        op.execute("ALTER TABLE breaks ADD KEY breaks_by_order (order_id, at_risk_minor, break_id)")


def downgrade() -> None:
    """Refuse: migrations go forward only; a mistake is corrected by the next one."""
    raise NotImplementedError("migrations go forward only")
