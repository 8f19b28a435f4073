"""What a running stack tells others about itself: `state.json` in its directory, readable by its owner only.

Written whole or not at all. Who holds the lock file owns the directory; a state file without a holder is what a
killed supervisor left, and the processes it names are orphans.
"""

import fcntl
import json
import os
import signal
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TextIO

from infra.local import pids
from infra.local.errors import StackRunningError

STATE, LOCK = "state.json", "stack.lock"


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberRecord:
    """One member as others see it. `started` tells the process from a later one with the same pid."""

    name: str
    state: str
    pid: int | None
    started: str | None
    restarts: int
    log: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StackRecord:
    """A stack as others see it; `env` holds secrets."""

    directory: str
    supervisor: int
    supervisor_started: str | None
    members: tuple[MemberRecord, ...] = ()
    ports: Mapping[str, int] = field(default_factory=dict)
    urls: Mapping[str, str] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)


def write_private(file: Path, text: str) -> None:
    """Replace `file` by `text` in one step, readable by its owner only."""
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as temporary:
            temporary.write(text)
        Path(name).replace(file)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def write(record: StackRecord) -> None:
    """Publish `record` in its directory."""
    write_private(Path(record.directory) / STATE, json.dumps(asdict(record), indent=2))


def read(directory: Path) -> StackRecord | None:
    """Return what the stack in `directory` last published, running or not; None when there is nothing readable."""
    try:
        stored: dict[str, Any] = json.loads((directory / STATE).read_text(encoding="utf-8"))
        members = tuple(MemberRecord(**member) for member in stored.pop("members"))
        return StackRecord(members=members, **stored)
    except (OSError, ValueError, TypeError, KeyError):
        return None


def is_running(directory: Path) -> bool:
    """Tell whether a live supervisor owns `directory`."""
    try:
        with (directory / LOCK).open("r+", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def take(directory: Path) -> TextIO:
    """Own `directory` until the returned file is closed. Raises StackRunningError when somebody else does."""
    file = (directory / LOCK).open("a+", encoding="utf-8")
    # Somebody who only looks (`is_running`) holds the lock for an instant; an owner holds it for long.
    deadline = time.monotonic() + 0.3
    while not _locked(file) and time.monotonic() < deadline:
        time.sleep(0.02)
    if not _locked(file):
        file.seek(0)
        owner = file.read().strip() or "unknown"
        file.close()
        raise StackRunningError(directory, owner)
    file.truncate(0)
    file.write(str(os.getpid()))
    file.flush()
    return file


def _locked(file: TextIO) -> bool:
    """Try to lock `file`; taking a lock twice through one file is one lock."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def end_orphans(directory: Path) -> set[int]:
    """End what a killed supervisor left running and drop its state file; return the pids. Call it as the owner."""
    record = read(directory)
    orphans = pids.marked(directory)
    for member in record.members if record else ():
        if member.pid is not None and member.started is not None and pids.start_time(member.pid) == member.started:
            orphans.add(member.pid)
    # Frozen orphans die of SIGKILL as well; no SIGCONT is needed.
    for pid in orphans:
        _kill_group(pid)
    pids.end_all(orphans)
    (directory / STATE).unlink(missing_ok=True)
    return orphans


def _kill_group(pid: int) -> None:
    try:
        if os.getpgid(pid) == pid:
            os.killpg(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return
