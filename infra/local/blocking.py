"""A Stack for code without an event loop of its own: tests' session fixtures, and tests whose loops come and go."""

import asyncio
import threading
from collections.abc import Coroutine, Mapping
from types import TracebackType
from typing import Any, Self, TypeVar

from infra.local.commandline import Finished
from infra.local.faultproxy import FaultProxy
from infra.local.stack import Stack
from infra.local.supervised import Supervised

T = TypeVar("T")


class BlockingStack:
    """Runs `stack` in a thread of its own; every method waits for its result and may be called from any thread."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="stack", daemon=True)

    def __enter__(self) -> Self:
        """Start everything; errors as of `Stack`."""
        self._thread.start()
        try:
            self._wait(self._stack.__aenter__())
        except BaseException:
            self._end_loop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop everything; errors as of `Stack`."""
        try:
            self._wait(self._stack.__aexit__(kind, error, trace))
        finally:
            self._end_loop()

    @property
    def urls(self) -> dict[str, str]:
        """As of `Stack`."""
        return self._stack.urls

    def url(self, name: str) -> str:
        """As of `Stack`."""
        return self._stack.url(name)

    @property
    def env(self) -> dict[str, str]:
        """As of `Stack`."""
        return self._stack.env

    @property
    def api_key(self) -> str:
        """As of `Stack`."""
        return self._stack.api_key

    @property
    def stack(self) -> Stack:
        """The stack itself, for reading; its coroutines belong to the other thread."""
        return self._stack

    def member(self, name: str) -> Supervised:
        """As of `Stack`."""
        return self._stack.member(name)

    def proxy(self, target: str) -> FaultProxy:
        """As of `Stack`; a FaultProxy may be used from any thread."""
        return self._stack.proxy(target)

    def kill(self, name: str) -> None:
        """As of `Stack`."""
        self._wait(self._stack.kill(name))

    def stop(self, name: str) -> bool:
        """As of `Stack`."""
        return self._wait(self._stack.stop(name))

    def start(self, name: str) -> None:
        """As of `Stack`."""
        self._wait(self._stack.start(name))

    def restart(self, name: str) -> None:
        """As of `Stack`."""
        self._wait(self._stack.restart(name))

    def pause(self, name: str) -> None:
        """As of `Stack`."""
        self._wait(self._stack.pause(name))

    def resume(self, name: str) -> None:
        """As of `Stack`."""
        self._wait(self._stack.resume(name))

    def cli(self, *arguments: str, seconds: float = 60.0, env: Mapping[str, str] | None = None) -> Finished:
        """As of `Stack`."""
        return self._wait(self._stack.cli(*arguments, seconds=seconds, env=env))

    def check(self) -> None:
        """As of `Stack`."""
        self._stack.check()

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def _end_loop(self) -> None:
        async def last() -> None:
            await asyncio.get_running_loop().shutdown_asyncgens()
            await asyncio.get_running_loop().shutdown_default_executor()

        self._wait(last())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
