"""What a check says: a line that is ok, worth a look, or wrong, and what to do about it. Checks run at once, bounded."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum


class Status(StrEnum):
    """How a line is meant."""

    OK = "ok"
    WARN = "warn"
    """It works, but somebody should look."""
    FAIL = "fail"
    """Something of ours does not work because of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One thing that was looked at."""

    check: str
    status: Status
    what: str
    remedy: str = ""


Check = Callable[[], list[Line]]


def ok(check: str, what: str) -> Line:
    """Return a line about what is as it should be."""
    return Line(check=check, status=Status.OK, what=what)


def warn(check: str, what: str, remedy: str) -> Line:
    """Return a line about what somebody should look at."""
    return Line(check=check, status=Status.WARN, what=what, remedy=remedy)


def fail(check: str, what: str, remedy: str) -> Line:
    """Return a line about what does not work."""
    return Line(check=check, status=Status.FAIL, what=what, remedy=remedy)


def examine(checks: dict[str, Check], within: timedelta) -> list[Line]:
    """Run all checks at once; return their lines in the order of the checks.

    One that has not come back within that time is a failure of its own, and is left behind; so is one that breaks off.
    """
    answers: dict[str, list[Line]] = {}

    def work(name: str, check: Check) -> None:
        try:
            answers[name] = check()
        except Exception as problem:
            answers[name] = [fail(name, f"{type(problem).__name__}: {problem}", "mend what it says")]

    threads = [threading.Thread(target=work, args=one, daemon=True) for one in checks.items()]
    deadline = time.monotonic() + within.total_seconds()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(deadline - time.monotonic(), 0))
    done = dict(answers)
    seconds = f"{within.total_seconds():g} s"
    late = {
        name: [fail(name, f"no answer within {seconds}", "it hangs: look at it, or give it --seconds more")]
        for name in checks
        if name not in done
    }
    return [line for name in checks for line in (done | late)[name]]


def worst(lines: Sequence[Line]) -> Status:
    """Return the worst status of all lines."""
    return max((line.status for line in lines), key=list(Status).index, default=Status.OK)


def clock(check: str, skew: timedelta, whose: str) -> Line:
    """Return what a difference between clocks means: signatures and windows are told by ours."""
    seconds = skew.total_seconds()
    said = f"{whose} clock is {abs(seconds):.1f} s {'ahead of' if seconds > 0 else 'behind'} ours"
    remedy = "synchronise clocks (chronyc tracking, timedatectl); windows and signatures go wrong before anything else"
    if abs(seconds) < CLOCK_WARN_SECONDS:
        return ok(check, f"{whose} clock agrees with ours")
    return warn(check, said, remedy) if abs(seconds) < CLOCK_FAIL_SECONDS else fail(check, said, remedy)


CLOCK_WARN_SECONDS = 2
CLOCK_FAIL_SECONDS = 60
"""Webhooks older than a few minutes are refused, and a run's window ends before its minute is over."""
