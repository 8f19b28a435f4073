"""Two lists in one order, side by side: what was before and what is now, without holding either."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol, TypeVar

L = TypeVar("L")
R = TypeVar("R")


class InOrder(Protocol):
    """Sorts any number of items, as `sorted` does those that fit into memory."""

    def __call__(self, items: Iterable[L], /, *, key: Callable[[L], Any]) -> Iterable[L]:
        """Return the items by their keys; equal ones in the order in which they came."""
        ...


def side_by_side(
    left: Iterable[L], right: Iterable[R], *, left_key: Callable[[L], Any], right_key: Callable[[R], Any]
) -> Iterator[tuple[L | None, R | None]]:
    """Yield every item beside that of the same key in the other list, None where there is none, in the order of the keys.

    Both must be sorted by their keys. Of items of one list with one key the last counts, as in a mapping.
    """
    ours, theirs = _last(left, left_key), _last(right, right_key)
    mine, its = next(ours, None), next(theirs, None)
    while mine is not None or its is not None:
        if its is None or (mine is not None and mine[0] < its[0]):
            assert mine is not None
            yield mine[1], None
            mine = next(ours, None)
        elif mine is None or its[0] < mine[0]:
            yield None, its[1]
            its = next(theirs, None)
        else:
            yield mine[1], its[1]
            mine, its = next(ours, None), next(theirs, None)


def _last(items: Iterable[L], key_of: Callable[[L], Any]) -> Iterator[tuple[Any, L]]:
    before: tuple[Any, L] | None = None
    for item in items:
        one = (key_of(item), item)
        if before is not None and before[0] != one[0]:
            yield before
        before = one
    if before is not None:
        yield before
