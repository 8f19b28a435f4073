"""Where tests keep their files: in memory where there is enough of it, for a third of their time was waiting for a disk.

Servers write and sync as ever, and what they have written outlives their being killed; only a crash of the whole
machine, which no test makes, would lose it. Whoever sets TMPDIR decides for themselves.
"""

import os
import tempfile
from pathlib import Path

MEMORY = Path("/dev/shm")  # noqa: S108 - pytest makes a folder of its own in it, as in any folder for what is temporary
ENOUGH = 6 * 2**30
"""Bytes: what the whole suite writes (1.5 GB), its processes, and some to spare."""


def settle() -> None:
    """Let this process and those it starts make their temporary files in memory, if that is possible."""
    if "TMPDIR" not in os.environ and _is_suitable(MEMORY):
        os.environ["TMPDIR"] = str(MEMORY)
        tempfile.tempdir = None


def _is_suitable(folder: Path) -> bool:
    """Tell whether there is such a folder, with room, in which programs may be run (containers often forbid it)."""
    if not os.access(folder, os.W_OK | os.X_OK):
        return False
    about = os.statvfs(folder)
    runs_programs = not about.f_flag & getattr(os, "ST_NOEXEC", 0)
    return runs_programs and about.f_bavail * about.f_frsize >= ENOUGH and _available() >= ENOUGH


def _available() -> int:
    """Return how many bytes of memory programs may still take; 0 where the system does not say."""
    try:
        lines = Path("/proc/meminfo").read_text("ascii").splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
