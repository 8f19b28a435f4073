"""Age of a break, in the buckets that reports and gauges share."""

from datetime import timedelta

BUCKETS = ("0-1d", "1-3d", "3-7d", ">7d")
"""Youngest first; a bucket holds its lower edge, not its upper one."""

UPPER_EDGES = (timedelta(days=1), timedelta(days=3), timedelta(days=7))
"""Of each bucket but the last, which has none."""


def bucket(age: timedelta) -> str:
    """Return the bucket of an age; a negative age (clocks that differ) is young."""
    for name, edge in zip(BUCKETS, UPPER_EDGES, strict=False):
        if age < edge:
            return name
    return BUCKETS[-1]
