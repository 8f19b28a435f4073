"""Part payments and refused events: neither leaves an order where nobody looks after it."""

from collections.abc import Callable

import pytest
from temporalio.client import WorkflowUpdateFailedError
from temporalio.testing import WorkflowEnvironment

from tests.workflows.doubles import DAY, OrderDoubles
from tests.workflows.order_run import running_order
from tests.workflows.samples import CHARGED, COLLECTED
from worker.contract.orders import OrderEventKind, OrderStatus
from worker.domain.errors import ProviderRejected, SchemaMismatch
from worker.domain.order import OrderState
from worker.services.order_messages import status_of

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_an_order_paid_in_part_gives_it_back_when_the_window_closes(
    env: WorkflowEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    doubles = OrderDoubles(payment_window_seconds=DAY)
    monkeypatch.setattr(doubles.book, "expire", holding_a_part(doubles))
    async with running_order(env, doubles, COLLECTED) as run:
        await run.standing(OrderState.AWAITING_PAYMENT)
        await env.fast_forward(run.handle, DAY + 1)
        status = await run.result()

    assert (status.state, status.captured_minor, status.refunded_minor) == (OrderState.REFUNDED, 400, 400)
    assert doubles.book.at_rest(run.order_id)


async def test_an_event_that_is_refused_keeps_no_order_open_and_is_no_duplicate_when_it_comes_again(
    env: WorkflowEnvironment,
) -> None:
    doubles = OrderDoubles()
    doubles.conduct.fail("apply_event", ProviderRejected("the provider does not know the payment"))
    async with running_order(env, doubles, COLLECTED) as run:
        await run.standing(OrderState.AWAITING_PAYMENT)
        with pytest.raises(WorkflowUpdateFailedError):
            await run.deliver(OrderEventKind.PAYMENT_CAPTURED, "evt-1")
        assert (await run.deliver(OrderEventKind.PAYMENT_CAPTURED, "evt-1")).outcome == "applied"
        await run.standing(OrderState.FULFILLING)
        await run.deliver(OrderEventKind.SHIPPED)
        assert (await run.result()).state == OrderState.COMPLETED


async def test_a_parcel_that_could_not_be_noted_is_no_duplicate_when_it_is_told_of_again(
    env: WorkflowEnvironment,
) -> None:
    doubles = OrderDoubles()
    async with running_order(env, doubles, CHARGED) as run:
        await run.standing(OrderState.FULFILLING)
        doubles.conduct.fail("apply_event", SchemaMismatch("the database is newer than this code"))
        with pytest.raises(WorkflowUpdateFailedError):
            await run.deliver(OrderEventKind.SHIPPED, "evt-1")
        assert (await run.deliver(OrderEventKind.SHIPPED, "evt-1")).outcome == "applied"
        assert (await run.result()).state == OrderState.COMPLETED


def holding_a_part(doubles: OrderDoubles) -> Callable[[str], OrderStatus]:
    """Return an expiry that finds 4.00 of the money: it leaves the order for its process to end."""

    def expire(order_id: str) -> OrderStatus:
        doubles.book.taken[order_id] += 400
        return status_of(doubles.book._book(order_id, "part", 400))

    return expire
