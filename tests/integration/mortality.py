"""A worker that may be killed after any of its calls to the outside: the call has its effect, its caller never hears.

Ports are wrapped where the composition root makes them. Outside `life()` they behave as always, so that what runs
beside the activity under test (an order's own workflow) is not killed with it.
"""

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any


class Killed(BaseException):
    """The process ended here. No `except Exception` sees it, as none would see SIGKILL."""


@dataclass
class Life:
    """The calls made so far, and the one after which it is over."""

    over_after: int | None = None
    calls: list[str] = field(default_factory=list)

    def made(self, call: str) -> None:
        self.calls.append(call)
        if len(self.calls) == self.over_after:
            raise Killed(call)


_lived: ContextVar[Life | None] = ContextVar("lived", default=None)


@contextmanager
def life(over_after: int | None = None) -> Iterator[Life]:
    """Count the calls made in this context (threads that it starts included), and die after that many."""
    lived = Life(over_after)
    token = _lived.set(lived)
    try:
        yield lived
    finally:
        _lived.reset(token)


class Mortal:
    """A port every call of which may be the last."""

    def __init__(self, port: Any, name: str) -> None:
        self._port = port
        self._name = name

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._port, name)
        if not callable(found):
            return found
        call = f"{self._name}.{name}"
        if inspect.iscoroutinefunction(found):

            async def awaited(*arguments: Any, **named: Any) -> Any:
                return _survived(call, await found(*arguments, **named))

            return awaited
        return lambda *arguments, **named: _survived(call, found(*arguments, **named))


def mortal(make: Callable[..., Any], made: list[Any]) -> Callable[..., Any]:
    """Wrap what a constructor or factory returns (a tuple part by part), and add it to `made`."""

    def wrapped(*arguments: Any, **named: Any) -> Any:
        found = make(*arguments, **named)
        parts = found if isinstance(found, tuple) else (found,)
        made.extend(parts)
        ports = tuple(Mortal(part, type(part).__name__) for part in parts)
        return ports if isinstance(found, tuple) else ports[0]

    return wrapped


def _survived(call: str, result: Any) -> Any:
    lived = _lived.get()
    if lived is not None:
        lived.made(call)
    return result
