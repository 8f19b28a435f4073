"""The trace a request belongs to (W3C Trace Context), carried on into the workflow it starts.

A valid `traceparent` is passed on as it came, with its `tracestate`; without one a new, unsampled trace begins, so
that the access log and the workflow share an id either way. The header of the workflow is the one that Temporal's
OpenTelemetry interceptors read, in every language.
"""

import re
import secrets
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, TypeVar

from temporalio.api.common.v1 import Payload
from temporalio.client import (
    Interceptor,
    OutboundInterceptor,
    StartWorkflowInput,
    StartWorkflowUpdateInput,
    WorkflowHandle,
    WorkflowUpdateHandle,
)
from temporalio.converter import PayloadConverter

HEADER = "_tracer-data"
_PARENT = re.compile(r"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_STATE = re.compile(r"[ -~]{1,512}", re.ASCII)

Asked = TypeVar("Asked", StartWorkflowInput, StartWorkflowUpdateInput)


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


def trace_of(parent: str, state: str = "") -> Trace:
    """Return the trace that the headers name, or a new one when `parent` is not valid."""
    match = _PARENT.fullmatch(parent.strip())
    if match is None or (match[1] == "00" and match[5]):
        return Trace(f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-00")
    # What a later version adds is for those who know it: the part that we know is version 00.
    return Trace(f"00-{match[2]}-{match[3]}-{match[4]}", state if _STATE.fullmatch(state) else "")


class TraceInterceptor(Interceptor):
    """Client interceptor: starts and updates carry the current trace."""

    def intercept_client(self, next: OutboundInterceptor) -> OutboundInterceptor:  # noqa: A002 - the SDK's name
        """Wrap the next interceptor."""
        return _Outbound(next)


class _Outbound(OutboundInterceptor):
    async def start_workflow(self, input: StartWorkflowInput) -> WorkflowHandle[Any, Any]:  # noqa: A002
        return await super().start_workflow(_with_trace(input))

    async def start_workflow_update(self, input: StartWorkflowUpdateInput) -> WorkflowUpdateHandle[Any]:  # noqa: A002
        return await super().start_workflow_update(_with_trace(input))


def _with_trace(asked: Asked) -> Asked:
    trace = _CURRENT.get()
    if trace is not None:
        asked.headers = {**asked.headers, HEADER: _payload(trace)}
    return asked


def _payload(trace: Trace) -> Payload:
    return PayloadConverter.default.to_payload(trace.carrier)
