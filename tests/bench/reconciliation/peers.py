"""The peers' environment: made once for a list of packages, kept in the project's cache."""

import hashlib
import subprocess
import sys
from pathlib import Path

from infra.local.layout import CACHE
from tests.bench.reconciliation.program import BenchError

_PACKAGES = Path(__file__).with_name("peers.txt")


def peers_python() -> Path:
    """Return the Python of the peers' environment. Raises BenchError when it cannot be made."""
    key = hashlib.sha256(f"{sys.version_info[:2]} {_PACKAGES.read_text('utf-8')}".encode()).hexdigest()[:12]
    folder = CACHE / f"bench-peers-{key}"
    python, ready = folder / "bin" / "python", folder / "ready"
    if not ready.exists():
        sys.stderr.write("bench: installing the peers (first run only, about a minute)\n")
        base = getattr(sys, "_base_executable", None) or sys.executable
        _do(base, "-m", "venv", "--clear", str(folder))
        _do(
            str(python),
            "-m",
            "pip",
            "--disable-pip-version-check",
            "--quiet",
            "install",
            "--no-deps",
            "-r",
            str(_PACKAGES),
        )
        ready.touch()
    return python


def _do(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BenchError(f"the peers cannot be installed: {' '.join(command)}\n{done.stderr[-2000:]}")
