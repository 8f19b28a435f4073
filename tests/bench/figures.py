"""Figures of a benchmark: what each means, what is promised of some, and how they are shown."""

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

QUIET_CORES = 0.2
"""More foreign work than this disturbs what is measured; it is told beside the figures."""


@dataclass(frozen=True, slots=True)
class Target:
    """A promise about one figure."""

    figure: str
    bound: float
    at_least: bool

    def missed(self, figures: Mapping[str, float]) -> bool:
        """Tell whether the figure is there and on the wrong side."""
        value = figures.get(self.figure, self.bound)
        return value < self.bound if self.at_least else value > self.bound


@dataclass(frozen=True, slots=True)
class Spread:
    """A figure over several rounds."""

    values: Sequence[float]

    @property
    def median(self) -> float:
        """The middle one."""
        return statistics.median(self.values)

    @property
    def least(self) -> float:
        """The smallest."""
        return min(self.values)

    @property
    def most(self) -> float:
        """The largest."""
        return max(self.values)

    def over(self, other: "Spread") -> "Spread":
        """Return the ratio, round by round."""
        return Spread([mine / theirs for mine, theirs in zip(self.values, other.values, strict=True)])


def table(documented: Mapping[str, str], promised: Sequence[Target], figures: Mapping[str, float]) -> str:
    """Return the figures as lines for people, in the order of `documented`, each target beside its figure."""
    targets = {target.figure: target for target in promised}
    lines = []
    for name, meaning in documented.items():
        if name not in figures:
            continue
        target = targets.get(name)
        told = "" if target is None else f"{'>=' if target.at_least else '<='} {target.bound:g} "
        if target is not None:
            told += "MISSED" if target.missed(figures) else "met"
        lines.append(f"{name:30} {figures[name]:10.3f}  {told:14} {meaning}".rstrip())
    disturbed = max((value for name, value in figures.items() if name.endswith("foreign_cores")), default=0.0)
    if disturbed > QUIET_CORES:
        lines.append(
            f"Disturbed: up to {disturbed:.1f} cores worked for something else. CPU-ms and latencies look dearer."
        )
    return "\n".join(lines)


def last_line(
    bench: str, documented: Mapping[str, str], promised: Sequence[Target], figures: Mapping[str, float], **about: object
) -> str:
    """Return the figures as one line for programs."""
    missed = [target.figure for target in promised if target.missed(figures)]
    rounded = {name: round(figures[name], 4) for name in documented if name in figures}
    return json.dumps({"bench": bench, **about, **rounded, "missed": missed})
