"""Spans of what the worker does outside of Temporal, and the trace that a log line belongs to.

Nothing here needs OpenTelemetry until a tracer is installed (worker.temporal.tracing): without one a span is nothing.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar

SpanMaker = Callable[[str, Mapping[str, str]], AbstractContextManager[Callable[[str, str], None]]]
"""Begins a span of this name with these attributes; what it yields adds one more."""

_REMEMBERED: ContextVar[str | None] = ContextVar("trace_id", default=None)
_installed: tuple[SpanMaker, Callable[[], str | None]] | None = None


@contextmanager
def installed(make: SpanMaker, trace_id: Callable[[], str | None]) -> Iterator[None]:
    """Have spans made by `make` in the whole process, and log lines marked with what `trace_id` says."""
    global _installed  # noqa: PLW0603 - one tracer for a process, as OpenTelemetry has it
    _installed = (make, trace_id)
    try:
        yield
    finally:
        _installed = None


def call_span(system: str, method: str, path: str) -> AbstractContextManager[Callable[[str, str], None]]:
    """Return a span about one HTTP call to an outside system. The path is without its query, which may name people."""
    if _installed is None:
        return nullcontext(_nothing)
    return _installed[0](
        f"{method} {system}",
        {"peer.service": system, "http.request.method": method, "url.path": path.partition("?")[0]},
    )


def current_trace_id() -> str | None:
    """Return the id of the trace that is at work here, if there is one."""
    return None if _installed is None else _installed[1]() or _REMEMBERED.get()


def remember_trace() -> None:
    """Have lines of this task that come after its span, such as the SDK's about a failed activity, name the trace too."""
    if _installed is not None:
        _REMEMBERED.set(_installed[1]())


def _nothing(_name: str, _value: str) -> None:
    return
