"""How long this machine kept somebody waiting: what is promised in seconds is promised beside that.

An idle machine keeps nobody waiting, so that a promise holds there as it stands. Where the kernel does not count it, the
machine is taken for idle.
"""

import os
import time
from pathlib import Path

_PRESSURES = (Path("/proc/pressure/cpu"), Path("/proc/pressure/io"))
_STAT = Path("/proc/stat")
_STEAL = 8
"""The column of what a machine's neighbours took from it."""


class Stopwatch:
    """Counts the seconds since it was made in which this machine kept nobody waiting."""

    def __init__(self) -> None:
        self._began = time.monotonic() - _waited()

    @property
    def seconds(self) -> float:
        """May be below zero, where many waited for several things at once."""
        return time.monotonic() - _waited() - self._began


def _waited() -> float:
    """Return in how many seconds since its start somebody could run and did not, or waited for a disk."""
    try:
        some = [file.read_text("ascii").splitlines()[0] for file in _PRESSURES]
        stolen = int(_STAT.read_text("ascii").split(maxsplit=_STEAL + 1)[_STEAL])
    except OSError:
        return 0.0
    return sum(int(line.rpartition("total=")[2]) for line in some) / 1e6 + stolen / os.sysconf("SC_CLK_TCK")
