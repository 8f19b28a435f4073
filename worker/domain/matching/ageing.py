"""Age of a break, in the buckets that reports and gauges share."""

from datetime import timedelta

BUCKETS = ("0-1d", "1-3d", "3-7d", ">7d")
"""Youngest first; a bucket holds its lower edge, not its upper one."""

_UPPER_EDGES = (timedelta(days=1), timedelta(days=3), timedelta(days=7))


def bucket(age: timedelta) -> str:
    """Return the bucket of an age; a negative age (clocks that differ) is young."""
    for name, edge in zip(BUCKETS, _UPPER_EDGES, strict=False):
        if age < edge:
            return name
    return BUCKETS[-1]
