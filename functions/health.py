"""Health: `live` says that this process answers, `ready` that it can reach Temporal. Both answer at once.

`live` touches nothing, so that a Temporal outage never makes a platform restart healthy processes. `ready` tells what
was found last: while somebody asks, one task on Temporal's loop looks every two seconds, so that probes neither pile up on a slow server
nor wait for it. Only the first one to ask after a silence waits for a finding.
"""

import asyncio
import time
from collections.abc import Callable
from contextvars import Context

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
        self._looker: asyncio.Task[None] | None = None
        self._found = asyncio.Event()
        self._reachable = False
        self._found_at = self._asked_at = float("-inf")

    def live(self) -> Response:
        """GET /health/live: Tell that this process answers."""
        return reply(200, {"status": "live"})

    def ready(self) -> Response:
        """GET /health/ready: Tell whether Temporal answers within a second; 503 when it does not."""
        if not self._temporal.found(self._is_reachable, PATIENCE_SECONDS):
            raise TemporalUnavailable("the Temporal server does not answer")
        return reply(200, {"status": "ready"})

    async def _is_reachable(self) -> bool:
        self._asked_at = time.monotonic()
        if self._looker is None or self._looker.done():
            # In a context of its own: it is nobody's request.
            self._looker = asyncio.create_task(self._look(), name="look-for-temporal", context=Context())
        while not self._is_fresh():
            self._found.clear()
            await self._found.wait()
        return self._reachable

    def _is_fresh(self) -> bool:
        return time.monotonic() - self._found_at < FRESH_SECONDS

    async def _look(self) -> None:
        while time.monotonic() - self._asked_at <= FORGOTTEN_SECONDS:
            self._reachable = await self._temporal.reachable()
            self._found_at = time.monotonic()
            self._found.set()
            await asyncio.sleep(EVERY_SECONDS)

    @property
    def operations(self) -> dict[str, Callable[..., Response]]:
        """The views by their name in the route table."""
        return {"live": self.live, "ready": self.ready}
