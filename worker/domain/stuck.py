"""Work that does not get on: a step that fails again and again, and is still being tried.

What may be repeated is repeated without an end, since an accepted order is never given up. So somebody must see that it
is: a step that has failed for longer than a setting says is noted, and the note goes when the step gets on.
"""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class StuckStep:
    """One step of one workflow that keeps failing. `code` and `message` are the latest failure's (no personal data)."""

    run_id: str
    step_id: str
    """Unique within the run."""
    workflow_id: str
    queue: str
    activity: str
    attempts: int
    code: str
    message: str
    since: datetime
    """When the step was first asked for."""
    failed_at: datetime
