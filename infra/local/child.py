"""Run a program that does not outlive its parent, whatever kills the parent: `child.py PARENT_PID [--watch] -- PROGRAM ...`.

On Linux the kernel is asked to kill this process when its parent dies, then the program takes its place (same pid).
Note that "parent" means the thread that started it: that thread must live as long as the stack. Elsewhere, or with
`--watch`, this process stays, looks at its parent five times a second, and takes its process group with it.
Standard library only, and run with `-I -S`, for it runs once per member before the member does.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from types import FrameType

PR_SET_PDEATHSIG = 1
LOOK_EVERY = 0.2


def main(arguments: list[str]) -> int:
    """Become, or guard, the program given after `--`; return its exit status (128 + signal when killed)."""
    split = arguments.index("--")
    parent, options, program = int(arguments[0]), arguments[1:split], arguments[split + 1 :]
    # Python ignores these two for itself, and ignoring is inherited by the program.
    for ignored in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(ignored, signal.SIG_DFL)
    if sys.platform == "linux" and "--watch" not in options:
        _die_with_parent()
        if os.getppid() != parent:
            return 1
        os.execvp(program[0], program)  # noqa: S606 - becoming the program, without a shell, is the point
    return _guard(program, lambda: os.getppid() == parent)


def _die_with_parent() -> None:
    import ctypes  # noqa: PLC0415 - costs 10 ms that the other way does not need

    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")


def _guard(program: list[str], parent_lives: Callable[[], bool]) -> int:
    with subprocess.Popen(program) as guarded:

        def forward(number: int, _frame: FrameType | None) -> None:
            guarded.send_signal(number)

        for passed_on in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(passed_on, forward)
        while parent_lives():
            try:
                status = guarded.wait(LOOK_EVERY)
            except subprocess.TimeoutExpired:
                continue
            return status if status >= 0 else 128 - status
        os.killpg(os.getpgrp(), signal.SIGKILL)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
