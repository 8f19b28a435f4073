"""What a run found, taken in once: each finding is read a single time, and its text, if it was written before, is never made anew.

Evidence is most of a finding. What counts, sums and follows breaks goes without it (`Placed`, in memory); what is stored or
sealed takes its text alone, which is put by.
"""

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple

from worker.domain.finding import Finding, break_id
from worker.domain.finding_codec import finding_text, read_finding, read_outline
from worker.domain.outline import Outline
from worker.services.texts import Texts


class Placed(NamedTuple):
    """A finding and where the rest of it is."""

    break_id: str
    """The break that it belongs to, or would."""
    finding: Finding
    """Without evidence, cause and suggestions."""
    first_at: datetime | None
    """The oldest fact behind it."""
    text: int
    """The number of its document among the texts."""


class Findings:
    """The findings of one run, in their order."""

    def __init__(self, shop: str, provider: str, found: Iterable[Finding] = ()) -> None:
        self._shop = shop
        self._provider = provider
        self._placed: list[Placed] = []
        self._texts = Texts()
        self.extend(found)

    def extend(self, found: Iterable[Finding]) -> None:
        """Take findings in."""
        for one in found:
            self.add(finding_text(one))

    def add(self, text: str) -> Outline:
        """Take a finding in by its document, as `finding_text` writes it; return its outline."""
        outline = read_outline(text)
        one = outline.finding
        name = break_id(self._shop, self._provider, one.leg, one.key, one.currency)
        self._placed.append(Placed(name, one, outline.first_at, self._texts.add(text)))
        return outline

    def suggest(self, position: int, suggestions: Sequence[str]) -> None:
        """Give a finding its suggestions."""
        placed = self._placed[position]
        whole = replace(read_finding(self.text(placed)), suggestions=tuple(suggestions))
        self._placed[position] = placed._replace(text=self._texts.add(finding_text(whole)))

    def sort(self, key: Callable[[Finding], Any]) -> None:
        """Put those that were taken in so far in order."""
        self._placed.sort(key=lambda placed: key(placed.finding))

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._placed)

    @property
    def placed(self) -> Sequence[Placed]:
        """All of them, in their order."""
        return self._placed

    def by_break(self) -> Iterator[tuple[int, Placed]]:
        """Return them by the breaks that they belong to, each with its position among all."""
        positions = array("L", sorted(range(len(self)), key=lambda position: self._placed[position].break_id))
        return ((position, self._placed[position]) for position in positions)

    def text(self, placed: Placed) -> str:
        """Return the document of a finding."""
        return self._texts[placed.text]

    @property
    def texts(self) -> Iterator[str]:
        """Their documents, in their order."""
        return map(self.text, self._placed)

    def __iter__(self) -> Iterator[Finding]:
        """Return them whole, read from their texts."""
        return map(read_finding, self.texts)
