"""CPU time as Linux counts it: of a process with all its threads, of the whole machine. In ticks of 10 ms."""

import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """Return what the process has used, in user and kernel mode, without its children."""
    after_name = Path(f"/proc/{pid}/stat").read_text("ascii", "replace").rpartition(")")[2].split()
    return (int(after_name[11]) + int(after_name[12])) / _TICKS_PER_SECOND


def children(pid: int) -> list[int]:
    """Return the processes that the process has started and that live."""
    lists = Path(f"/proc/{pid}/task").glob("*/children")  # each thread has its own
    return [int(child) for listed in lists for child in listed.read_text("ascii").split()]


def _machine_seconds() -> float:
    """Return the time that all cores together were busy since the machine started."""
    user, nice, system, _idle, _iowait, irq, softirq, *_ = (
        int(ticks) for ticks in Path("/proc/stat").read_text("ascii").partition("\n")[0].split()[1:]
    )
    return (user + nice + system + irq + softirq) / _TICKS_PER_SECOND


@dataclass
class Usage:
    """What was used while a block ran: by each process asked about, by this one, by all others of the machine."""

    seconds: float = 0.0
    by_pid: dict[int, float] = field(default_factory=dict)
    own: float = 0.0
    machine: float = 0.0

    def foreign_cores(self) -> float:
        """Return how many cores worked for something else than the benchmark, as an average over the block."""
        return max(0.0, (self.machine - self.own - sum(self.by_pid.values())) / self.seconds)


@contextmanager
def measured(pids: Iterable[int]) -> Iterator[Usage]:
    """Measure the block; the figures are complete when it has ended."""
    usage = Usage()
    began = time.monotonic()
    before = {pid: cpu_seconds(pid) for pid in pids}
    own, machine = time.process_time(), _machine_seconds()
    yield usage
    usage.own = time.process_time() - own
    usage.machine = _machine_seconds() - machine
    usage.by_pid = {pid: cpu_seconds(pid) - seconds for pid, seconds in before.items()}
    usage.seconds = time.monotonic() - began
