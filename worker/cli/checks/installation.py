"""What runs here: Python, packages against the lock, disk."""

import re
import shutil
import sys
import tempfile
from importlib import metadata
from pathlib import Path

from worker.cli.checks.line import Line, fail, ok, warn
from worker.contract.settings import ROOT

LOCK = Path("worker") / "requirements.lock"
_PINNED = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^\s;\\]+)", re.MULTILINE)
_NAMED = 5
_LOW, _EMPTY = 2 * 1024**3, 200 * 1024**2
"""Bytes: below the first somebody should look, below the second runs and reports fail soon."""


def versions() -> list[Line]:
    """Look at Python and at what is installed beside it."""
    python = ".".join(map(str, sys.version_info[:3]))
    fits = (3, 11) <= sys.version_info[:2] <= (3, 13)
    told = (
        ok("python", python)
        if fits
        else fail("python", f"{python} is not 3.11 to 3.13", "make setup PYTHON=/path/to/python3.12")
    )
    return [told, packages((ROOT / LOCK).read_text("utf-8") if (ROOT / LOCK).exists() else "")]


def packages(lock: str) -> Line:
    """Compare what is installed with the worker's lock."""
    wanted = dict(_PINNED.findall(lock))
    if not wanted:
        return warn("packages", f"there is no {LOCK} to compare with", "install from a checkout or the release's image")
    other: list[str] = []
    for name, version in sorted(wanted.items()):
        try:
            found = metadata.version(name)
        except metadata.PackageNotFoundError:
            # What another platform or Python needs is in the lock as well.
            continue
        if found != version:
            other.append(f"{name} {found}, locked {version}")
    if not other:
        return ok("packages", f"orders {metadata.version('orders')}, as locked")
    more = f" and {len(other) - _NAMED} more" if len(other) > _NAMED else ""
    return warn("packages", "; ".join(other[:_NAMED]) + more, "make setup")


def disk(folders: dict[str, Path]) -> list[Line]:
    """Look at the room that is left where we write."""
    lines = []
    for name, folder in {**folders, "temporary files": Path(tempfile.gettempdir())}.items():
        there = next((one for one in (folder, *folder.parents) if one.exists()), Path("/"))
        free = shutil.disk_usage(there).free
        said = f"{name}: {free / 1024**3:,.1f} GB free at {there}"
        remedy = "make room there, or name another folder in the settings (store.path, lake.spill, TMPDIR)"
        if free >= _LOW:
            lines.append(ok("disk", said))
        else:
            lines.append(warn("disk", said, remedy) if free >= _EMPTY else fail("disk", said, remedy))
    return lines
