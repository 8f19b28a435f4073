"""Programs of the comparison, each a process of its own, so that its memory is its own."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from worker.contract.settings import ROOT


class BenchError(Exception):
    """Something is broken, so that no figure of this run means anything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What a program told of itself."""

    steps: dict[str, dict[str, float]]
    peak_mb: float
    found: dict[str, Any]

    def seconds(self, *names: str) -> float:
        """Return the wall time of some steps, of all when none is named."""
        return sum(self.steps[name]["seconds"] for name in names or self.steps)

    def cpu(self, *names: str) -> float:
        """Return the CPU time of the program and of the database for it."""
        return sum(self.steps[name]["own"] + self.steps[name]["server"] for name in names or self.steps)


def run(name: str, *arguments: str, python: Path = Path(sys.executable)) -> Ran:
    """Run `tests.bench.reconciliation.NAME` to its end. Raises BenchError when it fails."""
    command = [str(python), "-m", f"tests.bench.reconciliation.{name}", *arguments]
    sys.stderr.write(f"bench: {name}")
    sys.stderr.flush()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BenchError(f"{name} failed with {done.returncode}:\n{done.stderr[-4000:]}")
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    ran = Ran(steps=told.pop("steps"), peak_mb=told.pop("peak_mb"), found=told)
    steps = ", ".join(f"{step} {ran.seconds(step):.1f}/{ran.cpu(step):.1f}" for step in ran.steps)
    sys.stderr.write(
        f": {ran.seconds():.1f} s, CPU {ran.cpu():.1f} s ({steps}), {ran.peak_mb:.0f} MB {json.dumps(ran.found)}\n"
    )
    return ran
