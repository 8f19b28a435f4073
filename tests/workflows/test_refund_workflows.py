import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest
from temporalio.client import WorkflowFailureError, WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment

from tests.workflows.doubles import OrderDoubles, activities_of
from tests.workflows.order_run import OrderRun, refused_as, start_order
from tests.workflows.refund_doubles import RefundDoubles
from tests.workflows.samples import CHARGED, COLLECTED, SPLIT
from tests.workflows.test_doubles import signatures
from tests.workflows.timeskipping import serving
from worker.activities.refunds import RefundActivities
from worker.contract.names import OrderMessage
from worker.contract.orders import (
    LateRefund,
    OrderEventKind,
    ParcelLine,
    PaymentMode,
    PlaceOrder,
    RefundAnswer,
    RefundOrder,
)
from worker.domain.capture import CapturePolicy
from worker.domain.errors import ProviderUnavailable
from worker.domain.order import OrderState
from worker.workflows.order import OrderWorkflow
from worker.workflows.refund import RefundWorkflow

pytestmark = pytest.mark.asyncio(loop_scope="session")
TOTAL = 12345


@dataclass(frozen=True)
class Till:
    """An order under way, its doubles, and the counter at which money is asked back."""

    env: WorkflowEnvironment
    queue: str
    run: OrderRun
    orders: OrderDoubles
    refunds: RefundDoubles

    async def refund(self, amount_minor: int | None = None, request_id: str = "r-1", reason: str = "") -> RefundAnswer:
        """Ask as the function does, but under an update id of its own."""
        request = RefundOrder(request_id=request_id, requested_by="shop-app", amount_minor=amount_minor, reason=reason)
        answer: RefundAnswer = await self.run.handle.execute_update(
            OrderMessage.REFUND, request, result_type=RefundAnswer
        )
        return answer

    async def refused(self, *arguments: Any) -> str | None:
        with pytest.raises(WorkflowUpdateFailedError) as refusal:
            await self.refund(*arguments)
        return refused_as(refusal.value)

    async def late(self, amount_minor: int | None = None, request_id: str = "r-1") -> RefundAnswer:
        order_id = self.run.order_id
        refund = RefundOrder(request_id=request_id, requested_by="shop-app", amount_minor=amount_minor)
        return await self.env.client.execute_workflow(
            RefundWorkflow.run,
            LateRefund(shop="main", order_id=order_id, refund=refund),
            id=f"refund/main/{order_id}/{request_id}",
            task_queue=self.queue,
        )

    async def refused_late(self, *arguments: Any) -> str | None:
        with pytest.raises(WorkflowFailureError) as failure:
            await self.late(*arguments)
        assert isinstance(failure.value.cause, ApplicationError)
        return failure.value.cause.type

    async def ships(self) -> None:
        await self.run.deliver(OrderEventKind.SHIPPED)
        assert (await self.run.result()).state == "completed"


@asynccontextmanager
async def till(env: WorkflowEnvironment, place: PlaceOrder = CHARGED) -> AsyncIterator[Till]:
    orders = OrderDoubles()
    refunds = RefundDoubles(orders)
    activities = [*activities_of(orders), *activities_of(refunds)]
    async with serving(env.client, [OrderWorkflow, RefundWorkflow], activities) as queue:
        yield Till(env, queue, await start_order(env, queue, place), orders, refunds)


async def test_the_doubles_have_the_real_names_and_types() -> None:
    assert signatures(RefundActivities) == signatures(RefundDoubles)


async def test_parts_are_refunded_and_the_order_goes_on(env: WorkflowEnvironment) -> None:
    async with till(env) as counter:
        await counter.run.standing(OrderState.FULFILLING)
        first = await counter.refund(345, "r-1", "one mug was broken")
        second = await counter.refund(1000, "r-2")
        await counter.ships()
        status = await counter.run.status()

    assert (first.outcome, first.state, first.currency, first.amount_minor) == ("applied", "fulfilling", "EUR", 345)
    assert (second.amount_minor, second.refunded_minor) == (1000, 1345)
    assert status is not None
    assert (status.captured_minor, status.refunded_minor) == (TOTAL, 1345)
    assert counter.orders.book.taken[counter.run.order_id] == TOTAL - 1345


async def test_a_request_is_fulfilled_once(env: WorkflowEnvironment) -> None:
    async with till(env) as counter:
        await counter.run.standing(OrderState.FULFILLING)
        answers = await asyncio.gather(*(counter.refund(345) for _ in range(5)))
        other = await counter.refused(346)
        await counter.ships()

    assert sorted(answer.outcome for answer in answers) == ["applied", *["duplicate"] * 4]
    assert {answer.refunded_minor for answer in answers} == {345}
    assert other == "conflict"
    assert list(counter.refunds.made.values()) == [345]


async def test_all_of_it_before_the_parcel_left_ends_the_order(env: WorkflowEnvironment) -> None:
    async with till(env) as counter:
        await counter.run.standing(OrderState.FULFILLING)
        answer = await counter.refund(None, "r-1", "out of stock after all")
        status = await counter.run.result()

    assert (answer.amount_minor, answer.refunded_minor) == (TOTAL, TOTAL)
    assert (status.state, status.reason) == ("refunded", "out of stock after all")
    assert counter.orders.book.at_rest(counter.run.order_id)
    assert counter.orders.book.parcels[counter.run.order_id] == "stopped"


async def test_what_is_not_there_cannot_be_refunded(env: WorkflowEnvironment) -> None:
    async with till(env, COLLECTED) as counter:
        await counter.run.standing(OrderState.AWAITING_PAYMENT)
        unpaid = await counter.refused(1)
        await counter.run.deliver(OrderEventKind.PAYMENT_CAPTURED)
        await counter.run.standing(OrderState.FULFILLING)
        too_much = await counter.refused(TOTAL + 1)
        nothing = await counter.refused(0)
        await counter.refund(345, "r-1")
        more_than_left = await counter.refused(TOTAL, "r-2")
        await counter.ships()

    assert (unpaid, too_much, nothing, more_than_left) == (
        "conflict",
        "invalid_input",
        "invalid_input",
        "invalid_input",
    )
    assert list(counter.refunds.made.values()) == [345]


async def test_two_at_once_share_what_is_there(env: WorkflowEnvironment) -> None:
    async with till(env) as counter:
        await counter.run.standing(OrderState.FULFILLING)
        answers = await asyncio.gather(
            *(counter.refund(10_000, f"r-{number}") for number in range(2)), return_exceptions=True
        )
        await counter.ships()

    assert sum(isinstance(answer, RefundAnswer) for answer in answers) == 1
    assert list(counter.refunds.made.values()) == [10_000]


async def test_a_reversal_waits_for_a_refund_under_way_and_gives_back_the_rest(env: WorkflowEnvironment) -> None:
    async with till(env) as counter:
        await counter.run.standing(OrderState.FULFILLING)
        making = counter.orders.conduct.hold("make_refund")
        refunding = asyncio.create_task(counter.refund(345))
        await making.reached.wait()
        assert (await counter.run.cancel()).outcome == "applied"
        assert await counter.refused(1, "r-2") == "conflict"
        await counter.orders.conduct.attempts("stop_fulfilment", 1)
        assert counter.orders.conduct.count("reverse_payment") == 0
        making.release.set()
        assert (await refunding).refunded_minor == 345
        status = await counter.run.result()

    assert (status.state, status.refunded_minor) == ("cancelled", TOTAL)
    assert counter.orders.book.at_rest(counter.run.order_id)


async def test_an_answer_that_got_lost_is_no_second_refund(env: WorkflowEnvironment) -> None:
    async with till(env) as counter:
        await counter.run.standing(OrderState.FULFILLING)
        counter.orders.conduct.lose_answer("make_refund", ProviderUnavailable("the line went dead"))
        assert (await counter.refund(345)).refunded_minor == 345
        await counter.ships()

    assert counter.orders.conduct.count("plan_refund") == 1
    assert counter.orders.conduct.count("make_refund") == 2
    assert counter.orders.book.taken[counter.run.order_id] == TOTAL - 345


async def test_what_the_provider_refuses_is_told_and_may_be_asked_again(env: WorkflowEnvironment) -> None:
    async with till(env) as counter:
        await counter.run.standing(OrderState.FULFILLING)
        counter.refunds.refusing = True
        assert await counter.refused(345) == "provider_rejected"
        counter.refunds.refusing = False
        assert (await counter.refund(345)).outcome == "applied"
        await counter.ships()


async def test_an_order_that_is_over_is_refunded_by_a_process_of_its_own(env: WorkflowEnvironment) -> None:
    async with till(env) as counter:
        await counter.run.standing(OrderState.FULFILLING)
        await counter.refund(345, "r-1")
        await counter.ships()
        again = await counter.late(345, "r-1")  # the same request, met again on the other side of the end
        late = await counter.late(1000, "r-2")
        too_much = await counter.refused_late(TOTAL, "r-3")
        rest = await counter.late(None, "r-4")
        nothing = await counter.refused_late(None, "r-5")

    assert (again.outcome, again.refunded_minor) == ("applied", 345)
    assert (late.outcome, late.state, late.refunded_minor) == ("applied", "completed", 1345)
    assert too_much == "invalid_input"
    assert (rest.amount_minor, rest.refunded_minor) == (TOTAL - 1345, TOTAL)
    assert nothing == "conflict"
    assert counter.orders.book.taken[counter.run.order_id] == 0


@pytest.mark.parametrize("mode", [PaymentMode.CHARGE, PaymentMode.AUTHORISE])
async def test_all_of_it_after_a_part_has_left_keeps_the_rest_from_leaving_unpaid(
    env: WorkflowEnvironment, mode: PaymentMode
) -> None:
    async with till(env, replace(SPLIT, payment_mode=mode)) as counter:
        await counter.run.parcels_are_waited_for()
        await counter.run.parcel("p1", ParcelLine(quantity=2, line=1))
        await counter.run.standing(OrderState.FULFILLING)
        await counter.refund(1000, "r-1")
        await counter.refund(None, "r-2", "we are sorry")
        status = await counter.run.result()

    assert status.state == "completed"
    assert counter.orders.book.taken[counter.run.order_id] == 0
    assert counter.orders.conduct.count("stop_fulfilment") == 1


async def test_a_share_that_is_refunded_leaves_what_is_held_for_the_rest(env: WorkflowEnvironment) -> None:
    async with till(env, replace(SPLIT, payment_mode=PaymentMode.AUTHORISE)) as counter:
        counter.orders.book.policy = CapturePolicy.EACH_PARCEL
        await counter.run.parcels_are_waited_for()
        await counter.run.parcel("p1", ParcelLine(quantity=2, line=1))
        await counter.run.captured()
        share = (await counter.refund(None, "r-1", "scratched")).amount_minor
        await counter.run.parcel("p2", ParcelLine(quantity=1, line=2))
        status = await counter.run.result()

    assert (status.state, status.captured_minor, status.refunded_minor) == ("completed", 5500, share)
    assert counter.orders.conduct.count("stop_fulfilment") == 0
