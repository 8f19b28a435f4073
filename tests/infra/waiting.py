"""Waiting for what another process does."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def until(what: str, found: Callable[[], T | None], seconds: float) -> T:
    """Return the first answer that is not None. Raises AssertionError naming what was waited for."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        answer = found()
        if answer is not None:
            return answer
        time.sleep(0.2)
    raise AssertionError(f"waited {seconds:.0f} s in vain for {what}")
