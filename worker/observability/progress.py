"""Signs that a process gets on, beyond its event loop: a worker that is alive and does nothing must be found.

Idle is not stuck. Stuck is: every thread is held by an activity and none has begun, ended or told of itself for long; or
the server answers, and knows nothing of this process asking for work. What is unknown counts as well: a process is not
restarted because a server is away.
"""

import threading
import time
from collections.abc import Mapping

ACTIVITIES_SECONDS = 600.0
"""Every call of an activity ends within half a minute by its own time-out, and a long one heartbeats."""

POLL_SECONDS = 300.0
"""A poll lasts a minute at most and is followed by the next, of several side by side."""

_KNOWN_SECONDS = 60.0
"""How long an answer of the server counts."""


class Progress:
    """What the process has done lately. Thread-safe. `threads` is how many activities it can run at once."""

    def __init__(
        self, threads: int, *, activities_seconds: float = ACTIVITIES_SECONDS, poll_seconds: float = POLL_SECONDS
    ) -> None:
        self._threads = threads
        self._activities_seconds = activities_seconds
        self._poll_seconds = poll_seconds
        self._lock = threading.Lock()
        self._running = 0
        self._moved_at = time.monotonic()
        self._polled_at: dict[str, float] = {}
        self._asked_at: float | None = None

    def began(self) -> None:
        """An activity that holds a thread has begun."""
        self._changed(1)

    def ended(self) -> None:
        """It has ended, whichever way."""
        self._changed(-1)

    def moved(self) -> None:
        """An activity told of itself (a heartbeat)."""
        self._changed(0)

    def polled(self, ages: Mapping[str, float | None]) -> None:
        """The server says how many seconds ago this process last asked for work, by queue; None: it does not know.

        A queue counts from when its first poll was seen: a server that never tells must not end a process.
        """
        now = time.monotonic()
        with self._lock:
            self._polled_at |= {queue: now - age for queue, age in ages.items() if age is not None}
            self._asked_at = now

    def activities(self) -> str:
        """Return `ok`, or `stuck` when all threads are held and nothing moves."""
        with self._lock:
            held = self._running >= self._threads
            still = time.monotonic() - self._moved_at > self._activities_seconds
        return "stuck" if held and still else "ok"

    def polling(self) -> str:
        """Return `ok`, or `stuck` when the server answers and has not been asked for work for long."""
        with self._lock:
            now = time.monotonic()
            known = self._asked_at is not None and now - self._asked_at < _KNOWN_SECONDS
            late = any(now - at > self._poll_seconds for at in self._polled_at.values())
        return "stuck" if known and late else "ok"

    def _changed(self, running: int) -> None:
        with self._lock:
            self._running += running
            self._moved_at = time.monotonic()
