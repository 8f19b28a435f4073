"""Orders that leave in several parcels: what completes them, what their money does meanwhile, and how the rest ends."""

import asyncio
from dataclasses import replace

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.testing import WorkflowEnvironment

from tests.workflows.doubles import DAY, OrderDoubles
from tests.workflows.histories import until
from tests.workflows.order_run import OrderRun, order_worker, running_order, start_order, steps
from tests.workflows.samples import SPLIT
from worker.contract.names import OrderMessage
from worker.contract.orders import OrderEventKind, ParcelLine, PaymentAnswer, PaymentMode, RetryPayment
from worker.domain.capture import CapturePolicy
from worker.domain.order import OrderState

HELD = replace(SPLIT, payment_mode=PaymentMode.AUTHORISE)
MUGS, POT, ONE_MUG = ParcelLine(quantity=2, line=1), ParcelLine(quantity=1, sku="pot"), ParcelLine(quantity=1, line=1)
DUE_MUGS = 2500
"""Shipping and two mugs."""


@pytest.fixture
def doubles() -> OrderDoubles:
    return OrderDoubles()


async def asked_for(run: OrderRun, doubles: OrderDoubles) -> None:
    await until(run.handle, EventType.EVENT_TYPE_TIMER_STARTED)
    assert doubles.book.parcels[run.order_id] == "requested"


async def in_part(run: OrderRun, doubles: OrderDoubles) -> None:
    """Let the mugs leave, and their money be taken as far as the policy has it."""
    await asked_for(run, doubles)
    assert (await run.parcel("p1", MUGS)).outcome == "applied"
    await until_quiet(run)


async def until_quiet(run: OrderRun) -> None:
    """Wait until every step that was begun is done, and the order waits again."""
    async with asyncio.timeout(60):
        while True:
            found = await run.handle.describe()
            if not found.raw_description.pending_activities and found.status is not None:
                waits = found.raw_description.pending_workflow_task.ByteSize() == 0
                if waits:
                    return
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("place", [SPLIT, HELD], ids=["charged", "held"])
@pytest.mark.parametrize("policy", list(CapturePolicy))
@pytest.mark.parametrize("turned", [False, True])
async def test_two_parcels_in_any_order_complete_the_order(
    env: WorkflowEnvironment, doubles: OrderDoubles, place: object, policy: CapturePolicy, *, turned: bool
) -> None:
    doubles.book.policy = policy
    parcels = [("p1", MUGS), ("p2", POT)]
    async with running_order(env, doubles, place) as run:  # type: ignore[arg-type]
        await asked_for(run, doubles)
        for name, contents in reversed(parcels) if turned else parcels:
            assert (status := await run.status()) is not None
            assert status.state != "completed"
            assert (await run.parcel(name, contents)).outcome == "applied"
        status = await run.result()

    assert (status.state, status.captured_minor, status.refunded_minor) == ("completed", 5500, 0)
    assert doubles.book.at_rest(run.order_id)


async def test_one_parcel_told_of_twice_is_one_parcel(env: WorkflowEnvironment, doubles: OrderDoubles) -> None:
    async with running_order(env, doubles, SPLIT) as run:
        await asked_for(run, doubles)
        await run.parcel("p1", ONE_MUG)
        assert (await run.parcel("p1", ONE_MUG)).outcome == "duplicate"
        assert (await run.parcel("p1", ONE_MUG, event_id="another")).outcome == "ignored"
        assert (await run.status()) is not None
        assert doubles.book.orders[run.order_id].state is OrderState.FULFILLING
        await run.parcel("p2", ONE_MUG, POT)
        assert (await run.result()).state == "completed"


async def test_each_parcel_takes_its_share_and_the_shares_make_the_total(
    env: WorkflowEnvironment, doubles: OrderDoubles
) -> None:
    doubles.book.policy = CapturePolicy.EACH_PARCEL
    async with running_order(env, doubles, HELD) as run:
        await in_part(run, doubles)
        assert doubles.book.taken[run.order_id] == DUE_MUGS
        assert doubles.book.authorised[run.order_id] == 5500 - DUE_MUGS
        assert doubles.book.orders[run.order_id].state is OrderState.AUTHORISED
        await run.parcel("p2", POT)
        status = await run.result()

    assert (status.state, status.captured_minor) == ("completed", 5500)
    assert doubles.book.at_rest(run.order_id)


@pytest.mark.parametrize("policy", [None, *CapturePolicy])
@pytest.mark.parametrize("ending", ["cancelled", "failed", "process"])
async def test_the_rest_is_closed_and_the_customer_pays_for_what_left(
    env: WorkflowEnvironment, doubles: OrderDoubles, policy: CapturePolicy | None, ending: str
) -> None:
    doubles.book.policy = policy or CapturePolicy.FIRST_PARCEL
    async with running_order(env, doubles, HELD if policy else SPLIT) as run:
        await in_part(run, doubles)
        if ending == "cancelled":
            assert (await run.cancel()).outcome == "applied"
        elif ending == "failed":
            await run.deliver(OrderEventKind.SHIPMENT_FAILED, detail="the pot is broken")
        else:
            await run.handle.cancel()
        await asyncio.gather(run.result(), return_exceptions=True)

    order = doubles.book.orders[run.order_id]
    assert (order.state, order.kept_minor) == (OrderState.COMPLETED, DUE_MUGS)
    assert doubles.book.at_rest(run.order_id)


@pytest.mark.parametrize("policy", [None, *CapturePolicy])
async def test_a_rest_that_never_comes_is_for_a_person_to_see(
    env: WorkflowEnvironment, doubles: OrderDoubles, policy: CapturePolicy | None
) -> None:
    doubles.book.policy = policy or CapturePolicy.FIRST_PARCEL
    async with running_order(env, doubles, HELD if policy else SPLIT) as run:
        await in_part(run, doubles)
        await env.fast_forward(run.handle)
        status = await run.result()

    assert status.state == "needs_attention"
    assert "the rest was not shipped within the fulfilment SLA" in status.reason
    order = doubles.book.orders[run.order_id]
    assert order.kept_minor == doubles.book.taken[run.order_id] == DUE_MUGS
    assert doubles.book.authorised[run.order_id] == 0


async def test_a_hold_that_lapses_between_parcels_stops_the_rest(
    env: WorkflowEnvironment, doubles: OrderDoubles
) -> None:
    doubles.book.policy = CapturePolicy.EACH_PARCEL
    async with running_order(env, doubles, HELD) as run:
        await in_part(run, doubles)
        await run.deliver(OrderEventKind.PAYMENT_VOIDED)
        status = await run.result()

    assert (status.state, status.captured_minor) == ("needs_attention", DUE_MUGS)
    assert "lapsed" in status.reason


async def test_a_new_run_knows_that_a_part_has_left(env: WorkflowEnvironment, doubles: OrderDoubles) -> None:
    doubles.book.policy = CapturePolicy.EACH_PARCEL
    async with order_worker(env, doubles) as queue:
        run = await start_order(env, queue, HELD)
        await in_part(run, doubles)
        first = (await run.handle.describe()).run_id
        for number in range(60):
            await run.deliver(OrderEventKind.REFUNDED, f"evt-{number}")
            if (await run.handle.describe()).run_id != first:
                break
        assert (await run.handle.describe()).run_id != first
        assert (await run.cancel()).outcome == "applied"
        await asyncio.gather(run.handle.result(), return_exceptions=True)
        async with asyncio.timeout(60):
            while doubles.book.orders[run.order_id].state is not OrderState.COMPLETED:
                await asyncio.sleep(0.05)

    assert doubles.book.orders[run.order_id].kept_minor == DUE_MUGS
    assert steps(doubles.book, run).split()[-1] == "completed"


class TestRestPaidOtherwise:
    """A hold that lapses when a part has left: another method may pay for the rest."""

    @pytest.fixture
    def doubles(self) -> OrderDoubles:
        doubles = OrderDoubles(payment_retry_window_seconds=DAY)
        doubles.book.policy = CapturePolicy.EACH_PARCEL
        return doubles

    @staticmethod
    async def lapsed(run: OrderRun, doubles: OrderDoubles) -> None:
        await in_part(run, doubles)
        await run.deliver(OrderEventKind.PAYMENT_VOIDED)
        await run.standing(OrderState.LAPSED)

    @staticmethod
    async def retry(run: OrderRun, method: str = "pm_card_visa", request_id: str = "r-1") -> PaymentAnswer:
        request = RetryPayment(request_id=request_id, requested_by="shop-app", payment_method=method)
        answer: PaymentAnswer = await run.handle.execute_update(
            OrderMessage.RETRY_PAYMENT, request, result_type=PaymentAnswer
        )
        return answer

    @pytest.mark.parametrize("policy", [CapturePolicy.EACH_PARCEL, CapturePolicy.LAST_PARCEL])
    async def test_exactly_what_is_owed_is_taken_and_the_rest_asked_for_and_sent(
        self, env: WorkflowEnvironment, doubles: OrderDoubles, policy: CapturePolicy
    ) -> None:
        doubles.book.policy = policy
        before = DUE_MUGS if policy is CapturePolicy.EACH_PARCEL else 0
        async with running_order(env, doubles, HELD) as run:
            await self.lapsed(run, doubles)
            assert doubles.book.taken[run.order_id] == before
            assert (await self.retry(run, "pm_declined", "r-0")).state == "lapsed"
            assert (await self.retry(run)).state == "paid"
            await run.standing(OrderState.FULFILLING)
            assert (await run.deliver(OrderEventKind.PAYMENT_VOIDED, "late")).outcome == "ignored"
            await run.parcel("p2", POT)
            status = await run.result()

        assert (status.state, status.captured_minor) == ("completed", 5500)
        assert steps(doubles.book, run) == ("received paying authorised lapsed paid fulfilling shipped completed")
        assert doubles.conduct.count("request_rest") == 1
        assert doubles.book.at_rest(run.order_id)

    @pytest.mark.parametrize("ending", ["window", "stolen"])
    async def test_an_unpaid_rest_is_closed_and_what_left_stays_paid(
        self, env: WorkflowEnvironment, doubles: OrderDoubles, ending: str
    ) -> None:
        async with running_order(env, doubles, HELD) as run:
            await self.lapsed(run, doubles)
            if ending == "window":
                assert await env.fast_forward(run.handle, DAY - 60)
                await run.standing(OrderState.LAPSED)
                await env.fast_forward(run.handle, 120)
            else:
                assert (await self.retry(run, "pm_stolen")).state == "lapsed"
            status = await run.result()

        assert (status.state, status.captured_minor, status.refunded_minor) == ("needs_attention", DUE_MUGS, 0)
        assert "no other method paid for the rest" in status.reason
        assert doubles.book.taken[run.order_id] == DUE_MUGS
        assert doubles.conduct.count("request_rest") == 0

    @pytest.mark.parametrize("paid", [True, False])
    @pytest.mark.parametrize("how", ["message", "process"])
    async def test_a_cancellation_closes_the_rest_and_gives_its_money_back(
        self, env: WorkflowEnvironment, doubles: OrderDoubles, how: str, *, paid: bool
    ) -> None:
        async with running_order(env, doubles, HELD) as run:
            await self.lapsed(run, doubles)
            if paid:
                await self.retry(run)
                await run.standing(OrderState.FULFILLING)
            if how == "message":
                assert (await run.cancel()).outcome == "applied"
            else:
                await run.handle.cancel()
            await asyncio.gather(run.result(), return_exceptions=True)

        order = doubles.book.orders[run.order_id]
        assert (order.state, order.kept_minor) == (OrderState.COMPLETED, DUE_MUGS)
        assert doubles.book.at_rest(run.order_id)

    async def test_a_rest_that_the_warehouse_refuses_is_given_back(
        self, env: WorkflowEnvironment, doubles: OrderDoubles
    ) -> None:
        async with running_order(env, doubles, HELD) as run:
            await self.lapsed(run, doubles)
            doubles.book.refusing_parcels = True
            await self.retry(run)
            status = await run.result()

        assert (status.state, status.captured_minor, status.refunded_minor) == ("completed", 5500, 5500 - DUE_MUGS)

    async def test_a_new_run_goes_on_waiting_for_the_method(
        self, env: WorkflowEnvironment, doubles: OrderDoubles
    ) -> None:
        async with order_worker(env, doubles) as queue:
            run = await start_order(env, queue, HELD)
            await self.lapsed(run, doubles)
            first = (await run.handle.describe()).run_id
            for number in range(60):
                await run.deliver(OrderEventKind.REFUNDED, f"evt-{number}")
                if (await run.handle.describe()).run_id != first:
                    break
            assert (await run.handle.describe()).run_id != first
            assert (await self.retry(run)).state == "paid"
            await run.standing(OrderState.FULFILLING)
            await run.parcel("p2", POT)
            async with asyncio.timeout(60):
                while doubles.book.orders[run.order_id].state is not OrderState.COMPLETED:
                    await asyncio.sleep(0.05)

        assert doubles.book.at_rest(run.order_id)
