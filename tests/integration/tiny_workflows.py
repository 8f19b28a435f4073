"""Stand-ins as small as they can be, under the contract's names: what the Temporal edge is tested with."""

from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy, SearchAttributeKey
from temporalio.exceptions import ApplicationError

from worker.contract.events import EventResult, ProviderEvent
from worker.contract.orders import OrderAnswer, OrderEvent, PlaceOrder
from worker.contract.reconciliation import Reconcile
from worker.domain.errors import InvalidOrder

_NOMINAL = SearchAttributeKey.for_datetime("TemporalScheduledStartTime")


@workflow.defn(name="OrderWorkflow")
class TinyOrder:
    """Collects events until it is shipped; refuses what it cannot take. An order without lines fails."""

    def __init__(self) -> None:
        self.kinds: list[str] = []
        self.over = False

    @workflow.run
    async def run(self, order: PlaceOrder) -> list[str]:
        if not order.lines:
            raise InvalidOrder(("it has no lines",))
        await workflow.wait_condition(lambda: self.over and workflow.all_handlers_finished())
        return self.kinds

    @workflow.update
    async def deliver_event(self, event: OrderEvent) -> OrderAnswer:
        if event.detail == "never answer":
            await workflow.wait_condition(lambda: self.over)
        if event.detail == "refuse":
            raise ApplicationError("not in this state", type="conflict", non_retryable=True)
        self.kinds.append(str(event.kind))
        self.over = event.kind == "shipped"
        return OrderAnswer(outcome="applied", state="shipped" if self.over else "paying")


@workflow.defn(name="ProviderEventWorkflow")
class TinyEvent:
    """Ends at once."""

    @workflow.run
    async def run(self, event: ProviderEvent) -> EventResult:
        return EventResult(outcome="ignored", detail=event.topic)


@workflow.defn(name="Tiny")
class TinyActivity:
    """Runs one activity by name; answers with its result. `attempts` 0 means no bound."""

    @workflow.run
    async def run(self, name: str, attempts: int) -> int:
        result: int = await workflow.execute_activity(
            name,
            start_to_close_timeout=timedelta(seconds=30),
            retry_policy=RetryPolicy(
                initial_interval=timedelta(milliseconds=10), backoff_coefficient=1, maximum_attempts=attempts
            ),
        )
        return result


@workflow.defn(name="TinyLocal")
class TinyLocalActivity:
    """Runs one activity by name within its workflow task, once; answers with its result."""

    @workflow.run
    async def run(self, name: str) -> int:
        result: int = await workflow.execute_local_activity(
            name,
            start_to_close_timeout=timedelta(seconds=30),
            retry_policy=RetryPolicy(maximum_attempts=1),
            cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
        )
        return result


@workflow.defn(name="ReconciliationWorkflow")
class TinyReconciliation:
    """Answers with its input and the nominal time it was started for."""

    @workflow.run
    async def run(self, request: Reconcile) -> list[str]:
        nominal = workflow.info().typed_search_attributes.get(_NOMINAL)
        return [request.shop, request.requested_by, str(request.offset_seconds), nominal.isoformat() if nominal else ""]
