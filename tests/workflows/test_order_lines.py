"""Single lines of an order are cancelled: less is owed, what was paid goes back, and the rest is asked for anew."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowUpdateFailedError
from temporalio.testing import WorkflowEnvironment

from tests.workflows.doubles import DAY, OrderDoubles, activities_of
from tests.workflows.histories import until
from tests.workflows.order_run import OrderRun, refused_as, start_order
from tests.workflows.refund_doubles import RefundDoubles
from tests.workflows.samples import COLLECTED, SPLIT
from tests.workflows.timeskipping import serving
from worker.contract.names import OrderMessage
from worker.contract.orders import (
    CancelLines,
    LineCut,
    LinesAnswer,
    OrderEventKind,
    ParcelLine,
    PaymentAnswer,
    PaymentMode,
    PlaceOrder,
    RetryPayment,
)
from worker.domain.capture import CapturePolicy
from worker.domain.errors import Conflict, InvalidInput, ProviderUnavailable
from worker.domain.order import OrderState
from worker.workflows.order import OrderWorkflow

HELD = replace(SPLIT, payment_mode=PaymentMode.AUTHORISE)
POT, ONE_MUG, MUGS = LineCut(line=2, quantity=1), LineCut(line=1, quantity=1), LineCut(line=1, quantity=2)


class Sold:
    """One order under way, with what is done outside for it."""

    def __init__(self, doubles: OrderDoubles, refunds: RefundDoubles, run: OrderRun) -> None:
        self.doubles, self.refunds, self.run = doubles, refunds, run
        self.book = doubles.book

    async def cancel(self, *lines: LineCut, request_id: str = "l-1") -> LinesAnswer:
        """Ask for pieces to be cancelled, as the function does."""
        request = CancelLines(request_id=request_id, requested_by="shop-app", lines=lines, reason="sold out")
        answer: LinesAnswer = await self.run.handle.execute_update(
            OrderMessage.CANCEL_LINES, request, result_type=LinesAnswer
        )
        return answer

    async def refused(self, *lines: LineCut, request_id: str = "l-1") -> str | None:
        with pytest.raises(WorkflowUpdateFailedError) as refusal:
            await self.cancel(*lines, request_id=request_id)
        return refused_as(refusal.value)

    async def ended(self) -> OrderState:
        await asyncio.gather(self.run.result(), return_exceptions=True)
        return self.book.orders[self.run.order_id].state


@pytest.fixture
def doubles() -> OrderDoubles:
    return OrderDoubles(payment_retry_window_seconds=DAY)


@asynccontextmanager
async def selling(env: WorkflowEnvironment, doubles: OrderDoubles, place: PlaceOrder) -> AsyncIterator[Sold]:
    """Run an order until its parcel is asked for."""
    refunds = RefundDoubles(doubles)
    activities = [*activities_of(doubles), *activities_of(refunds)]
    async with serving(env.client, [OrderWorkflow], activities) as queue:
        run = await start_order(env, queue, place)
        await until(run.handle, EventType.EVENT_TYPE_TIMER_STARTED)
        yield Sold(doubles, refunds, run)


async def test_what_was_paid_for_a_line_goes_back_and_the_rest_leaves(
    env: WorkflowEnvironment, doubles: OrderDoubles
) -> None:
    async with selling(env, doubles, SPLIT) as sold:
        answer = await sold.cancel(POT)
        assert answer == LinesAnswer(
            outcome="applied",
            state="fulfilling",
            currency="EUR",
            amount_minor=3000,
            refunded_minor=3000,
            total_minor=2500,
        )
        assert await sold.cancel(POT) == replace(answer, outcome="duplicate")
        assert await sold.refused(ONE_MUG) == Conflict.code, "this id stands for other pieces"
        assert sold.book.parcels[sold.run.order_id] == "requested"
        await sold.run.parcel("p1", ParcelLine(quantity=2, line=1))
        assert await sold.ended() is OrderState.COMPLETED
        order = sold.book.orders[sold.run.order_id]

    assert (order.total_minor, order.captured_minor, order.kept_minor) == (2500, 5500, 2500)
    assert list(sold.refunds.made.values()) == [3000]
    assert doubles.conduct.count("request_rest") == 1
    assert sold.book.at_rest(sold.run.order_id)


@pytest.mark.parametrize("policy", list(CapturePolicy))
async def test_of_money_that_is_held_less_is_captured(
    env: WorkflowEnvironment, doubles: OrderDoubles, policy: CapturePolicy
) -> None:
    doubles.book.policy = policy
    async with selling(env, doubles, HELD) as sold:
        answer = await sold.cancel(ONE_MUG)
        assert (answer.state, answer.amount_minor, answer.refunded_minor) == ("authorised", 1000, 0)
        await sold.run.parcel("p1", ParcelLine(quantity=1, line=1))
        await sold.run.parcel("p2", ParcelLine(quantity=1, line=2))
        assert await sold.ended() is OrderState.COMPLETED

    assert sold.book.orders[sold.run.order_id].kept_minor == 4500
    assert sold.refunds.made == {}
    assert sold.book.at_rest(sold.run.order_id)


@pytest.mark.parametrize("place", [SPLIT, HELD], ids=["charged", "held"])
async def test_what_has_left_stays_and_all_the_rest_is_a_cancellation(
    env: WorkflowEnvironment, doubles: OrderDoubles, place: PlaceOrder
) -> None:
    doubles.book.policy = CapturePolicy.EACH_PARCEL
    async with selling(env, doubles, place) as sold:
        await sold.run.parcel("p1", ParcelLine(quantity=1, line=1))
        assert await sold.refused(MUGS) == Conflict.code, "one of them has left"
        assert (await sold.cancel(ONE_MUG, request_id="l-2")).amount_minor == 1000
        everything = await sold.cancel(POT, request_id="l-3")
        assert (everything.outcome, everything.reason) == ("applied", "order_cancelled")
        assert await sold.ended() is OrderState.COMPLETED

    assert sold.book.orders[sold.run.order_id].kept_minor == 1500, "one mug and the shipping"
    assert sold.book.at_rest(sold.run.order_id)


async def test_all_lines_of_an_order_are_the_order(env: WorkflowEnvironment, doubles: OrderDoubles) -> None:
    async with selling(env, doubles, SPLIT) as sold:
        assert (await sold.cancel(MUGS, POT)).reason == "order_cancelled"
        assert await sold.ended() is OrderState.CANCELLED

    assert sold.book.orders[sold.run.order_id].kept_minor == 0
    assert sold.book.at_rest(sold.run.order_id)


async def test_what_cannot_be_cancelled_is_refused_and_nothing_is_stopped(
    env: WorkflowEnvironment, doubles: OrderDoubles
) -> None:
    async with selling(env, doubles, SPLIT) as sold:
        assert await sold.refused() == InvalidInput.code
        assert await sold.refused(LineCut(line=3, quantity=1)) == InvalidInput.code
        assert await sold.refused(LineCut(line=1, quantity=0)) == InvalidInput.code
        assert await sold.refused(LineCut(line=1, quantity=3)) == Conflict.code
        assert doubles.conduct.count("stop_fulfilment") == 0
        await sold.run.parcel("p1", ParcelLine(quantity=2, line=1), ParcelLine(quantity=1, line=2))
        await sold.ended()
    async with selling(env, doubles, COLLECTED) as sold:
        assert await sold.refused(LineCut(line=1, quantity=1)) == Conflict.code
        await sold.run.cancel()
        await sold.ended()


@pytest.mark.parametrize("place", [SPLIT, HELD], ids=["charged", "held"])
async def test_a_parcel_that_had_left_before_it_could_be_stopped_keeps_its_pieces(
    env: WorkflowEnvironment, doubles: OrderDoubles, place: PlaceOrder
) -> None:
    looking = doubles.conduct.hold_answer("look_at_lines")
    async with selling(env, doubles, place) as sold:
        asked = asyncio.create_task(sold.refused(POT))
        await looking.reached.wait()
        sold.book.parcels[sold.run.order_id] = "left"  # and nobody has told yet
        looking.release.set()
        if place is HELD:
            await sold.run.deliver(OrderEventKind.SHIPPED)
        assert await asked == Conflict.code
        assert await sold.ended() is OrderState.COMPLETED

    assert sold.book.orders[sold.run.order_id].kept_minor == 5500
    assert sold.book.at_rest(sold.run.order_id)


@pytest.mark.parametrize("step", ["stop_fulfilment", "cancel_lines", "request_rest"])
@pytest.mark.parametrize("how", ["message", "process"])
async def test_a_cancellation_meanwhile_takes_the_whole_order(
    env: WorkflowEnvironment, doubles: OrderDoubles, step: str, how: str
) -> None:
    doing = doubles.conduct.hold(step)
    async with selling(env, doubles, SPLIT) as sold:
        asked = asyncio.create_task(sold.cancel(POT))
        await doing.reached.wait()
        if how == "message":
            assert (await sold.run.cancel()).outcome == "applied"
        else:
            await sold.run.handle.cancel()
            await sold.run.cancellation_heard()
        doing.release.set()
        assert (await asked).outcome == "applied"
        assert await sold.ended() is OrderState.CANCELLED

    assert sold.book.at_rest(sold.run.order_id)


async def test_the_stopped_parcels_failure_does_not_end_the_order(
    env: WorkflowEnvironment, doubles: OrderDoubles
) -> None:
    cancelling = doubles.conduct.hold("cancel_lines")
    async with selling(env, doubles, SPLIT) as sold:
        asked = asyncio.create_task(sold.cancel(POT))
        await cancelling.reached.wait()
        await sold.run.deliver(OrderEventKind.SHIPMENT_FAILED, detail="cancelled")
        cancelling.release.set()
        assert (await asked).amount_minor == 3000
        await sold.run.parcel("p1", ParcelLine(quantity=2, line=1))
        assert await sold.ended() is OrderState.COMPLETED


@pytest.mark.parametrize("step", ["look_at_lines", "stop_fulfilment", "cancel_lines", "request_rest", "make_refund"])
async def test_a_step_whose_answer_is_lost_is_done_once(
    env: WorkflowEnvironment, doubles: OrderDoubles, step: str
) -> None:
    doubles.conduct.lose_answer(step, ProviderUnavailable("no answer"))
    async with selling(env, doubles, SPLIT) as sold:
        assert (await sold.cancel(POT)).refunded_minor == 3000
        await sold.run.parcel("p1", ParcelLine(quantity=2, line=1))
        await sold.ended()

    assert sold.book.orders[sold.run.order_id].kept_minor == 2500
    assert sold.book.at_rest(sold.run.order_id)


async def test_a_refund_that_is_refused_is_said(env: WorkflowEnvironment, doubles: OrderDoubles) -> None:
    async with selling(env, doubles, SPLIT) as sold:
        sold.refunds.refusing = True
        answer = await sold.cancel(POT)
        assert (answer.outcome, answer.amount_minor, answer.refunded_minor) == ("applied", 3000, 0)
        assert answer.reason == "provider_rejected"
        await sold.run.parcel("p1", ParcelLine(quantity=2, line=1))
        assert await sold.ended() is OrderState.COMPLETED

    assert sold.book.orders[sold.run.order_id].kept_minor == 5500, "reconciliation tells of it"


async def test_a_rest_that_the_warehouse_refuses_ends_the_order(
    env: WorkflowEnvironment, doubles: OrderDoubles
) -> None:
    async with selling(env, doubles, SPLIT) as sold:
        sold.book.refusing_parcels = True
        assert (await sold.cancel(POT)).outcome == "applied"
        assert await sold.ended() is OrderState.REFUNDED

    assert sold.book.at_rest(sold.run.order_id)


async def test_a_lapsed_order_is_paid_for_what_it_still_has(env: WorkflowEnvironment, doubles: OrderDoubles) -> None:
    async with selling(env, doubles, HELD) as sold:
        await sold.run.deliver(OrderEventKind.PAYMENT_VOIDED)
        await sold.run.standing(OrderState.LAPSED)
        assert (await sold.cancel(POT)).state == "lapsed"
        assert doubles.conduct.count("request_rest") == 0, "nothing is asked for before it is paid"
        request = RetryPayment(request_id="r-1", requested_by="shop-app", payment_method="pm_card_visa")
        await sold.run.handle.execute_update(OrderMessage.RETRY_PAYMENT, request, result_type=PaymentAnswer)
        await sold.run.standing(OrderState.FULFILLING)
        await sold.run.parcel("p1", ParcelLine(quantity=2, line=1))
        assert await sold.ended() is OrderState.COMPLETED

    assert sold.book.taken[sold.run.order_id] == 2500
    assert sold.book.at_rest(sold.run.order_id)
