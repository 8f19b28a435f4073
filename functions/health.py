"""Health: `live` says that this process answers, `ready` that it can reach Temporal. Both answer at once.

`live` touches nothing, so that a Temporal outage never makes a platform restart healthy processes. `ready` tells what
was found last: while somebody asks, one thread looks every two seconds, so that probes neither pile up on a slow server
nor wait for it. Only the first one to ask after a silence waits for a finding.
"""

import threading
import time
from collections.abc import Callable

from flask import Response

from functions.problems import TemporalUnavailable
from functions.replies import reply
from functions.temporal import Temporal

EVERY_SECONDS = 2.0
FRESH_SECONDS = 4.0
"""How long a finding is the answer: until the next one, which may take a second, with room for a busy machine."""

PATIENCE_SECONDS = 1.5
FORGOTTEN_SECONDS = 60.0
"""After how long without a question nobody looks any more."""


class Health:
    """The function `health`."""

    def __init__(self, temporal: Temporal) -> None:
        self._temporal = temporal
        self._found = threading.Condition()
        self._looking = False
        self._reachable = False
        self._found_at = self._asked_at = float("-inf")

    def live(self) -> Response:
        """GET /health/live: Tell that this process answers."""
        return reply(200, {"status": "live"})

    def ready(self) -> Response:
        """GET /health/ready: Tell whether Temporal answers within a second; 503 when it does not."""
        if not self._is_reachable():
            raise TemporalUnavailable("the Temporal server does not answer")
        return reply(200, {"status": "ready"})

    def _is_reachable(self) -> bool:
        with self._found:
            self._asked_at = time.monotonic()
            if not self._looking:
                self._looking = True
                threading.Thread(target=self._look, name="look-for-temporal", daemon=True).start()
            return self._found.wait_for(self._is_fresh, PATIENCE_SECONDS) and self._reachable

    def _is_fresh(self) -> bool:
        return time.monotonic() - self._found_at < FRESH_SECONDS

    def _look(self) -> None:
        try:
            while self._find():
                time.sleep(EVERY_SECONDS)
        except BaseException:
            self._looking = False  # so that the next one to ask has somebody else look
            raise

    def _find(self) -> bool:
        """Look once; return whether to look again."""
        reachable = self._temporal.reachable()
        with self._found:
            self._reachable, self._found_at = reachable, time.monotonic()
            self._found.notify_all()
            self._looking = self._found_at - self._asked_at <= FORGOTTEN_SECONDS
            return self._looking

    @property
    def operations(self) -> dict[str, Callable[..., Response]]:
        """The views by their name in the route table."""
        return {"live": self.live, "ready": self.ready}
