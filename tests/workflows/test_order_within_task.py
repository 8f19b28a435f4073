"""An order that is charged within the workflow task that records it: one try, after which it goes the way that all others go."""

import asyncio
from dataclasses import replace

import pytest
from temporalio.client import WorkflowFailureError, WorkflowHistory
from temporalio.common import SearchAttributeKey
from temporalio.exceptions import CancelledError
from temporalio.testing import WorkflowEnvironment

from tests.workflows.doubles import DAY, OrderDoubles
from tests.workflows.histories import activities_in
from tests.workflows.order_run import OrderRun, running_order, steps
from tests.workflows.samples import CHARGED
from worker.contract.names import SearchAttribute
from worker.contract.orders import OrderEventKind, PaymentMode
from worker.domain.errors import ProviderUnavailable, SchemaMismatch
from worker.domain.order import OrderState

pytestmark = pytest.mark.asyncio(loop_scope="session")

STATE = SearchAttributeKey.for_keyword(SearchAttribute.ORDER_STATE)
STEPS = ("authorise_payment", "capture_payment", "request_fulfilment")


@pytest.fixture
def doubles() -> OrderDoubles:
    return OrderDoubles(within_task=True)


def tasks_in(history: WorkflowHistory) -> int:
    return sum(event.HasField("workflow_task_completed_event_attributes") for event in history.events)


def shown_in(history: WorkflowHistory) -> list[str]:
    """Return the states that operators could find the order by, in order."""
    values = [
        event.upsert_workflow_search_attributes_event_attributes.search_attributes.indexed_fields
        for event in history.events
        if event.HasField("upsert_workflow_search_attributes_event_attributes")
    ]
    return [fields[STATE.name].data.decode().strip('"') for fields in values if STATE.name in fields]


async def shipped(run: OrderRun) -> None:
    await run.standing(OrderState.FULFILLING)
    await run.deliver(OrderEventKind.SHIPPED)
    assert (await run.result()).state == "completed"


async def test_a_happy_order_is_two_workflow_tasks_and_waits_in_no_queue(
    env: WorkflowEnvironment, doubles: OrderDoubles
) -> None:
    held = doubles.conduct.hold_answer("request_fulfilment")
    async with running_order(env, doubles, CHARGED) as run:
        await held.reached.wait()
        held.release.set()
        # Told by nothing but the search attribute: a question would be a workflow task of its own.
        async with asyncio.timeout(60):
            while (await run.handle.describe()).typed_search_attributes.get(STATE) != OrderState.FULFILLING:
                await asyncio.sleep(0.01)
        await run.deliver(OrderEventKind.SHIPPED)
        assert (await run.result()).state == "completed"
        history = await run.handle.fetch_history()

    assert steps(doubles.book, run) == "received paying authorised paid fulfilling shipped completed"
    assert (tasks_in(history), shown_in(history)) == (2, ["fulfilling", "completed"])
    assert await activities_in(run.handle) == []
    assert doubles.book.at_rest(run.order_id)


@pytest.mark.parametrize(
    ("step", "answer_lost", "goes_on_with"),
    [
        ("authorise_payment", False, STEPS),
        ("authorise_payment", True, STEPS),
        ("capture_payment", False, STEPS),
        # What the book says is done is not done again.
        ("capture_payment", True, ("authorise_payment", "request_fulfilment")),
        ("request_fulfilment", False, ("authorise_payment", "request_fulfilment")),
        ("request_fulfilment", True, ("authorise_payment",)),
    ],
)
async def test_what_does_not_go_well_goes_on_in_steps_under_the_same_keys_for_people_to_see(
    env: WorkflowEnvironment, doubles: OrderDoubles, step: str, *, answer_lost: bool, goes_on_with: tuple[str, ...]
) -> None:
    fail = doubles.conduct.lose_answer if answer_lost else doubles.conduct.fail
    fail(step, ProviderUnavailable("no answer"))
    async with running_order(env, doubles, CHARGED) as run:
        await shipped(run)
        history = await run.handle.fetch_history()

    assert tuple(await activities_in(run.handle)) == goes_on_with
    assert shown_in(history)[0] == "paying"
    for name, key in zip(STEPS, ("authorise", "capture", "fulfil"), strict=True):
        keys = {each.key for each in doubles.conduct.calls[name]}
        assert keys == {f"order/main/{run.order_id}:{key}"}
    assert doubles.book.at_rest(run.order_id)


@pytest.mark.parametrize("step", STEPS)
async def test_what_no_other_try_can_help_is_not_tried_again_and_gives_the_money_back(
    env: WorkflowEnvironment, doubles: OrderDoubles, step: str
) -> None:
    doubles.conduct.lose_answer(step, SchemaMismatch("the database is newer than this code"))
    async with running_order(env, doubles, CHARGED) as run:
        with pytest.raises(WorkflowFailureError):
            await run.result()

    assert doubles.conduct.count(step) == 1
    assert doubles.book.orders[run.order_id].state is OrderState.CANCELLED
    assert doubles.book.at_rest(run.order_id)


async def test_a_refused_method_leaves_it_waiting_for_another(env: WorkflowEnvironment) -> None:
    doubles = OrderDoubles(within_task=True, payment_retry_window_seconds=DAY)
    async with running_order(env, doubles, replace(CHARGED, payment_method="pm_declined")) as run:
        await run.standing(OrderState.AWAITING_METHOD)
        assert shown_in(await run.handle.fetch_history()) == ["awaiting_method"]
        await run.cancel()
        assert (await run.result()).state == "cancelled"

    assert doubles.book.at_rest(run.order_id)


async def test_a_parcel_that_the_warehouse_refuses_is_asked_for_once_more_and_given_up(
    env: WorkflowEnvironment, doubles: OrderDoubles
) -> None:
    doubles.book.refusing_parcels = True
    async with running_order(env, doubles, CHARGED) as run:
        assert (await run.result()).state == "refunded"
    assert doubles.book.at_rest(run.order_id)


async def test_money_that_is_only_held_is_no_matter_of_that_task(
    env: WorkflowEnvironment, doubles: OrderDoubles
) -> None:
    async with running_order(env, doubles, replace(CHARGED, payment_mode=PaymentMode.AUTHORISE)) as run:
        await run.standing(OrderState.AUTHORISED)
        assert shown_in(await run.handle.fetch_history())[0] == "paying"
        await run.cancel()
        await run.result()
    assert doubles.book.at_rest(run.order_id)


@pytest.mark.parametrize("step", STEPS)
async def test_a_cancellation_that_comes_meanwhile_waits_for_it_and_is_heeded(
    env: WorkflowEnvironment, doubles: OrderDoubles, step: str
) -> None:
    held = doubles.conduct.hold_answer(step)
    async with running_order(env, doubles, CHARGED) as run:
        await held.reached.wait()
        asked = asyncio.create_task(run.cancel("too expensive"))
        held.release.set()
        assert (await asked).outcome == "applied"
        status = await run.result()

    assert (status.state, status.reason) == ("cancelled", "too expensive")
    assert doubles.book.at_rest(run.order_id)


@pytest.mark.parametrize("step", ["record_order", *STEPS])
async def test_a_process_cancelled_meanwhile_gives_everything_back(
    env: WorkflowEnvironment, doubles: OrderDoubles, step: str
) -> None:
    held = doubles.conduct.hold_answer(step)
    async with running_order(env, doubles, CHARGED) as run:
        await held.reached.wait()
        await run.handle.cancel()
        held.release.set()
        with pytest.raises(WorkflowFailureError) as ended:
            await run.result()

    assert isinstance(ended.value.cause, CancelledError)
    assert doubles.book.orders[run.order_id].state is OrderState.CANCELLED
    assert doubles.book.at_rest(run.order_id)


async def test_a_parcel_that_is_told_of_before_its_request_was_answered_completes_the_order(
    env: WorkflowEnvironment, doubles: OrderDoubles
) -> None:
    held = doubles.conduct.hold_answer("request_fulfilment")
    async with running_order(env, doubles, CHARGED) as run:
        await held.reached.wait()
        told = asyncio.create_task(run.deliver(OrderEventKind.SHIPPED))
        held.release.set()
        assert (await told).outcome == "applied"
        assert (await run.result()).state == "completed"
    assert doubles.book.at_rest(run.order_id)
