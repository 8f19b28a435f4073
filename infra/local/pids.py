"""Which process is meant by a pid: a pid alone may have been given to a stranger since.

Every process of a stack carries MARKER with the stack's directory in its environment, so that orphans are found
even when nobody wrote their pids down (Linux; elsewhere only recorded pids with the same start time are known).
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

MARKER = "LOCAL_STACK_DIRECTORY"
_LINUX: bool = sys.platform == "linux"


def start_time(pid: int) -> str | None:
    """Return when process `pid` started, as an opaque text that is equal only for the same process, else None."""
    if _LINUX:
        try:
            stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return None
        # The second field is the program's name in brackets and may hold spaces; state is field 3, start time field 22.
        fields = stat.rpartition(")")[2].split()
        return None if fields[0] in {"Z", "X"} else fields[19]
    shown = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return shown.stdout.strip() or None


def marked(directory: Path) -> set[int]:
    """Return the live processes, other than this one, that belong to the stack in `directory` (Linux only)."""
    mark = f"{MARKER}={directory}".encode()
    found = set()
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (entry / "environ").read_bytes().split(b"\0") and start_time(int(entry.name)) is not None:
                found.add(int(entry.name))
        except OSError:
            continue
    return found - {os.getpid()}


def end_all(pids: set[int], seconds: float = 5.0) -> None:
    """Kill the processes `pids` and wait until they are gone. Raises TimeoutError when one still lives."""
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    deadline = time.monotonic() + seconds
    while any(start_time(pid) is not None for pid in pids):
        if time.monotonic() > deadline:
            raise TimeoutError(f"processes {sorted(pids)} did not end within {seconds} s")
        time.sleep(0.02)
