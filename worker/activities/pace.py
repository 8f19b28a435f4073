"""How a step goes in this process lately: whether a workflow task may wait for it.

A task that waits keeps its order's messages waiting, and one of the worker's places for tasks. So only what was quick may
be waited for, and no more of it than there are threads to do it at once; what the provider takes long for is queued.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock

SEEN_SECONDS = 60.0
"""How long a step counts that has ended."""
_SEEN = 16
_SLOW = 2
"""So many slow ones of the latest sixteen are chance; one more, and it is slow."""
_PROMISE_SECONDS = 10.0
"""By then a promised step has begun, or its workflow task has timed out."""


class Pace:
    """The pace of one step in one process. Thread-safe.

    `quick_seconds` is what a task waits for, 0 for nothing; `most` how many may be waited for at once. As long as nothing
    is known a step counts as quick.
    """

    def __init__(self, *, quick_seconds: float, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._quick = quick_seconds
        self._most = most
        self._clock = clock
        self._lock = Lock()
        self._promised: deque[float] = deque()
        self._under_way: dict[int, float] = {}
        self._number = 0
        self._ended: deque[tuple[float, bool]] = deque(maxlen=_SEEN)

    def promise(self) -> bool:
        """Tell whether a task may wait for one more, which then begins within moments."""
        if not self._quick:
            return False
        with self._lock:
            now = self._clock()
            while self._promised and now - self._promised[0] > _PROMISE_SECONDS:
                self._promised.popleft()
            if len(self._promised) + len(self._under_way) >= self._most or self._slow(now):
                return False
            self._promised.append(now)
            return True

    @contextmanager
    def measured(self, *, promised: bool) -> Iterator[None]:
        """Do the step, which may have been `promised`; one that fails counts as slow."""
        with self._lock:
            began = self._clock()
            self._number += 1
            number = self._number
            self._under_way[number] = began
            if promised and self._promised:
                self._promised.popleft()
        quick = False
        try:
            yield
            quick = self._clock() - began <= self._quick
        finally:
            with self._lock:
                del self._under_way[number]
                self._ended.append((self._clock(), quick))

    def _slow(self, now: float) -> bool:
        """Tell whether too many were, the ones counted in that are not done yet."""
        ended = sum(not quick for at, quick in self._ended if now - at <= SEEN_SECONDS)
        return ended + sum(now - began > self._quick for began in self._under_way.values()) > _SLOW
