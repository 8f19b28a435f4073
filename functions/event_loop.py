"""One event loop in a daemon thread per process: how synchronous code calls an asynchronous library.

The SDK's client may be used on one loop only and not across a fork, so the loop starts with the first call
and is forgotten by a forked child, which then starts its own.
"""

import asyncio
import concurrent.futures
import os
import threading
import weakref
from collections.abc import Coroutine
from typing import Any, Generic, Protocol, TypeVar

T = TypeVar("T")
Held = TypeVar("Held")


class Loop(Protocol[Held]):
    """Where coroutines run for synchronous code: this module's thread, or the loop that serves (functions.greenlets)."""

    held: Held | None
    """What belongs to that loop (a client), made by its first user."""

    def run(self, work: Coroutine[Any, Any, T], deadline_seconds: float) -> T:
        """Run `work` and return its result. Raises what it raises, or TimeoutError in time."""
        ...

    def stop(self) -> None:
        """Forget what is held."""
        ...


_MARGIN_SECONDS = 0.25
"""How much longer than the coroutine's own deadline a caller waits for the loop thread to answer at all."""


class LoopThread(Generic[Held]):
    """Runs coroutines on one loop; `held` is what belongs to that loop (a client), made by its first user."""

    def __init__(self) -> None:
        self.forget()
        ref = weakref.ref(self)

        def in_child() -> None:
            inherited = ref()
            if inherited is not None:
                inherited.forget()

        os.register_at_fork(after_in_child=in_child)

    def forget(self) -> None:
        """Start from nothing: in a forked child the thread does not exist and the lock may stay held for ever."""
        self.held: Held | None = None
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None

    def run(self, work: Coroutine[Any, Any, T], deadline_seconds: float) -> T:
        """Run `work` on the loop and return its result. Raises what it raises, or TimeoutError in time."""

        async def bounded() -> T:
            async with asyncio.timeout(deadline_seconds):
                return await work

        future = asyncio.run_coroutine_threadsafe(bounded(), self._running_loop())
        try:
            return future.result(deadline_seconds + _MARGIN_SECONDS)
        except concurrent.futures.CancelledError:
            raise TimeoutError("the loop was stopped") from None
        finally:
            future.cancel()

    def stop(self) -> None:
        """End the loop and its thread; a later `run` starts new ones."""
        with self._lock:
            loop, self._loop, self.held = self._loop, None, None
        if loop is not None:
            loop.call_soon_threadsafe(loop.stop)

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                threading.Thread(target=_serve, args=(self._loop,), name="temporal-loop", daemon=True).start()
            return self._loop


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
    finally:
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()
