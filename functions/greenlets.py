"""Synchronous code on an event loop: it waits for a coroutine without a thread to wait in.

`run` calls a function in a greenlet, a stack of its own on the loop's thread. Where the function asks `wait_for` for a
coroutine its stack is put aside, the loop goes on with whatever else there is, and takes the stack up again with the
coroutine's result. So a request costs no thread, no hand-over between threads and no queueing for Python's lock, which
together were half of what one cost. The function must not wait in any other way: everybody would wait with it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Generic, TypeVar

from greenlet import getcurrent, greenlet

T = TypeVar("T")
Held = TypeVar("Held")


class _Stack(greenlet):  # type: ignore[misc]  # the library has no types
    """A function under way. It shares the context variables of the task that runs it, in both directions."""

    def __init__(self, work: Callable[[], Any]) -> None:
        self.hub = getcurrent()
        super().__init__(work, self.hub)
        self.gr_context = self.hub.gr_context


async def run(work: Callable[[], T]) -> T:
    """Call `work` in a greenlet and return what it returns. A cancellation is raised where it waits."""
    stack = _Stack(work)
    asked: Any = stack.switch()
    while not stack.dead:
        try:
            answer = await asked
        except BaseException as error:
            asked = stack.throw(error)
        else:
            asked = stack.switch(answer)
    result: T = asked
    return result


def wait_for(asked: Awaitable[T]) -> T:
    """Return the awaitable's result, or raise what it raises. RuntimeError anywhere but below `run`."""
    hub = getattr(getcurrent(), "hub", None)
    if hub is None:
        raise RuntimeError("only what functions.greenlets.run has called can wait")
    result: T = hub.switch(asked)
    return result


class ServingLoop(Generic[Held]):
    """The loop that serves the requests also runs what they wait for (functions.event_loop.Loop)."""

    def __init__(self) -> None:
        self.held: Held | None = None

    def run(self, work: Coroutine[Any, Any, T], deadline_seconds: float) -> T:
        """Run `work` and return its result. Raises what it raises, or TimeoutError in time."""

        async def bounded() -> T:
            async with asyncio.timeout(deadline_seconds):
                return await work

        return wait_for(bounded())

    def stop(self) -> None:
        """Forget what was held; the loop is not ours to end."""
        self.held = None
