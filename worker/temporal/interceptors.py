"""Around every activity: errors leave in Temporal's shape, attempts are counted, what keeps failing is noted.

An OrdersError becomes an ApplicationError whose type is the error's code and which is retried exactly if the
error says that trying again can help. Anything else stays retryable under its class's name. Messages are bounded
and redacted, and causes are cut off (`from None`): failures are stored in histories, where a driver's statement
with its parameters has no place. The traceback (code only, no values) is kept.
"""

import asyncio
import inspect
import logging
import time
from datetime import UTC, datetime
from typing import Any

from temporalio import activity
from temporalio.exceptions import ApplicationError, CancelledError, FailureError
from temporalio.worker import (
    ActivityInboundInterceptor,
    ActivityOutboundInterceptor,
    ExecuteActivityInput,
    Interceptor,
)

from worker.domain.errors import NoRoom, OrdersError
from worker.domain.stuck import StuckStep
from worker.observability.metrics import Metrics
from worker.observability.progress import Progress
from worker.observability.redaction import redact
from worker.observability.tracing import remember_trace
from worker.services.stuck import StuckSteps

_log = logging.getLogger(__name__)


class ActivityInterceptor(Interceptor):
    """Translates and counts; give one to every worker of a process."""

    def __init__(self, metrics: Metrics, stuck: StuckSteps, progress: Progress | None = None) -> None:
        self._metrics = metrics
        self._stuck = stuck
        self._progress = progress or Progress(1)

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002 - the SDK's name
        """Wrap the next interceptor."""
        return _Inbound(next, self._metrics, self._stuck, self._progress)


class _Inbound(ActivityInboundInterceptor):
    def __init__(
        self, following: ActivityInboundInterceptor, metrics: Metrics, stuck: StuckSteps, progress: Progress
    ) -> None:
        super().__init__(following)
        self._metrics = metrics
        self._stuck = stuck
        self._progress = progress

    def init(self, outbound: ActivityOutboundInterceptor) -> None:
        super().init(_Outbound(outbound, self._progress))

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002 - the SDK's name
        info = activity.info()
        remember_trace()
        began = time.monotonic()
        outcome = "cancelled"
        failure: Exception | None = None
        holds_thread = not inspect.iscoroutinefunction(input.fn)
        if holds_thread:
            self._progress.began()
        try:
            result = await super().execute_activity(input)
            outcome = "completed"
        except (CancelledError, asyncio.CancelledError):
            raise
        except Exception as error:
            failure = translated(error)
            outcome = failure.type if isinstance(failure, ApplicationError) and failure.type else type(failure).__name__
            if failure is error:
                raise
            raise failure.with_traceback(error.__traceback__) from None
        finally:
            if holds_thread:
                self._progress.ended()
            self._metrics.activities.labels(info.task_queue, info.activity_type, outcome).inc()
            self._metrics.activity_seconds.labels(info.task_queue, info.activity_type).observe(time.monotonic() - began)
            self._metrics.last_activity.set_to_current_time()
            if info.attempt > 1 and datetime.now(UTC) - info.scheduled_time > self._stuck.after:
                await self._tell(info, outcome, failure)
        return result

    async def _tell(self, info: activity.Info, outcome: str, failure: Exception | None) -> None:
        """Note that a step keeps failing, or that it is over. A note that cannot be written is no failure of the step."""
        final = failure is None or (isinstance(failure, ApplicationError) and failure.non_retryable)
        run_id, step_id = info.workflow_run_id or "", info.activity_id
        try:
            if final:
                await asyncio.to_thread(self._stuck.got_on, run_id, step_id)
                return
            step = StuckStep(
                run_id=run_id,
                step_id=step_id,
                workflow_id=info.workflow_id or "",
                queue=info.task_queue,
                activity=info.activity_type,
                attempts=info.attempt,
                code=outcome[:128],
                message=failure.message if isinstance(failure, FailureError) else str(failure),
                since=info.scheduled_time,
                failed_at=datetime.now(UTC),
            )
            await asyncio.to_thread(self._stuck.failed, step)
        except OrdersError as problem:
            _log.warning(
                "a stuck step could not be noted", extra={"activity": info.activity_type, "error": problem.code}
            )


class _Outbound(ActivityOutboundInterceptor):
    def __init__(self, following: ActivityOutboundInterceptor, progress: Progress) -> None:
        super().__init__(following)
        self._progress = progress

    def heartbeat(self, *details: Any) -> None:
        self._progress.moved()
        super().heartbeat(*details)


def translated(error: Exception) -> Exception:
    """Return the failure an activity's error leaves as; Temporal's own failures stay as they are.

    The detail of a translated error is its `reason` (a decline code, for example), when it has one.
    """
    if isinstance(error, FailureError):
        return error
    error = NoRoom.told_by(error) or error
    message = redact(str(error)) or type(error).__name__
    if isinstance(error, OrdersError):
        reason = getattr(error, "reason", None)
        details = (redact(reason),) if isinstance(reason, str) else ()
        return ApplicationError(message, *details, type=error.code, non_retryable=not error.retryable)
    return ApplicationError(message, type=type(error).__name__)
