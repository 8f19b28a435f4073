"""What a run found, taken in once, in the forms that its end needs: each finding is written and put in order a single time.

Evidence is most of a finding. What only counts and sums goes without it (`bare`), what is stored or sealed needs its text
alone (`texts`), and only what becomes of a break takes a finding as a whole (`placed`). The last two wait in spools.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from operator import itemgetter

from worker.domain.finding import Finding, break_id
from worker.domain.finding_codec import finding_text, read_finding
from worker.services.spool import Spool

Placed = tuple[str, int, Finding]
"""The break that a finding belongs to or would, its place among all findings, and the finding."""


class Findings:
    """The findings of one run, in their order."""

    def __init__(self, shop: str, provider: str, found: Iterable[Finding] = ()) -> None:
        self._shop = shop
        self._provider = provider
        self.bare: list[Finding] = []
        """Without evidence, cause and suggestions."""
        self.texts: Spool[str] = Spool()
        """Their documents, as `finding_text` writes them."""
        self.placed: Spool[Placed] = Spool(key=itemgetter(0))
        """By break."""
        self.places: Spool[tuple[str, int]] = Spool(key=itemgetter(0))
        """Break and place of each, by break."""
        self.extend(found)

    def extend(self, found: Iterable[Finding]) -> None:
        """Take findings in."""
        for one in found:
            name = break_id(self._shop, self._provider, one.leg, one.key, one.currency)
            position = len(self.bare)
            self.bare.append(replace(one, ours=(), theirs=(), cause="", suggestions=()))
            self.texts.add(finding_text(one))
            self.placed.add((name, position, one))
            self.places.add((name, position))

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.bare)

    def __iter__(self) -> Iterator[Finding]:
        """Return them whole, read from their texts."""
        return map(read_finding, self.texts)
