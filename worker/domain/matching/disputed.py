"""What disputes hold back of orders' money, as far as the provider's ledger tells: parcels are judged by it."""

from collections import defaultdict
from collections.abc import Iterable

from worker.domain.finding import Finding, Leg
from worker.domain.finding_codec import read_finding
from worker.domain.ledger import LineKind

_DISPUTES = frozenset({LineKind.DISPUTE, LineKind.DISPUTE_REVERSAL})


class Disputes:
    """What disputes hold back, summed up while the findings of the payments leg pass."""

    def __init__(self) -> None:
        self._held: defaultdict[str, int] = defaultdict(int)

    def read(self, text: str) -> None:
        """Take a finding by its document, which is only read where it may tell of a dispute."""
        if any(record in text for record in _DISPUTES):
            self.add(read_finding(text))

    def add(self, finding: Finding) -> None:
        """Take a finding."""
        if finding.leg is Leg.PAYMENTS and finding.order_id:
            facts = [fact for fact in finding.theirs if fact.record in _DISPUTES]
            if facts:
                self._held[finding.order_id] -= sum(fact.amount_minor or 0 for fact in facts)

    def held(self) -> dict[str, int]:
        """Return what is held back, by order."""
        return {order_id: minor for order_id, minor in self._held.items() if minor > 0}


def disputes(findings: Iterable[Finding]) -> dict[str, int]:
    """Return what disputes hold back, by order, from the findings of the payments leg."""
    told = Disputes()
    for finding in findings:
        told.add(finding)
    return told.held()
