"""A worker that may be killed after any of its calls to the outside: the call has its effect, its caller never hears.

Ports are wrapped where the composition root makes them. Outside `life()` they behave as always, so that what runs
beside the activity under test (an order's own workflow) is not killed with it.

To die after a call that only read is to die after the call before it. A call only read when it was seen to: whatever
it sent was a SELECT or a GET, and no file has changed meanwhile. One that sent nothing we see (a mail, a word to
Temporal) counts as a change.
"""

import inspect
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event

from worker.gateways.http import JsonClient
from worker.gateways.stripe_transport import TracedRequests


class Killed(BaseException):
    """The process ended here. No `except Exception` sees it, as none would see SIGKILL."""


@dataclass
class Life:
    """The calls made so far, the numbers of those since whose predecessor something changed, and the last one."""

    store: Path
    over_after: int | None = None
    calls: list[str] = field(default_factory=list)
    changes: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._files = _files(self.store)
        self._refused_changed = False

    def made(self, call: str, *, changed: bool) -> None:
        self.calls.append(call)
        files = _files(self.store)
        if changed or self._refused_changed or files != self._files:
            self.changes.append(len(self.calls))
        self._files, self._refused_changed = files, False
        if len(self.calls) == self.over_after:
            raise Killed(call)

    def refused(self, *, changed: bool) -> None:
        """Remember what a call that raised may have changed: the next one is died after for both."""
        self._refused_changed |= changed


def _files(folder: Path) -> dict[Path, tuple[int, int]]:
    found: dict[Path, tuple[int, int]] = {}
    for parent, folders, names in os.walk(folder):
        for file in (Path(parent, name) for name in (*folders, *names)):
            with suppress(FileNotFoundError):  # other threads of the worker make and remove files meanwhile
                now = file.stat()
                found[file] = (now.st_mtime_ns, now.st_size)
    return found


_lived: ContextVar[Life | None] = ContextVar("lived", default=None)
_sent: ContextVar[list[bool] | None] = ContextVar("sent", default=None)
"""What the call that is being made has sent so far: for each whether it only reads."""


@contextmanager
def life(store: Path, over_after: int | None = None) -> Iterator[Life]:
    """Count the calls made in this context (threads that it starts included), and die after that many."""
    lived = Life(store, over_after)
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
                with _counted(call):
                    return await found(*arguments, **named)

            return awaited

        def called(*arguments: Any, **named: Any) -> Any:
            with _counted(call):
                return found(*arguments, **named)

        return called


def mortal(make: Callable[..., Any], made: list[Any]) -> Callable[..., Any]:
    """Wrap what a constructor or factory returns (a tuple part by part), and add it to `made`."""

    def wrapped(*arguments: Any, **named: Any) -> Any:
        found = make(*arguments, **named)
        parts = found if isinstance(found, tuple) else (found,)
        made.extend(parts)
        ports = tuple(Mortal(part, type(part).__name__) for part in parts)
        return ports if isinstance(found, tuple) else ports[0]

    return wrapped


@contextmanager
def watched(engine: Engine) -> Iterator[None]:
    """See what calls send to the database, the provider, the shop and the warehouse."""

    def statement(*given: Any) -> None:
        _tell(given[2].lstrip().upper().startswith("SELECT"))

    def requesting(request: Callable[..., Any]) -> Callable[..., Any]:
        def told(client: Any, method: str, *arguments: Any, **named: Any) -> Any:
            _tell(method.upper() == "GET")
            return request(client, method, *arguments, **named)

        return told

    event.listen(engine, "before_cursor_execute", statement)
    try:
        with pytest.MonkeyPatch.context() as patched:
            for client in (JsonClient, TracedRequests):
                patched.setattr(client, "request", requesting(client.request))
            yield
    finally:
        event.remove(engine, "before_cursor_execute", statement)


def _tell(only_reads: bool) -> None:
    sent = _sent.get()
    if sent is not None:
        sent.append(only_reads)


@contextmanager
def _counted(call: str) -> Iterator[None]:
    lived = _lived.get()
    if lived is None:
        yield
        return
    sent: list[bool] = []
    token = _sent.set(sent)
    try:
        yield
    except Exception:
        lived.refused(changed=not sent or not all(sent))
        raise
    finally:
        _sent.reset(token)
    lived.made(call, changed=not sent or not all(sent))
