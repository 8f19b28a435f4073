"""Do statement files follow one another without a gap? What a file begins and ends with, held against its neighbours.

    a balance     the next file opens with what the one before closed with, or money moved that no file tells of
    a count       batches are numbered: 381 comes after 380, or a batch is in no file

Each account (as far as a format names it) and currency is its own chain. Files that overlap are not held against one
another: the lines they share count once anyway. Nothing moved where two balances agree, however many days lie between.
Several statements of one day follow one another by their balances: nothing else says which of them comes first.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import groupby
from typing import Any

from worker.domain.money import format_minor

BATCHES = "batches"
"""The unit of marks that count; any other is the currency of a balance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What a file begins and ends with, of one account in one unit: balances in minor units, or first and last number."""

    account: str
    """Empty where the format names none."""
    unit: str
    opens: int
    closes: int
    first_at: datetime
    last_at: datetime


class Joint(StrEnum):
    """How a file follows the one before it."""

    FIRST = "first"
    """No file before it is known."""
    JOINED = "joined"
    OVERLAPS = "overlaps"
    GAP = "gap"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seam:
    """Where a file begins, and the one that ended before it."""

    file: str
    mark: Mark
    joint: Joint
    before: str = ""
    """The file before, where there is one."""
    closed: int = 0
    """What that one ended with."""
    closed_at: datetime | None = None

    def text(self, names: Mapping[str, str], provider: str) -> str:
        """Say it in a sentence; `names` of the files, by what `file` and `before` say."""
        of = f" of ...{self.mark.account[-4:]}" if self.mark.account else ""
        before, unit = names.get(self.before, self.before), self.mark.unit
        if self.joint is Joint.FIRST:
            return f"{unit}{of}: no file before it was imported"
        if self.joint is Joint.OVERLAPS:
            return f"{unit}{of}: overlaps with {before}"
        if unit == BATCHES:
            if self.joint is Joint.JOINED:
                return f"batch {self.mark.opens}{of} follows {self.closed} in {before}"
            first, last = self.closed + 1, self.mark.opens - 1
            lacking = f"batch {first}{of} is" if first == last else f"batches {first} to {last}{of} are"
            return f"{lacking} in no imported file: {before} ends with {self.closed}"
        opens, closed = (format_minor(minor, unit, provider) for minor in (self.mark.opens, self.closed))
        if self.joint is Joint.JOINED:
            return f"{unit}{of}: opens with {opens}, as {before} closes"
        moved = format_minor(self.mark.opens - self.closed, unit, provider)
        return f"{unit}{of}: opens with {opens}, and {before} closes with {closed}: {unit} {moved} moved in no imported file"


def seams(marked: Mapping[str, Sequence[Mark]]) -> list[Seam]:
    """Return how each mark of each file follows those of the others, sorted by file, account and unit."""
    chains: defaultdict[tuple[str, str], list[tuple[str, Mark]]] = defaultdict(list)
    for file, marks in sorted(marked.items()):
        for mark in marks:
            chains[mark.account, mark.unit].append((file, mark))
    found = [seam for chain in chains.values() for seam in _joints(chain)]
    return sorted(found, key=lambda one: (one.file, one.mark.account, one.mark.unit, one.mark.first_at))


def _joints(chain: list[tuple[str, Mark]]) -> Iterable[Seam]:
    counted = chain[0][1].unit == BATCHES
    # In order; of two that begin together the longer one first, which the other is a part of.
    chain.sort(key=lambda one: (_end(one[1]), one[0]), reverse=True)
    chain.sort(key=lambda one: _begin(one[1]))
    reached: list[tuple[str, Mark]] = []
    for file, mark in chain if counted else _in_turn(chain):
        before = max(reached, key=lambda one: _end(one[1]), default=None)
        beside = [] if counted else [one for one in reached if _time(one[1]) == _time(mark)]
        if before is None:
            yield Seam(file=file, mark=mark, joint=Joint.FIRST)
        elif joined := next((one for one in beside if one[1].closes == mark.opens), None):
            name, other = joined
            yield Seam(
                file=file, mark=mark, joint=Joint.JOINED, before=name, closed=other.closes, closed_at=other.last_at
            )
        elif again := next((one for one in beside if one[1] == mark), None):
            yield Seam(file=file, mark=mark, joint=Joint.OVERLAPS, before=again[0])
        elif before[1].closes >= mark.opens if counted else before[1].last_at > mark.first_at:
            yield Seam(file=file, mark=mark, joint=Joint.OVERLAPS, before=before[0])
        else:
            ended = [one for one in reached if _end(one[1]) == _end(before[1])]
            wanted = mark.opens - 1 if counted else mark.opens
            fitting = next((one for one in ended if one[1].closes == wanted), None)
            name, other = fitting or before
            joint = Joint.JOINED if fitting else Joint.GAP
            yield Seam(file=file, mark=mark, joint=joint, before=name, closed=other.closes, closed_at=other.last_at)
        reached.append((file, mark))


def _in_turn(chain: Iterable[tuple[str, Mark]]) -> Iterable[tuple[str, Mark]]:
    """Return sorted balances, those of the very same time in the order in which each opens as another closes."""
    closed: int | None = None
    for _, some in groupby(chain, key=lambda one: _time(one[1])):
        left = list(some)
        while left:
            ends = [one.closes for _, one in left]
            # The one that goes on; else one that goes on from none of the others.
            one = next((one for one in left if one[1].opens == closed), None) or next(
                (one for one in left if one[1].opens not in ends), left[0]
            )
            left.remove(one)
            closed = one[1].closes
            yield one


def _time(mark: Mark) -> tuple[datetime, datetime]:
    return mark.first_at, mark.last_at


def _begin(mark: Mark) -> Any:
    return mark.opens if mark.unit == BATCHES else mark.first_at


def _end(mark: Mark) -> Any:
    return mark.closes if mark.unit == BATCHES else mark.last_at
