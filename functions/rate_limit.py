"""A token bucket: so many a minute on average, so many at once.

It counts in this process alone. N processes let N times as many through, and a Lambda instance serves one
request at a time, so there the gateway's own throttle is the limit that counts. What it is for: a sender gone
wild must not fill Temporal from here; it is told when to come again, and nothing is lost.
"""

import threading
import time
from collections.abc import Callable


class TokenBucket:
    """Thread-safe. Starts full."""

    def __init__(self, per_minute: int, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_second = per_minute / 60
        self._burst = float(burst)
        self._clock = clock
        self._lock = threading.Lock()
        self._tokens = self._burst
        self._counted_at = clock()

    def take(self) -> float:
        """Take a token and return 0, or take none and return in how many seconds there will be one."""
        with self._lock:
            now = self._clock()
            self._tokens = min(self._burst, self._tokens + (now - self._counted_at) * self._per_second)
            self._counted_at = now
            if self._tokens >= 1:
                self._tokens -= 1
                return 0.0
            return (1 - self._tokens) / self._per_second
