"""The outbox's clerk: starts the delivery of every message that is due, and never loses one.

A message is written with the change it tells of. After the commit the bell rings and the clerk starts what is due; a
bell that nobody heard (the process was killed, Temporal was away) is made up for by the rounds that housekeeping makes.
Any replica may do any round, also two at once: a delivery's id is the message's, so it is started once.
"""

import asyncio
import contextlib
import logging
from datetime import timedelta

from worker.domain.errors import OrdersError
from worker.domain.outbound import Message
from worker.services.outbound import OutboundService
from worker.services.ports import Processes

_log = logging.getLogger(__name__)
_STARTS_AT_ONCE = 8
_MOST_ROUNDS = 50


class Bell:
    """Rung by whichever thread has committed a message; heard in the event loop. Unheard, it is lost."""

    def __init__(self) -> None:
        self._rung: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def ring(self) -> None:
        """Say that there is something to send. Neither blocks nor raises."""
        if self._loop is not None and self._rung is not None:
            with contextlib.suppress(RuntimeError):  # the loop was closed
                self._loop.call_soon_threadsafe(self._rung.set)

    async def heard(self) -> None:
        """Wait for the next ring; what rang since the last one counts."""
        if self._rung is None:
            self._rung, self._loop = asyncio.Event(), asyncio.get_running_loop()
        await self._rung.wait()
        self._rung.clear()


class Clerk:
    """Starts deliveries."""

    def __init__(self, outbound: OutboundService, processes: Processes, bell: Bell) -> None:
        self._outbound = outbound
        self._processes = processes
        self._bell = bell

    async def serve(self) -> None:
        """Make a round whenever the bell rings, until cancelled. A round that fails is made up for by housekeeping's."""
        while True:
            await self._bell.heard()
            try:
                await self.round()
            except Exception as problem:
                # Whatever it was: who stops listening would leave every message to housekeeping, later than it need be.
                error = problem.code if isinstance(problem, OrdersError) else type(problem).__name__
                _log.warning("webhooks wait to be sent", extra={"error": error})

    async def round(self, *, overdue: timedelta = timedelta(0)) -> int:
        """Start what is due, for at least `overdue`; return how many deliveries.

        Raises ProviderUnavailable, DatabaseUnavailable; what was started is noted.
        """
        started = 0
        for _ in range(_MOST_ROUNDS):
            due = await asyncio.to_thread(self._outbound.due, overdue)
            if not due:
                break
            places = asyncio.Semaphore(_STARTS_AT_ONCE)
            outcomes = await asyncio.gather(*(self._start(one, places) for one in due), return_exceptions=True)
            running = [one for one, outcome in zip(due, outcomes, strict=True) if outcome is None]
            await asyncio.to_thread(self._outbound.started, running)
            started += len(running)
            for outcome in outcomes:
                if outcome is not None:
                    raise outcome
        return started

    async def _start(self, message: Message, places: asyncio.Semaphore) -> None:
        async with places:
            await self._processes.start_notification(message.subscription, message.message_id)
