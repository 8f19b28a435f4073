import asyncio
from dataclasses import replace

import pytest
from temporalio.client import WorkflowUpdateFailedError
from temporalio.testing import WorkflowEnvironment

from tests.workflows.doubles import OrderDoubles
from tests.workflows.order_run import OrderRun, refused_as, running_order
from tests.workflows.samples import CHARGED, COLLECTED, order_event
from worker.contract.names import OrderMessage
from worker.contract.orders import OrderAnswer, OrderEventKind
from worker.domain.errors import Conflict, DatabaseUnavailable, ProviderUnavailable, SchemaMismatch
from worker.domain.order import OrderState

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.fixture
def doubles() -> OrderDoubles:
    return OrderDoubles()


async def finish(run: OrderRun) -> None:
    await run.standing(OrderState.FULFILLING)
    await run.deliver(OrderEventKind.SHIPPED)
    await run.result()


async def test_an_event_is_applied_once_whoever_repeats_it(env: WorkflowEnvironment, doubles: OrderDoubles) -> None:
    event = order_event(OrderEventKind.PAYMENT_CAPTURED)
    async with running_order(env, doubles, COLLECTED) as run:
        # As the event's activity does: the update id is the event id, so the server answers the repetition.
        same = [
            await run.handle.execute_update(
                OrderMessage.DELIVER_EVENT, event, id=event.event_id, result_type=OrderAnswer
            )
            for _ in range(2)
        ]
        again = await run.deliver(OrderEventKind.PAYMENT_CAPTURED, event.event_id)
        await finish(run)

    assert [answer.outcome for answer in same] == ["applied", "applied"]
    assert again.outcome == "duplicate"
    assert doubles.conduct.count("apply_event") == 2  # the payment, the parcel
    assert doubles.book.orders[run.order_id].captured_minor == 12345


async def test_the_same_event_twice_at_once_is_one_event(env: WorkflowEnvironment, doubles: OrderDoubles) -> None:
    applying = doubles.conduct.hold("apply_event")
    async with running_order(env, doubles, COLLECTED) as run:
        first = asyncio.create_task(run.deliver(OrderEventKind.PAYMENT_CAPTURED, "evt-1"))
        await applying.reached.wait()
        second = await run.deliver(OrderEventKind.PAYMENT_CAPTURED, "evt-1")
        applying.release.set()
        assert (await first).outcome == "applied"
        await finish(run)

    assert second.outcome == "duplicate"
    assert doubles.book.at_rest(run.order_id)


async def test_an_event_that_could_not_be_applied_may_come_again(
    env: WorkflowEnvironment, doubles: OrderDoubles
) -> None:
    doubles.conduct.fail("apply_event", SchemaMismatch("the database is newer than this code"))
    async with running_order(env, doubles, COLLECTED) as run:
        with pytest.raises(WorkflowUpdateFailedError):
            await run.deliver(OrderEventKind.PAYMENT_CAPTURED, "evt-1")
        assert (await run.deliver(OrderEventKind.PAYMENT_CAPTURED, "evt-1")).outcome == "applied"
        await finish(run)

    assert doubles.book.at_rest(run.order_id)


async def test_an_answer_that_was_overtaken_does_not_take_the_order_back(
    env: WorkflowEnvironment, doubles: OrderDoubles
) -> None:
    asking = doubles.conduct.hold_answer("request_fulfilment")
    async with running_order(env, doubles, CHARGED) as run:
        await asking.reached.wait()  # the warehouse has the request; its answer will say `fulfilling`
        shipped = await run.deliver(OrderEventKind.SHIPPED)
        asking.release.set()
        status = await run.result()

    assert shipped.state == "completed"
    assert status.state == "completed"
    assert doubles.book.at_rest(run.order_id)


async def test_the_run_ends_only_when_every_message_is_answered(
    env: WorkflowEnvironment, doubles: OrderDoubles
) -> None:
    async with running_order(env, doubles, CHARGED) as run:
        await run.standing(OrderState.FULFILLING)
        refund = doubles.conduct.hold("apply_event")
        answers = [await run.accept(OrderEventKind.REFUNDED, f"evt-{number}") for number in range(3)]
        await refund.reached.wait()
        assert (await run.cancel()).outcome == "applied"
        await run.standing(OrderState.CANCELLED)
        ended = asyncio.create_task(run.result())
        done, _ = await asyncio.wait({ended}, timeout=0.3)
        assert not done
        refund.release.set()
        assert {(await answer.result()).state for answer in answers} == {"cancelled"}
        await ended


async def test_cancelled_while_its_payment_is_tried_again_is_voided(
    env: WorkflowEnvironment, doubles: OrderDoubles
) -> None:
    doubles.conduct.fail("authorise_payment", ProviderUnavailable("no answer"))
    authorising = doubles.conduct.hold_answer("authorise_payment")
    async with running_order(env, doubles, CHARGED) as run:
        await authorising.reached.wait()
        assert doubles.book.authorised[run.order_id] == 12345
        answer = await run.cancel("too expensive")
        authorising.release.set()
        status = await run.result()

    assert (answer.outcome, answer.state) == ("applied", "paying")
    assert (status.state, status.reason, status.captured_minor) == ("cancelled", "too expensive", 0)
    assert doubles.conduct.count("capture_payment") == 0
    assert doubles.book.at_rest(run.order_id)


async def test_who_asked_for_a_cancellation_is_told_whether_it_was_heeded_or_not(
    env: WorkflowEnvironment, doubles: OrderDoubles
) -> None:
    stopping = doubles.conduct.hold("stop_fulfilment")
    doubles.conduct.lose_answer("tell_of_cancellation", DatabaseUnavailable("MySQL error 2013"))
    async with running_order(env, doubles, CHARGED) as run:
        await run.standing(OrderState.FULFILLING)
        assert (await run.cancel()).outcome == "applied"
        await stopping.reached.wait()
        assert (await run.cancel("again")).outcome == "ignored"
        stopping.release.set()
        assert (await run.result()).state == "cancelled"

    assert doubles.told == [("r-1", "applied"), ("r-1", "applied"), ("r-1", "ignored")], "once more, under one key"


async def test_cancelled_while_its_recording_is_tried_again_is_never_charged(
    env: WorkflowEnvironment, doubles: OrderDoubles
) -> None:
    doubles.conduct.fail("record_order", DatabaseUnavailable("gone away"))
    recording = doubles.conduct.hold("record_order")
    async with running_order(env, doubles, CHARGED) as run:
        await recording.reached.wait()
        cancelling = asyncio.create_task(run.cancel())
        recording.release.set()
        await cancelling
        status = await run.result()

    assert status.state == "cancelled"
    assert doubles.book.at_rest(run.order_id)
    assert doubles.conduct.count("capture_payment") == 0


async def test_cancelled_while_waiting_for_the_payment(env: WorkflowEnvironment, doubles: OrderDoubles) -> None:
    async with running_order(env, doubles, COLLECTED) as run:
        await run.standing(OrderState.AWAITING_PAYMENT)
        await run.cancel()
        status = await run.result()

    assert status.state == "cancelled"
    assert doubles.conduct.count("request_fulfilment") == 0


@pytest.mark.parametrize("answer_lost", [False, True])
async def test_cancelled_after_capture_is_refunded_and_a_parcel_that_was_asked_for_is_stopped(
    env: WorkflowEnvironment, doubles: OrderDoubles, *, answer_lost: bool
) -> None:
    """A step that has to be done again asks for no parcel any more; that its first try did not is for the warehouse to say."""
    if answer_lost:
        doubles.conduct.lose_answer("capture_payment", ProviderUnavailable("no answer"))
    capturing = doubles.conduct.hold_answer("capture_payment")
    async with running_order(env, doubles, CHARGED) as run:
        await capturing.reached.wait()
        await run.cancel()
        capturing.release.set()
        status = await run.result()

    assert (status.state, status.captured_minor, status.refunded_minor) == ("cancelled", 12345, 12345)
    assert doubles.conduct.count("request_fulfilment") == (0 if answer_lost else 1)
    assert doubles.conduct.count("stop_fulfilment") == 1
    assert doubles.book.at_rest(run.order_id)


@pytest.mark.parametrize("by_shop", [False, True])
async def test_cancelled_while_the_parcel_waits_is_stopped_and_refunded(
    env: WorkflowEnvironment, doubles: OrderDoubles, *, by_shop: bool
) -> None:
    async with running_order(env, doubles, CHARGED) as run:
        await run.standing(OrderState.FULFILLING)
        cancel = run.deliver(OrderEventKind.SHOP_CANCELLED, detail="fraud") if by_shop else run.cancel("fraud")
        assert (await cancel).outcome == "applied"
        status = await run.result()

    assert (status.state, status.reason, status.refunded_minor) == ("cancelled", "fraud", 12345)
    assert doubles.book.parcels[run.order_id] == "stopped"
    assert doubles.book.at_rest(run.order_id)
    assert doubles.conduct.count("apply_event") == 0


async def test_cancelled_while_the_parcel_leaves_is_shipped_and_not_refunded(
    env: WorkflowEnvironment, doubles: OrderDoubles
) -> None:
    async with running_order(env, doubles, CHARGED) as run:
        await run.standing(OrderState.FULFILLING)
        doubles.book.parcels[run.order_id] = "left"
        await run.cancel()
        status = await run.result()

    assert (status.state, status.refunded_minor) == ("completed", 0)
    assert doubles.book.at_rest(run.order_id)


async def test_a_second_cancellation_is_answered_as_such(env: WorkflowEnvironment, doubles: OrderDoubles) -> None:
    stopping = doubles.conduct.hold("stop_fulfilment")
    async with running_order(env, doubles, CHARGED) as run:
        await run.standing(OrderState.FULFILLING)
        outcomes = [(await run.cancel("first")).outcome]
        await stopping.reached.wait()
        outcomes.append((await run.cancel("second")).outcome)
        stopping.release.set()
        status = await run.result()

    assert outcomes == ["applied", "ignored"]
    assert (status.state, status.reason) == ("cancelled", "first")


async def test_an_order_that_is_over_refuses_to_be_cancelled(env: WorkflowEnvironment, doubles: OrderDoubles) -> None:
    event = doubles.conduct.hold("apply_event")
    async with running_order(env, doubles, replace(CHARGED, payment_method="pm_needs_customer")) as run:
        await run.standing(OrderState.AWAITING_PAYMENT)
        failed = await run.accept(OrderEventKind.PAYMENT_FAILED)
        await event.reached.wait()
        await run.cancel()
        await run.standing(OrderState.CANCELLED)
        # Over, but open until the event it accepted is answered.
        with pytest.raises(WorkflowUpdateFailedError) as refused:
            await run.cancel()
        by_shop = await run.deliver(OrderEventKind.SHOP_CANCELLED)
        event.release.set()
        assert (await failed.result()).state == "cancelled"
        await run.result()

    assert refused_as(refused.value) == Conflict.code
    assert (by_shop.outcome, by_shop.state) == ("ignored", "cancelled")
    history = await run.handle.fetch_history()
    accepted = [
        event for event in history.events if event.HasField("workflow_execution_update_accepted_event_attributes")
    ]
    assert len(accepted) == 3  # the refused one left no trace
