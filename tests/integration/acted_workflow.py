"""The order's own workflow, acted by processes that take turns: its code and its activities are the real ones.

In the place of Temporal stands what the workflow sees of it: activities are done in the process that asks for them, tried
again when they may be, and one that is too slow goes on in a process of its own beside the next try. A wait is over when
what is waited for is so, or when the test has its time pass. Nothing is recorded: whether a history is replayed is the
replay tests' to say, what may happen between two calls to the outside is said here.
"""

import asyncio
import logging
import sys
from collections.abc import Callable, Coroutine
from dataclasses import replace
from datetime import datetime, timedelta
from threading import current_thread
from types import SimpleNamespace, TracebackType
from typing import Any, Protocol, Self

import pytest
from temporalio.exceptions import ActivityError, FailureError, RetryState, TimeoutType
from temporalio.exceptions import TimeoutError as StepTimeout
from temporalio.testing import ActivityEnvironment

from tests.integration.turns import Turns
from worker.contract.orders import PlaceOrder
from worker.domain.errors import OrdersError
from worker.temporal.interceptors import translated
from worker.workflows.carrying import OrderInput
from worker.workflows.order import OrderWorkflow

PROCESS = "order"
"""The name of the process that is to `run`."""
TRIES = 12
"""Far more than any story has troubles."""


class Slow(Protocol):
    """Says which try of an activity is given up while it still runs, and how late that is noticed."""

    def stalls(self, activity: str) -> timedelta | None:
        """Return after what time the first try of an activity is not waited for any more; None when it is."""


class _Turn:
    """A lock that is waited for in turns."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self._held = False

    async def __aenter__(self) -> None:
        self._turns.until(lambda: not self._held, "waits for its turn")
        self._held = True

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._held = False


class ActedWorkflow:
    """`with ActedWorkflow(...) as acted:` one run of OrderWorkflow, and its messages."""

    def __init__(self, turns: Turns, place: PlaceOrder, activities: list[object], slow: Slow, now: datetime) -> None:
        self.now = now
        self.done = False
        """Whether the run is over: what comes then comes too late for it."""
        self._turns = turns
        self._place = place
        self._owners = {type(each).__name__: each for each in activities}
        self._slow = slow
        self._messages = 0
        self._cancelled = False
        self._told_of_it = False
        self._patch = pytest.MonkeyPatch()

    def __enter__(self) -> Self:
        stage = SimpleNamespace(
            execute_activity_method=self._remote,
            execute_local_activity_method=self._local,
            wait_condition=self._wait_condition,
            all_handlers_finished=lambda: self._messages == 0,
            cancellation_reason=lambda: "ended" if self._cancelled else None,
            patched=lambda _: True,
            info=lambda: SimpleNamespace(workflow_id=self.workflow_id, is_continue_as_new_suggested=lambda: False),
            now=lambda: self.now,
            upsert_search_attributes=lambda _: None,
            set_current_details=lambda _: None,
            logger=logging.getLogger(__name__),
        )
        for name, module in list(sys.modules.items()):
            if name.startswith("worker.workflows.") and hasattr(module, "workflow"):
                self._patch.setattr(module, "workflow", stage)
        # Nothing cancels what is awaited here but `_wait_condition`, once.
        self._patch.setattr("worker.workflows.order.shielded", _awaited)
        self.order = OrderWorkflow(OrderInput(**{name: getattr(self._place, name) for name in _FIELDS}))
        for part in (self.order._refunds, self.order._lines, self.order._addresses):
            self._patch.setattr(part, "turn", _Turn(self._turns))
        return self

    def __exit__(self, *_: object) -> None:
        self._patch.undo()

    @property
    def workflow_id(self) -> str:
        return f"order/{self._place.shop}/{self._place.order_id}"

    @property
    def state(self) -> str:
        """Where the run believes that its order stands; empty before it is recorded."""
        status = self.order.status()
        return status.state if status else ""

    def run(self) -> None:
        """Be the order's process, to its end."""
        try:
            _through(self.order.run(OrderInput(**{name: getattr(self._place, name) for name in _FIELDS})))
        except asyncio.CancelledError:
            self._turns.story.append("order was ended")
        finally:
            self.done = True

    def end_early(self) -> None:
        """Cancel the process itself, as an operator may."""
        self._cancelled = True

    def message(self, name: str, given: Any) -> Any:
        """Be the handler of an update, by its method's name. Raises what it is refused with."""
        if name in _VALIDATORS:
            getattr(self.order, _VALIDATORS[name])(given)
        self._messages += 1
        try:
            return _through(getattr(self.order, name)(given))
        finally:
            self._messages -= 1

    async def _remote(self, method: Callable[..., Any], given: Any, *, retry_policy: Any, **_: Any) -> Any:
        try:
            return self._done(method, given, retry_policy.maximum_attempts or TRIES)
        except FailureError as failure:
            raise _failed(method.__name__) from failure

    async def _local(self, method: Callable[..., Any], given: Any, *, retry_policy: Any, **_: Any) -> Any:
        return self._done(method, given, retry_policy.maximum_attempts or TRIES)

    def _done(self, method: Callable[..., Any], given: Any, tries: int) -> Any:
        name = method.__name__
        late = self._slow.stalls(name)
        for attempt in range(1, tries + 1):
            if late is not None and attempt == 1:
                self._turns.process(f"slow {name}", lambda: self._left_alone(method, given))
                cancelled = self._cancelled
                self._turns.at(f"waits for {name}")
                self.now += late
                # A step that is to be cancelled is not tried again when it is given up.
                if cancelled is not self._cancelled and current_thread().name == PROCESS:
                    raise StepTimeout(f"{name} timed out", type=TimeoutType.START_TO_CLOSE, last_heartbeat_details=[])
                continue
            try:
                return self._once(method, given, attempt)
            except OrdersError as problem:
                failure = translated(problem)
                self._turns.story.append(f"{name} failed: {problem}")
                if not problem.retryable or attempt == tries:
                    raise failure from None
        raise AssertionError(self._turns.story)

    def _left_alone(self, method: Callable[..., Any], given: Any) -> None:
        """Be a try that nobody waits for any more."""
        try:
            self._once(method, given, 1)
        except OrdersError as problem:
            self._turns.story.append(f"slow {method.__name__} failed: {problem}")

    def _once(self, method: Callable[..., Any], given: Any, attempt: int) -> Any:
        environment = ActivityEnvironment()
        environment.info = replace(environment.info, attempt=attempt)
        owner = self._owners[method.__qualname__.partition(".")[0]]
        return environment.run(getattr(owner, method.__name__), given)

    async def _wait_condition(
        self,
        over: Callable[[], bool],
        *,
        timeout: timedelta | None = None,  # noqa: ASYNC109 - the SDK's name
        timeout_summary: str = "",
    ) -> None:
        own = current_thread().name == PROCESS

        def ended() -> bool:
            return own and self._cancelled and not self._told_of_it

        def ready() -> bool:
            return over() or ended()

        so = self._turns.until(ready, f"waits: {timeout_summary or 'for something'}", gives_up=timeout is not None)
        if ended():
            self._told_of_it = True
            raise asyncio.CancelledError
        if not so:
            self.now += timeout or timedelta()
            raise TimeoutError


_VALIDATORS = {"cancel": "_may_cancel", "refund": "_may_refund", "retry_payment": "_may_retry_payment"}
_FIELDS = list(PlaceOrder.__dataclass_fields__)


async def _awaited(work: Coroutine[Any, Any, None]) -> None:
    await work


def _through(work: Coroutine[Any, Any, Any]) -> Any:
    """Go through a coroutine in which nothing is ever pending: whoever waits stands still as a whole."""
    try:
        work.send(None)
    except StopIteration as done:
        return done.value
    raise AssertionError("something was awaited that takes no turns")


def _failed(name: str) -> ActivityError:
    return ActivityError(
        f"{name} failed",
        scheduled_event_id=0,
        started_event_id=0,
        identity="",
        activity_type=name,
        activity_id="",
        retry_state=RetryState.NON_RETRYABLE_FAILURE,
    )
