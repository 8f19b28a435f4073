"""Health: `live` says that this process answers, `ready` that it can reach Temporal.

`live` touches nothing, so that a Temporal outage never makes a platform restart healthy processes. `ready` keeps
its finding for two seconds and lets one caller at a time look, so that probes never pile up on a slow server.
"""

import threading
import time
from collections.abc import Callable

from flask import Response

from functions.problems import TemporalUnavailable
from functions.replies import reply
from functions.temporal import Temporal

KEPT_SECONDS = 2.0


class Health:
    """The function `health`."""

    def __init__(self, temporal: Temporal) -> None:
        self._temporal = temporal
        self._looking = threading.Lock()
        self._reachable = False
        self._found_at = float("-inf")

    def live(self) -> Response:
        """GET /health/live: Tell that this process answers."""
        return reply(200, {"status": "live"})

    def ready(self) -> Response:
        """GET /health/ready: Tell whether Temporal answers within a second; 503 when it does not."""
        if not self._is_reachable():
            raise TemporalUnavailable("the Temporal server does not answer")
        return reply(200, {"status": "ready"})

    def _is_reachable(self) -> bool:
        if time.monotonic() - self._found_at < KEPT_SECONDS or not self._looking.acquire(blocking=False):
            return self._reachable
        try:
            self._reachable = self._temporal.reachable()
            self._found_at = time.monotonic()
        finally:
            self._looking.release()
        return self._reachable

    @property
    def operations(self) -> dict[str, Callable[..., Response]]:
        """The views by their name in the route table."""
        return {"live": self.live, "ready": self.ready}
