"""Many to one: which payments of one order are one payment of the other side, where the rules of a provider allow it.

All of them share the order, so none is matched by its amount alone; who may be whose part is decided by three things:
a payment that both sides know by its reference is nobody else's part, parts are dated within the date window of the
whole, and they add up to it, to the minor unit before the tolerance is asked.

One to one goes first: what is equal by reference, then by amount, is no part of anything. So a payment charged twice
stays one that was charged twice, whatever else adds up.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from worker.domain.matching.paid import Paid
from worker.domain.matching.rules import PLAIN, Rules

MOST_PARTS = 10
"""Of more candidates than these only all together are tried: their combinations would be too many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Together:
    """Payments of both sides that are one: one of ours and one or more of theirs, or the other way round."""

    ours: tuple[Paid, ...]
    theirs: tuple[Paid, ...]
    complete: bool = True
    """False: parts are still lacking, all there is stays below the whole."""

    @property
    def apart_minor(self) -> int:
        """Theirs minus ours."""
        return sum(paid.minor for paid in self.theirs) - sum(paid.minor for paid in self.ours)


def together(ours: Iterable[Paid], theirs: Iterable[Paid], currency: str, rules: Rules) -> list[Together]:
    """Return the payments of an order and currency that are one without being so by their reference and amount."""
    left = _Left(ours, theirs)
    found = list(left.equal())
    # Whatever adds up to the minor unit goes before what a tolerance allows: no part is taken from its own whole.
    for allowed in (PLAIN, rules) if rules.tolerances else (PLAIN,):
        within = replace(allowed, date_window=rules.date_window)
        for whole in tuple(left.ours):
            parts = _parts(whole, left.theirs, left.ours, currency, within, ours_whole=True)
            if parts:
                found.append(left.take(Together(ours=(whole,), theirs=parts)))
        for whole in tuple(left.theirs):
            parts = _parts(whole, left.ours, left.theirs, currency, within, ours_whole=False)
            if parts:
                found.append(left.take(Together(ours=parts, theirs=(whole,))))
    return found + left.incomplete(rules)


class _Left:
    """The payments of both sides that nothing was found for yet, oldest first."""

    def __init__(self, ours: Iterable[Paid], theirs: Iterable[Paid]) -> None:
        ours, theirs = sorted(ours, key=_age), sorted(theirs, key=_age)
        named = {(paid.reference, paid.minor) for paid in ours} & {(paid.reference, paid.minor) for paid in theirs}
        self.ours = [paid for paid in ours if (paid.reference, paid.minor) not in named]
        self.theirs = [paid for paid in theirs if (paid.reference, paid.minor) not in named]

    def equal(self) -> Iterator[Together]:
        """Pair payments of one amount that only one side each knows by reference."""
        named = _references(self.ours) & _references(self.theirs)
        for one in tuple(self.ours):
            same = (two for two in self.theirs if two.minor == one.minor and two.reference not in named)
            other = None if one.reference in named else next(same, None)
            if other is not None:
                yield self.take(Together(ours=(one,), theirs=(other,)))

    def incomplete(self, rules: Rules) -> list[Together]:
        """Return the one payment that is left with parts that stay below it: the others may be on their way."""
        for wholes, others, ours_whole in ((self.ours, self.theirs, True), (self.theirs, self.ours, False)):
            if len(wholes) != 1 or not others or sum(paid.minor for paid in others) >= wholes[0].minor:
                continue
            whole, parts = wholes[0], tuple(others)
            # A payment that both sides know, alone, is no part: it was simply captured with another amount.
            if not all(_near(whole, part, rules) for part in parts) or _references(parts) == {whole.reference}:
                continue
            sides = ((whole,), parts) if ours_whole else (parts, (whole,))
            return [Together(ours=sides[0], theirs=sides[1], complete=False)]
        return []

    def take(self, found: Together) -> Together:
        """Take out what was found."""
        self.ours = [paid for paid in self.ours if paid not in found.ours]
        self.theirs = [paid for paid in self.theirs if paid not in found.theirs]
        return found


def _parts(
    whole: Paid, others: Sequence[Paid], beside: Sequence[Paid], currency: str, rules: Rules, *, ours_whole: bool
) -> tuple[Paid, ...]:
    """Return which of the others make the whole, the fewest and oldest; nothing where none do."""
    known = _references(beside) - {whole.reference}
    near = [paid for paid in others if paid.reference not in known and _near(whole, paid, rules)]
    own = {paid for paid in others if paid.reference == whole.reference}
    if len(near) < 2 or not own <= set(near):
        return ()
    sizes = range(2, len(near) + 1) if len(near) <= MOST_PARTS else (len(near),)
    tried = [parts for size in sizes for parts in combinations(near, size) if own <= set(parts)]
    sums = [sum(paid.minor for paid in parts) for parts in tried]
    best = min(range(len(tried)), key=lambda at: (abs(sums[at] - whole.minor), at), default=None)
    if best is None:
        return ()
    ours_minor, apart = (
        (whole.minor, sums[best] - whole.minor) if ours_whole else (sums[best], whole.minor - sums[best])
    )
    return tried[best] if rules.tolerates(currency, ours_minor, apart) else ()


def _near(whole: Paid, part: Paid, rules: Rules) -> bool:
    return part.first_at >= whole.first_at - rules.date_window and part.last_at <= whole.last_at + rules.date_window


def _references(payments: Iterable[Paid]) -> set[str]:
    return {paid.reference for paid in payments}


def _age(paid: Paid) -> tuple[object, ...]:
    return paid.first_at, paid.last_at, paid.reference
