"""Running balances: each is the one before it plus what its row moved, whichever end of the file is the older one.

Both directions are counted while the rows come; the one in which more balances follow from one another is the file's.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Step:
    """A row that says its balance."""

    line: int
    moved_minor: int
    balance_minor: int
    settled: bool = True
    """Otherwise it may have left the balance as it was."""

    def follows(self, before: "Step") -> bool:
        """Whether its balance is the one before it plus what it moved, or the same where it may not have moved it."""
        moved = before.balance_minor + self.moved_minor == self.balance_minor
        return moved or (not self.settled and before.balance_minor == self.balance_minor)


class Chain:
    """The steps of one account in one currency, of which it holds the first and the last."""

    def __init__(self) -> None:
        self.count = 0
        self._first: Step | None = None
        self._last: Step | None = None
        self._joints = [0, 0]
        """How many steps follow from their neighbour: down the file, and up."""
        self._gaps: list[tuple[Step, Step] | None] = [None, None]
        """The first that does not, down and up: the step before it, and itself."""

    def add(self, step: Step) -> None:
        """Take the next step of the file."""
        before, self._last = self._last, step
        self.count += 1
        if before is None:
            self._first = step
            return
        if step.follows(before):
            self._joints[0] += 1
        elif self._gaps[0] is None:
            self._gaps[0] = before, step
        if before.follows(step):
            self._joints[1] += 1
        else:
            self._gaps[1] = step, before

    @property
    def upwards(self) -> bool:
        """Whether the newest row is at the top."""
        return self._joints[1] > self._joints[0]

    @property
    def gaps(self) -> int:
        """How many steps do not follow from the one before."""
        return max(0, self.count - 1) - self._joints[self.upwards]

    @property
    def gap(self) -> tuple[Step, Step] | None:
        """The oldest of them, behind the step before it."""
        return self._gaps[self.upwards]

    @property
    def ends(self) -> tuple[Step, Step]:
        """The oldest step and the newest. Of a chain that has steps."""
        assert self._first is not None
        assert self._last is not None
        return (self._last, self._first) if self.upwards else (self._first, self._last)
