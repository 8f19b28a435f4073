"""The trace a request belongs to (W3C Trace Context), carried on into the workflow it starts.

A valid `traceparent` is passed on as it came, with its `tracestate`; without one a new, unsampled trace begins, so
that the access log and the workflow share an id either way. The header of the workflow is the one that Temporal's
OpenTelemetry interceptors read, in every language.
"""

import os
import re
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from temporalio.api.common.v1 import Payload
from temporalio.client import (
    Interceptor,
    OutboundInterceptor,
    StartWorkflowUpdateInput,
    WorkflowUpdateHandle,
)

from functions.start_request import payload

HEADER = "_tracer-data"
_PARENT = re.compile(r"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_STATE = re.compile(r"[ -~]{1,512}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Trace:
    """A position in a trace, as its two headers."""

    parent: str
    state: str = ""

    @property
    def trace_id(self) -> str:
        """The trace's id, 32 hexadecimal digits."""
        return self.parent[3:35]

    @property
    def carrier(self) -> dict[str, str]:
        """The headers by their names."""
        return {"traceparent": self.parent} | ({"tracestate": self.state} if self.state else {})


_CURRENT: ContextVar[Trace | None] = ContextVar("trace", default=None)


def enter(parent: str, state: str) -> Trace:
    """Continue the trace that a request's two headers name, or begin one; current until the thread's next call."""
    trace = trace_of(parent, state)
    _CURRENT.set(trace)
    return trace


def continue_in(trace: Trace) -> None:
    """Make `trace` the current one: what is sent from here on belongs to it."""
    _CURRENT.set(trace)


def trace_of(parent: str, state: str = "") -> Trace:
    """Return the trace that the headers name, or a new one when `parent` is not valid."""
    trace = continued(parent, state)
    if trace is not None:
        return trace
    fresh = os.urandom(24).hex()
    return Trace(f"00-{fresh[:32]}-{fresh[32:]}-00")


def continued(parent: str, state: str = "") -> Trace | None:
    """Return the trace that the headers name; None when `parent` is not valid."""
    match = _PARENT.fullmatch(parent.strip())
    if match is None or (match[1] == "00" and match[5]):
        return None
    # What a later version adds is for those who know it: the part that we know is version 00.
    return Trace(f"00-{match[2]}-{match[3]}-{match[4]}", state if _STATE.fullmatch(state) else "")


def header() -> dict[str, Payload]:
    """Return the header of what is sent to Temporal now; empty outside of a trace."""
    trace = _CURRENT.get()
    return {} if trace is None else {HEADER: payload(trace.carrier)}


class TraceInterceptor(Interceptor):
    """Client interceptor: updates carry the current trace. Starts do by functions.start_request."""

    def intercept_client(self, next: OutboundInterceptor) -> OutboundInterceptor:  # noqa: A002 - the SDK's name
        """Wrap the next interceptor."""
        return _Outbound(next)


class _Outbound(OutboundInterceptor):
    async def start_workflow_update(self, input: StartWorkflowUpdateInput) -> WorkflowUpdateHandle[Any]:  # noqa: A002
        input.headers = {**input.headers, **header()}
        return await super().start_workflow_update(input)
