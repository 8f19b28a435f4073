"""Messages of the reconciliation process. A window is half-open, [start, end), ISO 8601 in UTC."""

from dataclasses import dataclass, field, replace
from enum import StrEnum

SCHEDULE = "schedule"
"""Who asked for the runs that a schedule starts, and for those that see to what it left open."""


class Mode(StrEnum):
    """What a run compares."""

    FULL = "full"
    """All legs, looking back as far as the settings say."""
    LIGHT = "light"
    """Payments alone, looking back only as far as their grace and what is still open."""
    CLOSE = "close"
    """A calendar month (UTC), all legs; what was pending at its end must have come to something since."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A half-open span of time, ISO 8601 UTC to the second."""

    start: str
    end: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconcile:
    """Input of ReconciliationWorkflow.

    Without `window` the run derives it from the schedule's nominal time and `interval_seconds`, and extends
    it back to the watermark, so that no window is lost because a run was; closing, it is the month before that time.
    """

    shop: str
    provider: str
    interval_seconds: int = 3600
    offset_seconds: int = 0
    """How long after the end of a slot the schedule fires, so that late movements are in."""
    window: Window | None = None
    statement_sha256: str | None = None
    """Compare the books with this imported statement file instead of the provider's API."""
    repair: bool = True
    requested_by: str = SCHEDULE
    mode: str = Mode.FULL.value
    """One of `Mode`. Of a statement file, which tells of money alone, only the full one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconciliationResult:
    """Result of ReconciliationWorkflow: counts only; the rest lives in MySQL and in the report."""

    run_id: str
    verdict: str
    window: Window
    matched: int = 0
    pending: int = 0
    breaks_open: int = 0
    breaks_new: int = 0
    breaks_resolved: int = 0
    repairs_requested: int = 0
    report: str = ""
    """Where the HTML report was written (path below the object store)."""
    incomplete_because: tuple[str, ...] = field(default=())


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Answer of the query `progress`: how far a run is."""

    step: str
    """`waiting`, `gathering`, `sifting`, `collecting`, `judging`, `concluding` or `done`."""
    done: int = 0
    """Parts of the step that are done, of `total`."""
    total: int = 0
    rows: int = 0
    """Movements of both sides that are compared; 0 while they are gathered."""

    def one_more(self) -> "Progress":
        """Return the progress with one more part done."""
        return replace(self, done=self.done + 1)
