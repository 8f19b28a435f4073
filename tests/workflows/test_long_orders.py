"""An order that hears a great deal goes on as a new run, and nothing of what it owes anybody is lost on the way."""

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowUpdateFailedError
from temporalio.testing import WorkflowEnvironment

from tests.workflows.doubles import DAY, OrderDoubles, activities_of
from tests.workflows.order_run import OrderRun, refused_as, start_order, steps
from tests.workflows.refund_doubles import RefundDoubles
from tests.workflows.samples import CHARGED, COLLECTED
from tests.workflows.timeskipping import LONG_HISTORY, serving
from worker.contract.names import OrderMessage
from worker.contract.orders import OrderEventKind, RefundAnswer, RefundOrder
from worker.domain.order import OrderState
from worker.workflows.order import OrderWorkflow

pytestmark = pytest.mark.asyncio(loop_scope="session")

EVENTS = 40


async def histories(run: OrderRun) -> list[int]:
    """Return the length of each run's history, the first run's first."""
    lengths = []
    run_id = run.handle.first_execution_run_id
    while run_id:
        handle = run.env.client.get_workflow_handle(run.handle.id, run_id=run_id)
        events = [event async for event in handle.fetch_history_events()]
        lengths.append(len(events))
        last = events[-1]
        went_on = last.event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW
        run_id = last.workflow_execution_continued_as_new_event_attributes.new_execution_run_id if went_on else ""
    return lengths


async def refund(run: OrderRun, request: str, amount: int) -> RefundAnswer:
    wish = RefundOrder(request_id=request, requested_by="alice", amount_minor=amount)
    answer: RefundAnswer = await run.handle.execute_update(OrderMessage.REFUND, wish, result_type=RefundAnswer)
    return answer


async def test_no_history_grows_without_a_limit_and_the_new_run_knows_what_the_old_one_did(
    env: WorkflowEnvironment,
) -> None:
    doubles = OrderDoubles()
    refunds = RefundDoubles(doubles)
    activities = [*activities_of(doubles), *activities_of(refunds)]
    async with serving(env.client, [OrderWorkflow], activities) as queue:
        run = await start_order(env, queue, CHARGED)
        await run.standing(OrderState.FULFILLING)
        assert (await refund(run, "early", 100)).outcome == "applied"
        heard = [await run.deliver(OrderEventKind.REFUNDED, f"evt-{number}") for number in range(EVENTS)]
        assert {answer.state for answer in heard} == {"fulfilling"}
        lengths = await histories(run)
        assert len(lengths) > 2
        assert max(lengths) < LONG_HISTORY + 60

        again = await run.deliver(OrderEventKind.REFUNDED, "evt-0")
        assert again.outcome == "duplicate"
        assert (await refund(run, "early", 100)).outcome == "duplicate"
        with pytest.raises(WorkflowUpdateFailedError) as refused:
            await refund(run, "early", 200)
        assert refused_as(refused.value) == "conflict"
        assert refunds.made.keys() == {f"refund/{CHARGED.shop}/{run.order_id}/early"}
        await run.deliver(OrderEventKind.SHIPPED)
        status = await run.result()

    assert status.state == "completed"
    assert status.refunded_minor == 100
    assert steps(doubles.book, run).split()[-2:] == ["shipped", "completed"]
    assert doubles.book.parcels[run.order_id] == "left"


async def test_a_deadline_is_counted_from_when_the_order_began_to_wait(env: WorkflowEnvironment) -> None:
    doubles = OrderDoubles()
    async with serving(env.client, [OrderWorkflow], activities_of(doubles)) as queue:
        run = await start_order(env, queue, COLLECTED)
        await run.standing(OrderState.AWAITING_PAYMENT)
        assert await env.fast_forward(run.handle, 4 * DAY)
        for number in range(EVENTS // 2):
            await run.deliver(OrderEventKind.PAYMENT_FAILED, f"evt-{number}")
        assert len(await histories(run)) > 1
        assert (await run.status()) is not None
        await env.fast_forward(run.handle, 4 * DAY)
        status = await run.result()

    assert status.state == "expired"
