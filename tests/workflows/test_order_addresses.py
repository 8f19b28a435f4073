"""Where an order's parcel goes, and how long that can be changed."""

import asyncio
from dataclasses import replace

import pytest
from temporalio.client import WorkflowUpdateFailedError
from temporalio.testing import WorkflowEnvironment

from tests.workflows.doubles import DAY, OrderDoubles
from tests.workflows.order_run import OrderRun, refused_as, running_order
from tests.workflows.samples import CHARGED, COLLECTED, HOME, WORK
from worker.contract.names import OrderMessage
from worker.contract.orders import OrderAnswer, OrderEventKind, PaymentAnswer, PaymentMode, ReaddressOrder, RetryPayment
from worker.contract.shipping import ShipTo
from worker.domain.errors import Conflict, DatabaseUnavailable, InvalidInput, ProviderUnavailable
from worker.domain.order import OrderState

pytestmark = pytest.mark.asyncio(loop_scope="session")

WAITING = replace(COLLECTED, ship_to=HOME)


@pytest.fixture
def doubles() -> OrderDoubles:
    return OrderDoubles(payment_retry_window_seconds=DAY)


async def readdress(run: OrderRun, ship_to: ShipTo = WORK, request_id: str = "a-1") -> OrderAnswer:
    request = ReaddressOrder(request_id=request_id, requested_by="shop-app", ship_to=ship_to)
    answer: OrderAnswer = await run.handle.execute_update(OrderMessage.CHANGE_ADDRESS, request, result_type=OrderAnswer)
    return answer


async def refused(run: OrderRun, ship_to: ShipTo = WORK, request_id: str = "a-1") -> str | None:
    with pytest.raises(WorkflowUpdateFailedError) as error:
        await readdress(run, ship_to, request_id)
    assert ship_to.recipient not in str(error.value.cause)
    return refused_as(error.value)


async def paid_and_shipped(run: OrderRun) -> None:
    await run.deliver(OrderEventKind.PAYMENT_CAPTURED)
    await run.standing(OrderState.FULFILLING)
    await run.deliver(OrderEventKind.SHIPPED)
    await run.result()


async def test_a_change_before_the_warehouse_is_asked_is_where_the_parcel_goes_and_takes_effect_once(
    env: WorkflowEnvironment, doubles: OrderDoubles
) -> None:
    doubles.conduct.lose_answer("change_shipping_address", DatabaseUnavailable("MySQL error 2013"))
    async with running_order(env, doubles, WAITING) as run:
        await run.standing(OrderState.AWAITING_PAYMENT)
        first = await readdress(run)
        again = await readdress(run)
        other = await refused(run, HOME)
        await paid_and_shipped(run)

    assert first == OrderAnswer(outcome="applied", state="awaiting_payment")
    assert again == replace(first, outcome="duplicate")
    assert other == Conflict.code, "an id stands for one address"
    assert doubles.book.sent_to[run.order_id] == [WORK]
    assert doubles.conduct.count("change_shipping_address") == 2, (
        "once more for the lost answer, never for a repetition"
    )


async def test_a_change_that_comes_when_the_warehouse_was_asked_is_refused_whatever_it_answered(
    env: WorkflowEnvironment, doubles: OrderDoubles
) -> None:
    doubles.conduct.lose_answer("request_fulfilment", *[ProviderUnavailable("the warehouse answered 502")] * 2)
    asking = doubles.conduct.hold("request_fulfilment")
    async with running_order(env, doubles, replace(CHARGED, ship_to=HOME)) as run:
        await asking.reached.wait()
        assert await refused(run) == Conflict.code
        asking.release.set()
        await run.standing(OrderState.FULFILLING)
        assert await refused(run, request_id="a-2") == Conflict.code
        await run.deliver(OrderEventKind.SHIPPED)
        await run.result()

    assert doubles.book.sent_to[run.order_id] == [HOME]


async def test_the_warehouse_is_not_asked_while_an_address_is_being_changed(
    env: WorkflowEnvironment, doubles: OrderDoubles
) -> None:
    changing = doubles.conduct.hold("change_shipping_address")
    async with running_order(env, doubles, WAITING) as run:
        await run.standing(OrderState.AWAITING_PAYMENT)
        change = asyncio.create_task(readdress(run))
        await changing.reached.wait()
        await run.deliver(OrderEventKind.PAYMENT_CAPTURED)
        await run.standing(OrderState.PAID)
        assert doubles.conduct.count("request_fulfilment") == 0
        changing.release.set()
        assert (await change).outcome == "applied"
        await run.standing(OrderState.FULFILLING)
        await run.deliver(OrderEventKind.SHIPPED)
        await run.result()

    assert doubles.book.sent_to[run.order_id] == [WORK]


async def test_a_parcel_that_was_stopped_may_go_elsewhere_when_it_is_asked_for_anew(
    env: WorkflowEnvironment, doubles: OrderDoubles
) -> None:
    async with running_order(env, doubles, replace(CHARGED, ship_to=HOME, payment_mode=PaymentMode.AUTHORISE)) as run:
        await doubles.conduct.attempts("request_fulfilment", 1)
        await run.standing(OrderState.AUTHORISED)
        assert await refused(run) == Conflict.code
        await run.deliver(OrderEventKind.PAYMENT_VOIDED)
        await run.standing(OrderState.LAPSED)
        assert (await readdress(run, request_id="a-2")).outcome == "applied"
        card = RetryPayment(request_id="r-1", requested_by="shop-app", payment_method="pm_card_visa")
        await run.handle.execute_update(OrderMessage.RETRY_PAYMENT, card, result_type=PaymentAnswer)
        await run.standing(OrderState.FULFILLING)
        assert await refused(run, HOME, "a-3") == Conflict.code
        await run.deliver(OrderEventKind.SHIPPED)
        await run.result()

    assert doubles.book.sent_to[run.order_id] == [HOME, WORK]


async def test_an_address_that_is_not_sound_and_an_order_that_is_being_cancelled_are_refused(
    env: WorkflowEnvironment, doubles: OrderDoubles
) -> None:
    stopping = doubles.conduct.hold("reverse_payment")
    async with running_order(env, doubles, WAITING) as run:
        await run.standing(OrderState.AWAITING_PAYMENT)
        assert await refused(run, replace(WORK, country="Atlantis")) == InvalidInput.code
        assert (await run.cancel()).outcome == "applied"
        await stopping.reached.wait()
        assert await refused(run) == Conflict.code
        stopping.release.set()
        await run.result()
