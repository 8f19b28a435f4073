"""Simulated time: real time plus an offset that is kept, and timers that fire by it.

Moving the clock forward fires everything that became due, in order, each seeing its own due time as "now": three
days in one step give three daily payouts with three dates. Timers are documents, so a restart forgets none.
"""

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from infra.local.simulator.store import Document, Store

_log = logging.getLogger(__name__)

TimerHandler = Callable[[Document], None]
"""What a timer runs: synchronous, inside one transaction together with the timer's removal."""

_LONGEST_SLEEP = 1.0
"""Seconds: the wall clock may be stepped under us, so never trust one long sleep."""


class Clock:
    """The one source of "now" for everything the outside world writes down."""

    def __init__(self, store: Store) -> None:
        """Continue with the offset and the timers that `store` remembers."""
        self._store = store
        store.declare("timers", "due_ms")
        self._offset = timedelta(microseconds=int(store.fact("clock_offset_us") or 0))
        self._pinned: datetime | None = None
        self._handlers: dict[str, TimerHandler] = {}
        self._listeners: list[Callable[[], None]] = []
        self._changed = asyncio.Event()

    def now(self) -> datetime:
        """Return the simulated time (UTC); inside a timer's handler, the moment the timer was due."""
        return self._pinned or datetime.now(UTC) + self._offset

    def timestamp(self) -> int:
        """Return the simulated time in whole seconds since 1970, as the provider writes it."""
        return int(self.now().timestamp())

    def now_ms(self) -> int:
        """Return the simulated time in milliseconds since 1970, the unit of `due_ms`."""
        return milliseconds(self.now())

    def advance(self, seconds: float) -> datetime:
        """Move forward by `seconds` and fire what became due. ValueError when negative. Returns the new time."""
        if seconds < 0:
            raise ValueError("the clock only moves forward; use set to go back on purpose")
        self._move(self._offset + timedelta(seconds=seconds))
        return self.now()

    def set(self, iso: str) -> datetime:
        """Move to an ISO 8601 time with a zone. ValueError for anything else. Going back fires nothing twice."""
        moment = datetime.fromisoformat(iso)
        if moment.tzinfo is None:
            raise ValueError("the time needs a zone, for example 2026-01-31T00:00:00Z")
        self._move(moment.astimezone(UTC) - datetime.now(UTC))
        return self.now()

    def on(self, kind: str, handler: TimerHandler) -> None:
        """Name what a timer of `kind` does; must be done before the clock runs."""
        self._handlers[kind] = handler

    def call_at(self, when: datetime, kind: str, payload: Document, *, timer_id: str | None = None) -> str:
        """Fire `kind` with `payload` once `when` is reached; the same `timer_id` replaces. Returns the id."""
        chosen = timer_id or self._store.next_id("timer")
        self._store.put(
            "timers", chosen, {"id": chosen, "kind": kind, "due_ms": milliseconds(when), "payload": payload}
        )
        self._changed.set()
        return chosen

    def call_later(self, seconds: float, kind: str, payload: Document, *, timer_id: str | None = None) -> str:
        """Fire `kind` with `payload` in `seconds` of simulated time. Returns the timer's id."""
        return self.call_at(self.now() + timedelta(seconds=seconds), kind, payload, timer_id=timer_id)

    def cancel(self, timer_id: str) -> bool:
        """Forget a timer; tell whether it was still waiting."""
        return self._store.delete("timers", timer_id)

    def on_move(self, listener: Callable[[], None]) -> None:
        """Call `listener` whenever the clock was moved (queues that wait for simulated time wake up)."""
        self._listeners.append(listener)

    def fire_due(self) -> int:
        """Fire every timer that is due, oldest first, including those the fired ones set. Returns how many."""
        fired = 0
        while True:
            due = self._store.least("timers", "due_ms", at_most=milliseconds(datetime.now(UTC) + self._offset))
            if not due:
                return fired
            self._fire(due[0])
            fired += 1

    async def run(self) -> None:
        """Fire timers as simulated time passes, until cancelled."""
        while True:
            self._changed.clear()
            self.fire_due()
            waiting = self._store.least("timers", "due_ms")
            delay = _LONGEST_SLEEP
            if waiting:
                delay = min(delay, max(0.001, (waiting[0]["due_ms"] - self.now_ms()) / 1000))
            try:
                # Not wait_for: it loses a cancellation that meets the event (CPython 3.11), and stopping would hang.
                async with asyncio.timeout(delay):
                    await self._changed.wait()
            except TimeoutError:
                continue

    def _fire(self, timer: Document) -> None:
        self._pinned = datetime.fromtimestamp(timer["due_ms"] / 1000, UTC)
        try:
            with self._store.transaction():
                self._store.delete("timers", timer["id"])
                self._handlers[timer["kind"]](timer["payload"])
        except Exception:
            # One broken handler must not stop time for the others; its effect was rolled back with the timer's
            # removal, which therefore has to be repeated or it would be the first due for ever.
            _log.exception("timer %s of kind %s failed", timer["id"], timer["kind"])
            self._store.delete("timers", timer["id"])
        finally:
            self._pinned = None

    def _move(self, offset: timedelta) -> None:
        self._offset = offset
        self._store.set_fact("clock_offset_us", str(offset // timedelta(microseconds=1)))
        self.fire_due()
        self._changed.set()
        for listener in self._listeners:
            listener()


def milliseconds(moment: datetime) -> int:
    """Return whole milliseconds since 1970 of an aware datetime."""
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
