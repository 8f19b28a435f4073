"""Refused methods and others in their place; money that is held until the parcel has left."""

import asyncio
from dataclasses import replace

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowUpdateFailedError
from temporalio.testing import WorkflowEnvironment

from tests.workflows.doubles import DAY, OrderDoubles
from tests.workflows.histories import until
from tests.workflows.order_run import OrderRun, refused_as, running_order, steps
from tests.workflows.samples import CHARGED
from worker.contract.names import OrderMessage
from worker.contract.orders import OrderEventKind, OrderStatus, PaymentAnswer, PaymentMode, RetryPayment
from worker.domain.errors import Conflict, ProviderUnavailable, SchemaMismatch
from worker.domain.order import OrderState

pytestmark = pytest.mark.asyncio(loop_scope="session")

REFUSED = replace(CHARGED, payment_method="pm_declined")
ON_SHIPMENT = replace(CHARGED, payment_mode=PaymentMode.AUTHORISE)


@pytest.fixture
def doubles() -> OrderDoubles:
    return OrderDoubles(payment_retry_window_seconds=DAY)


async def retry(run: OrderRun, method: str = "pm_card_visa", request_id: str = "r-1") -> PaymentAnswer:
    request = RetryPayment(request_id=request_id, requested_by="shop-app", payment_method=method)
    answer: PaymentAnswer = await run.handle.execute_update(
        OrderMessage.RETRY_PAYMENT, request, result_type=PaymentAnswer
    )
    return answer


async def shipped(run: OrderRun) -> OrderStatus:
    await run.standing(OrderState.FULFILLING)
    await run.deliver(OrderEventKind.SHIPPED)
    return await run.result()


async def parcel_asked_for(run: OrderRun, doubles: OrderDoubles, times: int = 1) -> None:
    """Wait until the warehouse has an order that is to be captured on shipment."""
    await doubles.conduct.attempts("request_fulfilment", times)
    await run.standing(OrderState.AUTHORISED)


class TestAnotherMethod:
    async def test_a_refused_order_is_paid_with_another_method(
        self, env: WorkflowEnvironment, doubles: OrderDoubles
    ) -> None:
        async with running_order(env, doubles, REFUSED) as run:
            await run.standing(OrderState.AWAITING_METHOD)
            again = await retry(run, "pm_declined", "r-1")
            good = await retry(run, request_id="r-2")
            await shipped(run)

        assert again == PaymentAnswer(outcome="declined", state="awaiting_method", reason="do_not_honor")
        assert good == PaymentAnswer(outcome="applied", state="authorised")
        assert steps(doubles.book, run) == (
            "received paying awaiting_method authorised paid fulfilling shipped completed"
        )
        assert doubles.book.at_rest(run.order_id)

    async def test_nothing_is_owed_when_the_window_closes(
        self, env: WorkflowEnvironment, doubles: OrderDoubles
    ) -> None:
        async with running_order(env, doubles, REFUSED) as run:
            await run.standing(OrderState.AWAITING_METHOD)
            assert await env.fast_forward(run.handle, DAY - 60)
            await run.standing(OrderState.AWAITING_METHOD)
            await env.fast_forward(run.handle, 120)
            status = await run.result()

        assert (status.state, status.captured_minor) == ("declined", 0)
        assert doubles.book.at_rest(run.order_id)

    async def test_without_a_window_a_refused_order_is_over_at_once(self, env: WorkflowEnvironment) -> None:
        doubles = OrderDoubles()
        async with running_order(env, doubles, REFUSED) as run:
            status = await run.result()

        assert (status.state, status.reason) == ("declined", "do_not_honor")

    @pytest.mark.parametrize("at_once", [True, False])
    async def test_after_a_stolen_card_nobody_is_asked_again(
        self, env: WorkflowEnvironment, doubles: OrderDoubles, *, at_once: bool
    ) -> None:
        place = replace(CHARGED, payment_method="pm_stolen") if at_once else REFUSED
        async with running_order(env, doubles, place) as run:
            if not at_once:
                await run.standing(OrderState.AWAITING_METHOD)
                assert (await retry(run, "pm_stolen")).state == "declined"
            status = await run.result()

        assert (status.state, status.reason) == ("declined", "stolen_card")
        assert doubles.book.at_rest(run.order_id)

    async def test_a_request_is_tried_once_and_its_id_stands_for_one_method(
        self, env: WorkflowEnvironment, doubles: OrderDoubles
    ) -> None:
        async with running_order(env, doubles, REFUSED) as run:
            await run.standing(OrderState.AWAITING_METHOD)
            first = await retry(run, "pm_declined")
            again = await retry(run, "pm_declined")
            with pytest.raises(WorkflowUpdateFailedError) as other:
                await retry(run, "pm_card_visa")
            await retry(run, request_id="r-2")
            await shipped(run)

        assert (first.outcome, again) == ("declined", replace(first, outcome="duplicate"))
        assert refused_as(other.value) == Conflict.code
        assert doubles.conduct.count("retry_payment") == 2

    async def test_two_methods_at_once_are_one_payment(self, env: WorkflowEnvironment, doubles: OrderDoubles) -> None:
        trying = doubles.conduct.hold("retry_payment")
        async with running_order(env, doubles, REFUSED) as run:
            await run.standing(OrderState.AWAITING_METHOD)
            first = asyncio.create_task(retry(run, request_id="r-1"))
            await trying.reached.wait()
            second = asyncio.create_task(retry(run, request_id="r-2"))
            trying.release.set()
            assert (await first).outcome == "applied"
            with pytest.raises(WorkflowUpdateFailedError) as refused:
                await second
            await shipped(run)

        assert refused_as(refused.value) == Conflict.code
        assert doubles.book.at_rest(run.order_id)

    async def test_an_order_that_waits_for_no_method_takes_none(self, env: WorkflowEnvironment) -> None:
        doubles = OrderDoubles(payment_retry_window_seconds=DAY)
        async with running_order(env, doubles, CHARGED) as run:
            await run.standing(OrderState.FULFILLING)
            with pytest.raises(WorkflowUpdateFailedError) as refused:
                await retry(run)
            await shipped(run)

        assert refused_as(refused.value) == Conflict.code
        assert doubles.conduct.count("retry_payment") == 0

    async def test_a_customer_who_should_act_may_supply_another_method_instead(
        self, env: WorkflowEnvironment, doubles: OrderDoubles
    ) -> None:
        async with running_order(env, doubles, replace(CHARGED, payment_method="pm_needs_customer")) as run:
            await run.standing(OrderState.AWAITING_PAYMENT)
            assert (await retry(run)).outcome == "applied"
            await shipped(run)

        assert doubles.book.at_rest(run.order_id)

    @pytest.mark.parametrize("how", ["message", "process"])
    async def test_a_cancellation_waits_for_the_method_that_is_tried_and_gives_it_back(
        self, env: WorkflowEnvironment, doubles: OrderDoubles, how: str
    ) -> None:
        trying = doubles.conduct.hold_answer("retry_payment")
        async with running_order(env, doubles, REFUSED) as run:
            await run.standing(OrderState.AWAITING_METHOD)
            tried = asyncio.create_task(retry(run))
            await trying.reached.wait()  # the provider holds the money; nobody here knows
            if how == "message":
                assert (await run.cancel()).outcome == "applied"
            else:
                await run.handle.cancel()
                await run.cancellation_heard()
            trying.release.set()
            assert (await tried).outcome == "applied"
            await asyncio.gather(run.result(), return_exceptions=True)

        assert doubles.book.orders[run.order_id].state is OrderState.CANCELLED
        assert doubles.book.at_rest(run.order_id)

    async def test_a_method_tried_while_the_window_closes_is_decided_first(self, env: WorkflowEnvironment) -> None:
        doubles = OrderDoubles(payment_retry_window_seconds=1)
        trying = doubles.conduct.hold("retry_payment")
        async with running_order(env, doubles, REFUSED) as run:
            await run.standing(OrderState.AWAITING_METHOD)
            tried = asyncio.create_task(retry(run))
            await trying.reached.wait()
            await until(run.handle, EventType.EVENT_TYPE_TIMER_FIRED)
            assert doubles.conduct.count("expire_order") == 0
            trying.release.set()
            assert (await tried).state == "authorised"
            await shipped(run)

        assert doubles.book.at_rest(run.order_id)

    @pytest.mark.parametrize("fails", ["fail", "lose_answer"])
    async def test_a_try_that_breaks_off_is_repeated_under_its_key(
        self, env: WorkflowEnvironment, doubles: OrderDoubles, fails: str
    ) -> None:
        getattr(doubles.conduct, fails)("retry_payment", ProviderUnavailable("no answer"))
        async with running_order(env, doubles, REFUSED) as run:
            await run.standing(OrderState.AWAITING_METHOD)
            assert (await retry(run)).outcome == "applied"
            await shipped(run)

        keys = [new.key for new in doubles.conduct.calls["retry_payment"]]
        assert keys == [f"order/main/{run.order_id}:retry:r-1"] * 2
        assert doubles.book.at_rest(run.order_id)


class TestOnShipment:
    async def test_the_money_is_taken_when_the_parcel_has_left(
        self, env: WorkflowEnvironment, doubles: OrderDoubles
    ) -> None:
        async with running_order(env, doubles, ON_SHIPMENT) as run:
            await parcel_asked_for(run, doubles)
            assert doubles.book.taken[run.order_id] == 0
            answer = await run.deliver(OrderEventKind.SHIPPED)
            status = await run.result()

        assert answer.outcome == "applied"
        assert (status.state, status.captured_minor) == ("completed", 12345)
        assert steps(doubles.book, run) == "received paying authorised paid fulfilling shipped completed"
        assert doubles.book.at_rest(run.order_id)

    @pytest.mark.parametrize("ending", ["cancelled", "failed", "refused", "sla", "process"])
    async def test_every_end_before_the_parcel_left_voids(
        self, env: WorkflowEnvironment, doubles: OrderDoubles, ending: str
    ) -> None:
        doubles.book.refusing_parcels = ending == "refused"
        async with running_order(env, doubles, ON_SHIPMENT) as run:
            if ending != "refused":
                await parcel_asked_for(run, doubles)
            if ending == "cancelled":
                assert (await run.cancel()).outcome == "applied"
            elif ending == "failed":
                await run.deliver(OrderEventKind.SHIPMENT_FAILED, detail="lost in the flood")
            elif ending == "sla":
                await env.fast_forward(run.handle)
            elif ending == "process":
                await run.handle.cancel()
            await asyncio.gather(run.result(), return_exceptions=True)

        order = doubles.book.orders[run.order_id]
        assert (order.state, order.captured_minor) == (OrderState.CANCELLED, 0)
        assert doubles.book.at_rest(run.order_id)

    @pytest.mark.parametrize("ending", ["cancelled", "process"])
    async def test_a_parcel_that_had_left_before_it_could_be_stopped_is_paid_for(
        self, env: WorkflowEnvironment, doubles: OrderDoubles, ending: str
    ) -> None:
        async with running_order(env, doubles, ON_SHIPMENT) as run:
            await parcel_asked_for(run, doubles)
            doubles.book.parcels[run.order_id] = "left"  # and nobody has told yet
            await (run.cancel() if ending == "cancelled" else run.handle.cancel())
            await asyncio.gather(run.result(), return_exceptions=True)

        assert doubles.book.orders[run.order_id].state is OrderState.COMPLETED
        assert doubles.book.at_rest(run.order_id)

    async def test_an_order_whose_parcel_has_left_cannot_be_cancelled(
        self, env: WorkflowEnvironment, doubles: OrderDoubles
    ) -> None:
        capturing = doubles.conduct.hold("capture_shipped")
        async with running_order(env, doubles, ON_SHIPMENT) as run:
            await parcel_asked_for(run, doubles)
            await run.deliver(OrderEventKind.SHIPPED)
            await capturing.reached.wait()
            assert (await run.cancel()).outcome == "ignored"
            capturing.release.set()
            assert (await run.result()).state == "completed"

    async def test_a_lapsed_authorisation_stops_the_parcel_and_waits_for_another_method(
        self, env: WorkflowEnvironment, doubles: OrderDoubles
    ) -> None:
        async with running_order(env, doubles, ON_SHIPMENT) as run:
            await parcel_asked_for(run, doubles)
            assert (await run.deliver(OrderEventKind.PAYMENT_VOIDED)).outcome == "applied"
            await run.standing(OrderState.LAPSED)
            assert doubles.book.parcels[run.order_id] == "stopped"
            assert (await retry(run)).state == "paid"
            status = await shipped(run)

        assert (status.state, status.captured_minor) == ("completed", 12345)
        keys = {step.key for step in doubles.conduct.calls["request_fulfilment"]}
        assert len(keys) == 2, "the stopped parcel is not asked for again, another one is"
        assert doubles.book.at_rest(run.order_id)

    async def test_a_lapse_that_nobody_told_of_is_found_out_while_the_parcel_waits(
        self, env: WorkflowEnvironment
    ) -> None:
        doubles = OrderDoubles(payment_retry_window_seconds=DAY, ask_hold_seconds=DAY)
        doubles.conduct.fail("ask_after_hold", *[ProviderUnavailable("away")] * 3)
        async with running_order(env, doubles, ON_SHIPMENT) as run:
            await parcel_asked_for(run, doubles)
            # A provider that does not answer keeps nobody, and one that holds the money changes nothing.
            for asked in (3, 4):
                assert await env.fast_forward(run.handle, DAY + 60)
                await doubles.conduct.attempts("ask_after_hold", asked)
                await run.standing(OrderState.AUTHORISED)
            doubles.untold = OrderEventKind.PAYMENT_VOIDED
            assert await env.fast_forward(run.handle, DAY + 60)
            await run.standing(OrderState.LAPSED)
            assert doubles.book.parcels[run.order_id] == "stopped"
            assert (await retry(run)).state == "paid"
            status = await shipped(run)

        assert (status.state, status.captured_minor) == ("completed", 12345)
        assert doubles.conduct.count("ask_after_hold") == 5, "what is paid is not held, and not asked after"
        assert doubles.book.at_rest(run.order_id)

    async def test_a_parcel_that_never_leaves_is_late_by_the_sla_however_often_its_hold_was_asked_after(
        self, env: WorkflowEnvironment
    ) -> None:
        doubles = OrderDoubles(ask_hold_seconds=DAY, fulfilment_sla_seconds=3 * DAY)
        async with running_order(env, doubles, ON_SHIPMENT) as run:
            await parcel_asked_for(run, doubles)
            assert await env.fast_forward(run.handle, 3 * DAY - 60)
            await run.standing(OrderState.AUTHORISED)
            await env.fast_forward(run.handle, 120)
            status = await run.result()

        assert status.state == "cancelled"
        assert doubles.conduct.count("ask_after_hold") == 2
        assert doubles.book.at_rest(run.order_id)

    @pytest.mark.parametrize("window", [0, DAY])
    async def test_a_lapsed_order_that_nobody_pays_is_declined(self, env: WorkflowEnvironment, window: int) -> None:
        doubles = OrderDoubles(payment_retry_window_seconds=window)
        async with running_order(env, doubles, ON_SHIPMENT) as run:
            await parcel_asked_for(run, doubles)
            await run.deliver(OrderEventKind.PAYMENT_VOIDED)
            if window:
                await run.standing(OrderState.LAPSED)
                await env.fast_forward(run.handle)
            status = await run.result()

        assert status.state == "declined"
        assert doubles.book.parcels[run.order_id] == "stopped"
        assert doubles.book.at_rest(run.order_id)

    async def test_goods_that_left_and_money_that_cannot_be_taken_are_a_persons_matter(
        self, env: WorkflowEnvironment, doubles: OrderDoubles
    ) -> None:
        async with running_order(env, doubles, ON_SHIPMENT) as run:
            await parcel_asked_for(run, doubles)
            doubles.book.authorised.pop(run.order_id)  # lapsed at the provider, and its message is lost
            await run.deliver(OrderEventKind.SHIPPED)
            status = await run.result()

        assert (status.state, status.captured_minor) == ("needs_attention", 0)

    async def test_a_process_that_fails_after_the_parcel_left_is_paid_for(
        self, env: WorkflowEnvironment, doubles: OrderDoubles
    ) -> None:
        doubles.conduct.fail("capture_shipped", SchemaMismatch("the database is newer than this code"))
        async with running_order(env, doubles, ON_SHIPMENT) as run:
            await parcel_asked_for(run, doubles)
            await run.deliver(OrderEventKind.SHIPPED)
            await asyncio.gather(run.result(), return_exceptions=True)

        assert doubles.book.orders[run.order_id].state is OrderState.COMPLETED
        assert doubles.book.at_rest(run.order_id)
