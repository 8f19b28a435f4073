"""A finding without its evidence: what counts, sums and follows breaks needs no more of it, and a run may find any number."""

from datetime import datetime
from typing import NamedTuple

from worker.domain.finding import Finding


class Outline(NamedTuple):
    """What remains of a finding when its evidence is put by."""

    finding: Finding
    """Evidence, cause and suggestions may be missing."""
    first_at: datetime | None
    """The oldest fact behind it; None where there is none."""
    last_at: datetime | None

    @classmethod
    def of(cls, finding: Finding) -> "Outline":
        """Return the outline of a finding that is whole, and stays so."""
        times = [fact.at for fact in (*finding.ours, *finding.theirs)]
        return cls(finding, min(times, default=None), max(times, default=None))
