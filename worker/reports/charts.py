"""Geometry of the report's charts: numbers in, percentages and path data out. Drawn by the template.

Integers of one currency only; floats appear here and nowhere else, since a pixel is not money.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True, slots=True)
class Bar:
    """One horizontal bar: where it starts and how wide it is, in percent of the chart."""

    x: float
    width: float


@dataclass(frozen=True, slots=True)
class Waterfall:
    """Bars of a bridge, in the order ours, lines, theirs. `broken`: the axis does not start at zero."""

    bars: tuple[Bar, ...]
    joints: tuple[float, ...]
    """Where each bar hands over to the next, in percent; one fewer than bars."""
    broken: bool


MIN_WIDTH = 0.6
"""Percent; so that a cent next to a million is still seen."""


def waterfall(start: int, steps: Sequence[int], end: int) -> Waterfall:
    """Lay out a bridge from `start` over `steps` to `end`.

    When the steps are small against the totals the axis is cut, or the differences (the point of the
    chart) would be invisible; the template marks the cut.
    """
    running = [start]
    for step in steps:
        running.append(running[-1] + step)
    points = [*running, end]
    low, high = min(points), max(points)
    base = min(0, low)
    spread = high - low
    if low > 0 and 0 < spread < high // 2:
        base = max(0, low - spread * 2 // 3)
    top = max(high, 0)
    scale = (top - base) or 1

    def at(value: int) -> float:
        return round((value - base) / scale * 100, 3)

    anchor = max(base, 0)
    spans = [(anchor, start), *pairwise(running), (anchor, end)]
    return Waterfall(
        bars=tuple(_bar(at(left), at(right)) for left, right in spans),
        joints=tuple(at(value) for value in running),
        broken=base > 0,
    )


def _bar(left: float, right: float) -> Bar:
    width = max(abs(right - left), MIN_WIDTH)
    return Bar(round(min(left, right, 100 - MIN_WIDTH), 3), round(width, 3))


def stack(parts: Sequence[int]) -> tuple[Bar, ...]:
    """Lay `parts` (non-negative) end to end over the whole width; all zero gives bars of no width."""
    total = sum(parts)
    bars, before = [], 0
    for part in parts:
        bars.append(Bar(round(before / total * 100, 3), round(part / total * 100, 3)) if total else Bar(0, 0))
        before += part
    return tuple(bars)


def share(part: int, whole: int) -> float:
    """Return `part` of `whole` in percent, for the width of a bar; 0 when there is no whole."""
    return round(abs(part) / whole * 100, 2) if whole else 0.0


@dataclass(frozen=True, slots=True)
class Sparkline:
    """A small line chart in a box of `WIDTH` x `HEIGHT`."""

    line: str
    """Path data of the line."""
    area: str
    """Path data of the surface below it."""
    last: tuple[float, float]


WIDTH, HEIGHT, PAD = 320, 56, 5


def sparkline(values: Sequence[float], low: float, high: float) -> Sparkline | None:
    """Draw `values` (oldest first) between `low` and `high`; None for fewer than two."""
    if len(values) < 2:
        return None
    scale = (high - low) or 1
    step = (WIDTH - 2 * PAD) / (len(values) - 1)
    points = [
        (round(PAD + index * step, 1), round(HEIGHT - PAD - (value - low) / scale * (HEIGHT - 2 * PAD), 1))
        for index, value in enumerate(values)
    ]
    line = "M" + " L".join(f"{x} {y}" for x, y in points)
    area = f"{line} L{points[-1][0]} {HEIGHT - PAD} L{points[0][0]} {HEIGHT - PAD} Z"
    return Sparkline(line, area, points[-1])
