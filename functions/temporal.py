"""The bridge to Temporal: start a workflow or send an update, from synchronous code, within one deadline.

A start answers only after the server recorded it durably, and names a fact, not a request: the workflow id is
the idempotency key. It is refused when the id was ever used (REJECT_DUPLICATE for closed runs, FAIL for a
running one, so that "already there" is one exception and never a guess), and the fingerprint in the memo of
what exists tells whether it was the same request.

Every way of not reaching the server (not connected, hung, refused, slow) becomes TemporalUnavailable: 503, the
sender tries again, and the workflow id makes that safe.
"""

import asyncio
import dataclasses
import logging
import os
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

from temporalio.client import (
    Client,
    RPCError,
    RPCTimeoutOrCancelledError,
    WorkflowExecutionStatus,
    WorkflowFailureError,
    WorkflowUpdateFailedError,
)
from temporalio.common import Priority, TypedSearchAttributes, WorkflowIDReusePolicy
from temporalio.converter import DataConverter
from temporalio.exceptions import ActivityError, ApplicationError
from temporalio.runtime import Runtime, TelemetryConfig
from temporalio.service import RetryConfig, RPCStatusCode, TLSConfig

from functions import tracing
from functions.event_loop import Loop, LoopThread
from functions.payload_codec import SealingCodec
from functions.problems import Conflict, Ended, NotFound, Problem, RateLimited, TemporalUnavailable, Unprocessable
from functions.start_request import start_request
from worker.contract.names import FINGERPRINT_MEMO, Queue, Urgency, WorkflowType
from worker.contract.sealing import SealError
from worker.contract.temporal_tls import TemporalConfig, tls_pieces

_log = logging.getLogger(__name__)

T = TypeVar("T")

_PROBE_SECONDS = 1.0

_REFUSALS: Mapping[str, tuple[type[Problem], str]] = {
    "conflict": (Conflict, "its present state does not allow this"),
    # The server's own type, for an update whose workflow ended before it was answered.
    "AcceptedUpdateCompletedWorkflow": (Ended, "it ended before this was done"),
    "not_found": (NotFound, "there is no such thing"),
    "provider_rejected": (Conflict, "the payment provider refuses it"),
    "payment_declined": (Conflict, "the payment provider refuses it"),
    # The SDK's own type, for an update that a worker of an older release cannot read or does not know.
    "RuntimeError": (TemporalUnavailable, "the workers are being changed and do not know this yet"),
}
"""What a refusal is to the caller, by the failure's type (the worker's error codes); others are 422."""

_URGENCY: Mapping[WorkflowType, Urgency] = {
    WorkflowType.ORDER: Urgency.ORDER,
    WorkflowType.REFUND: Urgency.ORDER,
    WorkflowType.PROVIDER_EVENT: Urgency.EVENT,
    WorkflowType.USER: Urgency.USER,
    WorkflowType.ADDRESS_CHANGE: Urgency.USER,
    WorkflowType.RECONCILIATION: Urgency.BACKGROUND,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """One workflow to start. `fingerprint` identifies the request; `argument` is the workflow's input.

    An input that concerns a shop names it as `shop`: queues share their workers fairly between shops.
    """

    workflow: WorkflowType
    workflow_id: str
    queue: Queue
    argument: Any
    fingerprint: str
    summary: str
    search_attributes: TypedSearchAttributes = TypedSearchAttributes.empty
    again_after_failure: bool = False
    """Whether the id is free again when its run failed: for work whose failure means that nothing happened."""

    @property
    def priority(self) -> Priority:
        """Who goes first when a queue has a backlog. The server takes 64 bytes of a fairness key."""
        shop = getattr(self.argument, "shop", None)
        return Priority(priority_key=int(_URGENCY[self.workflow]), fairness_key=shop[:64] if shop else None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """What a start found: a new run, or (`duplicate`) a workflow with this id, running or closed.

    `existing_fingerprint` is the other request's; None for a new run, or when the existing one has none
    because something else than these functions started it.
    """

    duplicate: bool
    existing_fingerprint: str | None = None


class Temporal:
    """The bridge. One instance serves all requests of a process; it connects with the first call.

    Its loop is a thread of its own (Lambda, tests), or the one that serves (gunicorn), see `run_on`.
    """

    def __init__(self, config: TemporalConfig, deadline_ms: int, codec: SealingCodec | None = None) -> None:
        self._config = config
        self._codec = codec
        self._deadline_ms = deadline_ms
        self._loop: Loop[Client] = LoopThread()

    def run_on(self, loop: Loop[Client]) -> None:
        """Use `loop` instead of a thread of our own. To be called before anything else."""
        self._loop = loop

    def start(self, start: Start) -> Started:
        """Start a workflow, or find the one that has its id. Raises TemporalUnavailable."""
        return self._call(self._start(start))

    def deadline(self) -> float:
        """Return when a request that begins now must have its answer: for calls that follow one another."""
        return time.monotonic() + self._deadline_ms / 1000

    def run(self, start: Start, *, answer: type[T], until: float | None = None) -> T:
        """Start a workflow, or find the one that has its id, and return its result.

        `until` is a `deadline`, where it is not one of its own that begins now, here and in `update`.
        Raises Conflict (the id was used for another request, or the workflow was refused by the thing's state),
        NotFound, Unprocessable, TemporalUnavailable (also when there is no result in time: ask again).
        """

        async def work() -> T:
            started = await self._start(start)
            if started.duplicate and started.existing_fingerprint != start.fingerprint:
                raise Conflict("this id was used before, for another request")
            client = await self._client()
            handle: Any = client.get_workflow_handle(start.workflow_id, result_type=answer)
            try:
                result: T = await handle.result(rpc_timeout=self._rpc_timeout)
            except WorkflowFailureError as error:
                raise _refused(error.cause) from None
            return result

        return self._call(work(), until)

    async def _start(self, start: Start) -> Started:
        client = await self._client()
        reuse = WorkflowIDReusePolicy
        request = start_request(
            namespace=client.namespace,
            identity=client.identity,
            workflow=str(start.workflow),
            workflow_id=start.workflow_id,
            queue=str(start.queue),
            argument=start.argument,
            reuse=reuse.ALLOW_DUPLICATE_FAILED_ONLY if start.again_after_failure else reuse.REJECT_DUPLICATE,
            memo={FINGERPRINT_MEMO: start.fingerprint},
            header=tracing.header(),
            summary=start.summary,
            priority=start.priority,
            search_attributes=start.search_attributes,
            codec=self._codec,
        )
        try:
            await client.workflow_service.start_workflow_execution(request, retry=True, timeout=self._rpc_timeout)
        except RPCError as error:
            if error.status is not RPCStatusCode.ALREADY_EXISTS:
                raise
            description = await client.get_workflow_handle(start.workflow_id).describe(rpc_timeout=self._rpc_timeout)
            existing = (await description.memo()).get(FINGERPRINT_MEMO)
            return Started(duplicate=True, existing_fingerprint=existing if isinstance(existing, str) else None)
        return Started(duplicate=False)

    def update(
        self,
        workflow_id: str,
        update: str,
        argument: Any,
        *,
        update_id: str,
        answer: type[T],
        until: float | None = None,
    ) -> T:
        """Send an update and return its answer; the same `update_id` again returns the first answer.

        Raises NotFound (no such workflow), Ended, Conflict (its state forbids it), Unprocessable (the workflow
        refused the argument), TemporalUnavailable (also when no worker answered in time).
        """

        async def work() -> T:
            client = await self._client()
            handle: Any = client.get_workflow_handle(workflow_id)
            try:
                result: T = await handle.execute_update(
                    update, argument, id=update_id, result_type=answer, rpc_timeout=self._rpc_timeout
                )
            except WorkflowUpdateFailedError as error:
                raise _refused(error.cause) from None
            except RPCError as error:
                if error.status is not RPCStatusCode.NOT_FOUND:
                    raise
                raise await self._gone(handle) from None
            return result

        return self._call(work(), until)

    async def reachable(self) -> bool:
        """Tell whether the server answers a health check within a second. Awaited on the loop, as by `found`."""
        try:
            async with asyncio.timeout(_PROBE_SECONDS):
                client = await self._client()
                return await client.service_client.check_health(timeout=timedelta(seconds=_PROBE_SECONDS))
        except (RPCError, RuntimeError, TimeoutError):
            return False

    def found(self, look: Callable[[], Coroutine[Any, Any, bool]], seconds: float) -> bool:
        """Return what `look` finds, called on the loop; False when it has found nothing after so many seconds."""
        try:
            return self._loop.run(look(), seconds)
        except TimeoutError:
            return False

    def close(self) -> None:
        """Forget the connection and end its thread."""
        self._loop.stop()

    @property
    def _rpc_timeout(self) -> timedelta:
        return timedelta(milliseconds=self._deadline_ms)

    async def _client(self) -> Client:
        if self._loop.held is None:
            # Lazy: a server that is away now must not stop this process from starting. The runtime is our own,
            # because the default one does not survive a fork of the process that first used it.
            self._loop.held = await Client.connect(
                self._config.address,
                namespace=self._config.namespace,
                tls=_tls(self._config),
                api_key=self._config.api_key.reveal() if self._config.api_key else None,
                identity=f"functions@{os.getpid()}",
                lazy=True,
                data_converter=dataclasses.replace(DataConverter.default, payload_codec=self._codec),
                interceptors=[tracing.TraceInterceptor()],
                connect_timeout=self._rpc_timeout,
                retry_config=RetryConfig(
                    initial_interval_millis=50,
                    max_interval_millis=500,
                    max_elapsed_time_millis=int(self._deadline_ms * 0.8),
                    max_retries=10,
                ),
                runtime=Runtime(telemetry=TelemetryConfig()),
            )
        return self._loop.held

    async def _gone(self, handle: Any) -> Problem:
        """Return which it is: the server says NOT_FOUND for an unknown workflow and for one that has ended."""
        try:
            description = await handle.describe(rpc_timeout=self._rpc_timeout)
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return NotFound("there is no such thing")
            raise
        if description.status is WorkflowExecutionStatus.RUNNING:
            return TemporalUnavailable("it was started just now; send the request again")
        return Ended("it has ended and cannot be changed any more")

    def _call(self, work: Coroutine[Any, Any, T], until: float | None = None) -> T:
        """Run `work` within the deadline; what goes wrong on the way to the server is TemporalUnavailable."""
        seconds = self._deadline_ms / 1000 if until is None else max(0.0, until - time.monotonic())
        try:
            return self._loop.run(work, seconds)
        except RPCError as error:
            reason = error.status.name
        except (TimeoutError, RPCTimeoutOrCancelledError):
            reason = "DEADLINE"
        except RuntimeError:
            reason = "NOT_CONNECTED"
        except SealError as error:
            # Keys that are being changed: whoever lacks one gets it soon. The message names it and nothing else.
            reason = str(error)
        _log.warning("temporal did not answer", extra={"fields": {"reason": reason}})
        raise TemporalUnavailable("the request could not be recorded now; send it again")


def _refused(cause: BaseException | None) -> Problem:
    if isinstance(cause, ActivityError):
        cause = cause.cause
    kind = cause.type if isinstance(cause, ApplicationError) else None
    if isinstance(cause, ApplicationError) and kind == "too_soon":
        seconds = cause.details[0] if cause.details and isinstance(cause.details[0], int) else 60
        return RateLimited("it was done a moment ago; ask again later", retry_after_seconds=seconds)
    problem, detail = _REFUSALS.get(kind or "", (Unprocessable, "it was refused"))
    return problem(detail)


def _tls(config: TemporalConfig) -> bool | TLSConfig:
    pieces = tls_pieces(config)
    if pieces is None:
        return False
    return TLSConfig(
        server_root_ca_cert=pieces.server_root_ca_cert,
        domain=pieces.domain,
        client_cert=pieces.client_cert,
        client_private_key=pieces.client_private_key,
    )
