"""The function's own span: the first of a trace, or the child of its caller's. Loaded only where spans are wanted.

An observer of the access log: what the line says of a request is what its span says.
"""

import os
import random
import time
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass

from functions.tracing import Trace, continue_in, continued
from worker.contract.spans import Kind, Span, SpanWriter

_TOLD = ("route", "source", "status", "outcome", "problem", "rejection", "workflow_id", "event_id", "request_id")
"""What of the access log's line goes into the span."""


@dataclass(frozen=True, slots=True)
class _Begun:
    trace: Trace
    parent_id: str
    start_ns: int


_BEGUN: ContextVar[_Begun | None] = ContextVar("begun", default=None)


class Spans:
    """Begins a span for each request, and writes it when the request has ended."""

    def __init__(self, writer: SpanWriter, sample_per_mille: int) -> None:
        self._writer = writer
        self._sample_per_mille = sample_per_mille

    def enter(self, parent: str, state: str) -> Trace:
        """Do as `tracing.enter` does, with a span of our own between the caller's and the workflow's."""
        given = continued(parent, state)
        if given is None:
            sampled = random.randrange(1000) < self._sample_per_mille
            trace_id, parent_id, flags = os.urandom(16).hex(), "", "01" if sampled else "00"
        else:
            trace_id, parent_id, flags = given.trace_id, given.parent[36:52], given.parent[53:55]
        trace = Trace(f"00-{trace_id}-{os.urandom(8).hex()}-{flags}", "" if given is None else given.state)
        continue_in(trace)
        _BEGUN.set(_Begun(trace, parent_id, time.time_ns()))
        return trace

    def began(self) -> None:
        """Forget the request that this thread served before."""
        _BEGUN.set(None)

    def ended(self, status: int | None, seconds: float, notes: Mapping[str, object]) -> None:
        """Write the span of a request, if its trace is one that is kept."""
        del seconds
        begun = _BEGUN.get()
        if begun is None or not int(begun.trace.parent[53:55], 16) & 1:
            return
        told = {"status": status, **notes}
        self._writer.put(
            Span(
                trace_id=begun.trace.trace_id,
                span_id=begun.trace.parent[36:52],
                parent_id=begun.parent_id,
                name=f"{notes.get('method', 'POST')} {notes.get('route', '')}",
                kind=Kind.SERVER,
                start_ns=begun.start_ns,
                end_ns=time.time_ns(),
                failed=status is None or status >= 500,
                attributes={key: str(told[key]) for key in _TOLD if told.get(key) not in (None, "")},
            )
        )
