"""Where tests keep their files: in memory where there is enough of it, for a third of their time was waiting for a disk.

Servers write and sync as ever, and what they have written outlives their being killed; only a crash of the whole
machine, which no test makes, would lose it. Whoever sets TMPDIR decides for themselves.
"""

import os
import shutil
import tempfile
from pathlib import Path

MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of our own is made in it
ENOUGH = 6 * 2**30
"""Bytes: what the whole suite writes (1.5 GB), its processes, and some to spare."""


def settle() -> None:
    """Let this process and those it starts make their temporary files in memory, if that is possible.

    What an earlier session has left, because it failed or was killed, can be looked at until the next one begins.
    """
    if "TMPDIR" in os.environ or not _is_suitable(MEMORY):
        return
    ours = MEMORY / f"orders-tests-{os.getuid()}"
    # Others may pass, since some tests run programs as another user, but not look.
    ours.mkdir(mode=0o711, exist_ok=True)
    if ours.stat().st_uid != os.getuid():
        return
    for earlier in ours.iterdir():
        if not Path("/proc", earlier.name).exists():
            shutil.rmtree(earlier, ignore_errors=True)
    folder = ours / str(os.getpid())
    folder.mkdir(exist_ok=True)
    os.environ["TMPDIR"] = str(folder)
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
