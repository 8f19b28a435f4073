"""However an order's process ends, nobody keeps money or parcels that are not theirs."""

import asyncio
from dataclasses import replace

import pytest
from temporalio.client import WorkflowFailureError, WorkflowUpdateFailedError
from temporalio.exceptions import ActivityError, ApplicationError, CancelledError
from temporalio.testing import WorkflowEnvironment

from tests.workflows.doubles import OrderDoubles
from tests.workflows.histories import admitted
from tests.workflows.order_run import order_worker, refused_as, running_order, start_order
from tests.workflows.samples import CHARGED, COLLECTED
from worker.contract.orders import OrderEventKind, PaymentMode, PlaceOrder
from worker.domain.errors import Conflict, ProviderUnavailable, SchemaMismatch
from worker.domain.order import OrderState

pytestmark = pytest.mark.asyncio(loop_scope="session")

STEPS_WITH_MONEY = ("authorise_payment", "capture_payment", "request_fulfilment")


@pytest.fixture
def doubles() -> OrderDoubles:
    return OrderDoubles()


def cause_of(failure: WorkflowFailureError) -> BaseException | None:
    """Return the innermost cause of a failed run."""
    cause: BaseException | None = failure.cause
    while isinstance(cause, ActivityError):
        cause = cause.cause
    return cause


@pytest.mark.parametrize("answer_lost", [False, True])
@pytest.mark.parametrize("step", STEPS_WITH_MONEY)
async def test_a_step_that_fails_for_good_gives_the_money_back(
    env: WorkflowEnvironment, doubles: OrderDoubles, step: str, *, answer_lost: bool
) -> None:
    fail = doubles.conduct.lose_answer if answer_lost else doubles.conduct.fail
    fail(step, SchemaMismatch("the database is newer than this code"))
    async with running_order(env, doubles, CHARGED) as run:
        with pytest.raises(WorkflowFailureError) as failed:
            await run.result()

    cause = cause_of(failed.value)
    assert isinstance(cause, ApplicationError)
    assert cause.type == "schema_mismatch"
    assert doubles.conduct.count(step) == 1
    assert doubles.book.orders[run.order_id].state is OrderState.CANCELLED
    assert doubles.book.at_rest(run.order_id)


async def test_a_parcel_that_cannot_be_stopped_does_not_keep_the_money(
    env: WorkflowEnvironment, doubles: OrderDoubles
) -> None:
    doubles.conduct.fail("stop_fulfilment", *[SchemaMismatch("broken")] * 2)
    async with running_order(env, doubles, CHARGED) as run:
        await run.standing(OrderState.FULFILLING)
        await run.handle.cancel()
        with pytest.raises(WorkflowFailureError):
            await run.result()

    assert doubles.book.taken[run.order_id] == 0
    assert doubles.book.orders[run.order_id].state is OrderState.CANCELLED


@pytest.mark.parametrize(
    ("place", "step"),
    [
        (CHARGED, "record_order"),
        *((CHARGED, step) for step in STEPS_WITH_MONEY),
        (COLLECTED, "awaiting_payment"),
        (CHARGED, "fulfilling"),
    ],
)
async def test_a_cancelled_process_gives_the_money_back_wherever_it_waits(
    env: WorkflowEnvironment, doubles: OrderDoubles, place: PlaceOrder, step: str
) -> None:
    held = doubles.conduct.hold(step)
    async with running_order(env, doubles, place) as run:
        if step in set(OrderState):
            await run.standing(OrderState(step))
        else:
            await held.reached.wait()
        await run.handle.cancel()
        # A step that is under way has its effect after the workflow heard of the cancellation. Recording is part of
        # the workflow's own task, which hears of it only afterwards.
        if step != "record_order":
            await run.cancellation_heard()
        held.release.set()
        with pytest.raises(WorkflowFailureError) as ended:
            await run.result()

    assert isinstance(ended.value.cause, CancelledError)
    if run.order_id in doubles.book.orders:
        assert doubles.book.at_rest(run.order_id)
        assert doubles.book.orders[run.order_id].state is OrderState.CANCELLED
    # What asks for the money takes it: it is under way when the cancellation is heard.
    assert doubles.conduct.count("capture_payment") == (place is CHARGED)


async def test_a_process_cancelled_while_its_parcel_leaves_is_completed(
    env: WorkflowEnvironment, doubles: OrderDoubles
) -> None:
    async with running_order(env, doubles, CHARGED) as run:
        await run.standing(OrderState.FULFILLING)
        doubles.book.parcels[run.order_id] = "left"
        await run.handle.cancel()
        with pytest.raises(WorkflowFailureError):
            await run.result()

    assert doubles.book.orders[run.order_id].state is OrderState.COMPLETED
    assert doubles.book.at_rest(run.order_id)


async def test_cancelled_before_its_first_step_it_ends_without_a_trace(
    env: WorkflowEnvironment, doubles: OrderDoubles
) -> None:
    async with order_worker(env, doubles) as queue:
        pass  # nobody serves the queue while the order is started and cancelled
    run = await start_order(env, queue, CHARGED)
    await run.handle.cancel()
    async with order_worker(env, doubles, queue):
        with pytest.raises(WorkflowFailureError) as ended:
            await run.result()

    assert isinstance(ended.value.cause, CancelledError)
    assert doubles.book.taken[run.order_id] == doubles.book.authorised[run.order_id] == 0


async def test_a_message_to_an_order_that_was_never_recorded_is_refused_and_does_not_keep_the_run_open(
    env: WorkflowEnvironment, doubles: OrderDoubles
) -> None:
    doubles.conduct.fail("record_order", SchemaMismatch("the database is newer than this code"))
    recording = doubles.conduct.hold("record_order")
    async with running_order(env, doubles, COLLECTED) as run:
        await recording.reached.wait()
        early = asyncio.create_task(run.deliver(OrderEventKind.PAYMENT_CAPTURED, update_id="early"))
        await admitted(run.handle, "early")
        recording.release.set()
        with pytest.raises(WorkflowFailureError):
            await run.result()
        with pytest.raises(WorkflowUpdateFailedError) as refused:
            await early

    assert refused_as(refused.value) == Conflict.code
    assert doubles.book.orders == {}


@pytest.mark.parametrize("exit_kind", ["failure", "cancellation"])
async def test_a_cancellation_does_not_stop_the_refund_half_way(
    env: WorkflowEnvironment, doubles: OrderDoubles, exit_kind: str
) -> None:
    reversing = doubles.conduct.hold("reverse_payment")
    doubles.conduct.fail("reverse_payment", ProviderUnavailable("no answer"))
    if exit_kind == "failure":
        doubles.conduct.lose_answer("capture_payment", SchemaMismatch("the database is newer than this code"))
    async with running_order(env, doubles, CHARGED) as run:
        if exit_kind == "cancellation":
            await run.standing(OrderState.FULFILLING)
            await run.handle.cancel()
        await reversing.reached.wait()
        await run.handle.cancel()
        await run.cancellation_heard()
        reversing.release.set()
        with pytest.raises(WorkflowFailureError):
            await run.result()

    assert doubles.conduct.count("reverse_payment") == 2
    assert doubles.book.orders[run.order_id].state is OrderState.CANCELLED
    assert doubles.book.at_rest(run.order_id)


async def test_a_refund_that_is_under_way_is_finished_under_its_own_reason(
    env: WorkflowEnvironment, doubles: OrderDoubles
) -> None:
    reversing = doubles.conduct.hold("reverse_payment")
    async with running_order(env, doubles, CHARGED) as run:
        await run.standing(OrderState.FULFILLING)
        await run.deliver(OrderEventKind.SHIPMENT_FAILED, detail="lost in the flood")
        await reversing.reached.wait()
        await run.handle.cancel()
        await run.cancellation_heard()
        reversing.release.set()
        status = await run.result()

    assert (status.state, status.reason) == ("refunded", "lost in the flood")
    assert doubles.conduct.count("reverse_payment") == 1


@pytest.mark.parametrize("left", [False, True])
@pytest.mark.parametrize("mode", [PaymentMode.CHARGE, PaymentMode.AUTHORISE])
@pytest.mark.parametrize("within_task", [False, True])
async def test_a_parcel_that_was_accepted_and_never_noted_does_not_leave_for_money_that_goes_back(
    env: WorkflowEnvironment, mode: PaymentMode, *, within_task: bool, left: bool
) -> None:
    doubles = OrderDoubles(within_task=within_task)
    doubles.book.dies_at_the_warehouse = [SchemaMismatch("the database is newer than this code")]
    stopping = doubles.conduct.hold("stop_fulfilment")
    async with running_order(env, doubles, replace(CHARGED, payment_mode=mode)) as run:
        await stopping.reached.wait()
        assert doubles.book.parcels[run.order_id] == "requested"
        if left:
            doubles.book.parcels[run.order_id] = "left"
        stopping.release.set()
        with pytest.raises(WorkflowFailureError):
            await run.result()

    state = OrderState.COMPLETED if left else OrderState.CANCELLED
    assert doubles.book.orders[run.order_id].state is state
    assert doubles.book.at_rest(run.order_id)


@pytest.mark.parametrize("left", [False, True])
@pytest.mark.parametrize("within_task", [False, True])
async def test_nor_does_it_when_the_customer_gives_the_order_up_before_the_next_try(
    env: WorkflowEnvironment, *, within_task: bool, left: bool
) -> None:
    doubles = OrderDoubles(within_task=within_task)
    doubles.book.dies_at_the_warehouse = [ProviderUnavailable("the database went away")]
    stopping = doubles.conduct.hold("stop_fulfilment")
    fulfilling = doubles.conduct.hold("request_fulfilment")
    async with running_order(env, doubles, CHARGED) as run:
        await fulfilling.reached.wait()
        again = doubles.conduct.hold_answer("authorise_payment")
        cancelling = asyncio.create_task(run.cancel("too expensive"))
        fulfilling.release.set()
        await again.reached.wait()
        assert doubles.book.parcels[run.order_id] == "requested"
        if left:
            doubles.book.parcels[run.order_id] = "left"
        assert (await cancelling).outcome == "applied"
        again.release.set()
        stopping.release.set()
        status = await run.result()

    assert (status.state, doubles.conduct.count("stop_fulfilment")) == ("completed" if left else "cancelled", 1)
    assert doubles.book.at_rest(run.order_id)
