"""One child process: started so that it cannot be orphaned, its output in a file, stopped by draining or by force.

It leads a process group of its own: a terminal's Ctrl-C does not reach it, and `kill`, `pause` and `resume` mean
the whole group (gunicorn's workers too), as a machine that dies or freezes would.
"""

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

_GROUP_PATIENCE = 1.0
_WRAPPER = Path(__file__).with_name("child.py")


class ChildProcess:
    """A running (or ended) program. Make it with `spawn`, inside a thread that outlives it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.pid = process.pid

    @classmethod
    async def spawn(cls, program: Sequence[str], *, environ: Mapping[str, str], cwd: Path, log: Path) -> "ChildProcess":
        """Start `program` with exactly `environ`, appending what it writes to `log`. Raises OSError."""
        wrapped = [sys.executable, "-I", "-S", str(_WRAPPER), str(os.getpid()), "--", *program]
        with log.open("ab") as output:
            process = await asyncio.create_subprocess_exec(
                *wrapped,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=dict(environ),
                cwd=cwd,
                start_new_session=True,
            )
        return cls(process)

    @property
    def returncode(self) -> int | None:
        """Exit status, minus the signal's number when killed, None while it lives."""
        return self._process.returncode

    async def wait(self) -> int:
        """Wait for the end, sweep up what is left of its group, and return the exit status."""
        status = await self._process.wait()
        deadline = time.monotonic() + _GROUP_PATIENCE
        # The killed rest keeps its sockets until it is really gone. Bounded, for a dead process may stay listed
        # where nobody collects orphans (a container whose first process is not an init).
        while self._signal_group(signal.SIGKILL) and time.monotonic() < deadline:  # noqa: ASYNC110 - nobody tells us
            await asyncio.sleep(0.01)
        return status

    def pause(self) -> None:
        """Freeze the group: it keeps its sockets and answers nobody."""
        self._signal_group(signal.SIGSTOP)

    def resume(self) -> None:
        """Thaw a frozen group; nothing happens to a running one."""
        self._signal_group(signal.SIGCONT)

    async def kill(self) -> int:
        """End the group at once, without a chance to clean up."""
        self._signal_group(signal.SIGKILL)
        return await self.wait()

    async def drain(self, seconds: float) -> bool:
        """Ask the program to end (SIGTERM) and give it `seconds`; tell whether it ended in time, else it is killed."""
        if self.returncode is not None:
            return True
        self.resume()
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        try:
            async with asyncio.timeout(seconds):
                await self.wait()
        except TimeoutError:
            await self.kill()
            return False
        return True

    def _signal_group(self, number: signal.Signals) -> bool:
        """Signal everyone in the group; tell whether there was anyone."""
        try:
            os.killpg(self.pid, number)
        except (ProcessLookupError, PermissionError):
            # PermissionError is what macOS answers for a group of which only zombies are left.
            return False
        return True


def log_tail(log: Path, lines: int = 20) -> str:
    """Return the last `lines` lines of a log file, looking at no more than its last 64 KiB."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - 65_536))
            text = file.read().decode("utf-8", errors="replace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-lines:])
