"""What a program of the benchmark tells of itself: seconds, CPU and memory. Standard library alone: peers use it too."""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.bench.cpu import cpu_seconds

_KIB_PER_MB = 1_000_000 / 1024


class Spent:
    """Measures steps; `server` is the process id of the database whose CPU time counts as well."""

    def __init__(self, server: int) -> None:
        self._server = server
        self._steps: dict[str, dict[str, float]] = {}

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Measure a block; blocks of one name add up."""
        began, own, server = time.monotonic(), time.process_time(), cpu_seconds(self._server)
        yield
        step = self._steps.setdefault(name, {"seconds": 0.0, "own": 0.0, "server": 0.0})
        step["seconds"] += time.monotonic() - began
        step["own"] += time.process_time() - own
        step["server"] += cpu_seconds(self._server) - server

    def tell(self, **found: object) -> None:
        """Print everything as the last line of the program."""
        sys.stdout.write(json.dumps({"steps": self._steps, "peak_mb": peak_mb(), **found}) + "\n")


def peak_mb() -> float:
    """Return the most memory that this program has held resident so far, in MB.

    As the kernel counts it since the program was loaded: what `getrusage` says includes the process that started it.
    """
    status = Path("/proc/self/status").read_text("ascii", "replace")
    kib = next(line for line in status.splitlines() if line.startswith("VmHWM:")).split()[1]
    return int(kib) / _KIB_PER_MB
