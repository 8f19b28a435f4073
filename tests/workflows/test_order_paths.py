import asyncio
from dataclasses import replace

import pytest
from temporalio.common import SearchAttributeKey
from temporalio.testing import WorkflowEnvironment

from tests.workflows.doubles import DAY, OrderDoubles
from tests.workflows.histories import activities_in
from tests.workflows.order_run import OrderRun, order_worker, running_order, start_order, steps
from tests.workflows.samples import CHARGED, COLLECTED
from worker.contract.names import SearchAttribute
from worker.contract.orders import OrderEventKind, PlaceOrder
from worker.domain.errors import DatabaseUnavailable, ProviderUnavailable
from worker.domain.order import OrderState

pytestmark = pytest.mark.asyncio(loop_scope="session")

STATE = SearchAttributeKey.for_keyword(SearchAttribute.ORDER_STATE)


@pytest.fixture
def doubles() -> OrderDoubles:
    return OrderDoubles()


async def test_a_charged_order_is_captured_shipped_and_completed(
    env: WorkflowEnvironment, doubles: OrderDoubles
) -> None:
    async with running_order(env, doubles, CHARGED) as run:
        await run.standing(OrderState.FULFILLING)
        answer = await run.deliver(OrderEventKind.SHIPPED)
        status = await run.result()
        description = await run.handle.describe()

    assert (answer.outcome, answer.state) == ("applied", "completed")
    assert (status.state, status.captured_minor, status.refunded_minor) == ("completed", 12345, 0)
    assert steps(doubles.book, run) == "received paying authorised paid fulfilling shipped completed"
    assert doubles.book.at_rest(run.order_id)
    assert description.typed_search_attributes.get(STATE) == "completed"
    assert {name: len(calls) for name, calls in doubles.conduct.calls.items()} == {
        "record_order": 1,
        "authorise_payment": 1,
        "capture_payment": 1,
        "request_fulfilment": 1,
        "apply_event": 1,
    }


async def test_an_order_that_was_recorded_by_older_code_goes_its_old_way(env: WorkflowEnvironment) -> None:
    doubles = OrderDoubles(in_fewer_steps=False, at_once=False)
    async with running_order(env, doubles, CHARGED) as run:
        await run.standing(OrderState.FULFILLING)
        await run.deliver(OrderEventKind.SHIPPED)
        assert (await run.result()).state == "completed"
        done = await activities_in(run.handle)

    assert done == ["authorise_payment", "capture_payment", "request_fulfilment", "apply_event"]


async def test_an_order_that_was_recorded_when_a_charge_was_a_step_of_its_own_goes_that_way(
    env: WorkflowEnvironment,
) -> None:
    doubles = OrderDoubles(at_once=False)
    async with running_order(env, doubles, CHARGED) as run:
        await run.standing(OrderState.FULFILLING)
        await run.deliver(OrderEventKind.SHIPPED)
        await run.result()
        done = await activities_in(run.handle)

    assert done == ["charge_payment", "request_fulfilment"]


async def test_money_and_parcel_are_the_only_step_that_waits_in_a_queue(
    env: WorkflowEnvironment, doubles: OrderDoubles
) -> None:
    async with running_order(env, doubles, CHARGED) as run:
        await run.standing(OrderState.FULFILLING)
        await run.deliver(OrderEventKind.SHIPPED)
        await run.result()
        done = await activities_in(run.handle)

    assert done == ["charge_and_fulfil"]


async def test_each_step_outside_has_a_key_of_its_own_that_repetitions_share(
    env: WorkflowEnvironment, doubles: OrderDoubles
) -> None:
    doubles.conduct.fail("record_order", DatabaseUnavailable("gone away"))
    doubles.conduct.lose_answer("authorise_payment", ProviderUnavailable("no answer"))
    doubles.conduct.lose_answer("capture_payment", ProviderUnavailable("no answer"))
    async with running_order(env, doubles, CHARGED) as run:
        await run.standing(OrderState.FULFILLING)
        await run.deliver(OrderEventKind.SHIPPED)
        await run.result()

    keys = [
        step.key
        for name in ("authorise_payment", "capture_payment", "request_fulfilment")
        for step in doubles.conduct.calls[name]
    ]
    prefix = f"order/main/{run.order_id}"
    assert keys == [f"{prefix}:{name}" for name in ("authorise", "authorise", "capture", "capture", "fulfil")]
    assert doubles.conduct.count("record_order") == 2
    assert doubles.book.at_rest(run.order_id)


async def test_an_order_collected_by_the_shop_waits_for_its_payment(
    env: WorkflowEnvironment, doubles: OrderDoubles
) -> None:
    async with running_order(env, doubles, COLLECTED) as run:
        await run.standing(OrderState.AWAITING_PAYMENT)
        assert await env.fast_forward(run.handle, 6 * DAY)
        await run.deliver(OrderEventKind.PAYMENT_CAPTURED)
        await run.standing(OrderState.FULFILLING)
        await run.deliver(OrderEventKind.SHIPPED)
        await run.result()

    assert steps(doubles.book, run) == "received awaiting_payment paid fulfilling shipped completed"
    assert doubles.conduct.count("authorise_payment") == doubles.conduct.count("capture_payment") == 0
    assert doubles.book.at_rest(run.order_id)


async def test_an_event_that_comes_before_the_order_is_recorded_waits_for_it(
    env: WorkflowEnvironment, doubles: OrderDoubles
) -> None:
    recording = doubles.conduct.hold("record_order")
    async with running_order(env, doubles, COLLECTED) as run:
        await recording.reached.wait()
        early = asyncio.create_task(run.deliver(OrderEventKind.PAYMENT_CAPTURED))
        done, _ = await asyncio.wait({early}, timeout=0.2)
        assert not done
        recording.release.set()
        assert (await early).outcome == "applied"
        await run.standing(OrderState.FULFILLING)
        await run.deliver(OrderEventKind.SHIPPED)
        await run.result()

    assert steps(doubles.book, run) == "received awaiting_payment paid fulfilling shipped completed"


async def test_a_declined_order_ends_without_money(env: WorkflowEnvironment, doubles: OrderDoubles) -> None:
    async with running_order(env, doubles, replace(CHARGED, payment_method="pm_declined")) as run:
        status = await run.result()

    assert (status.state, status.reason) == ("declined", "do_not_honor")
    assert doubles.conduct.count("capture_payment") == doubles.conduct.count("reverse_payment") == 0
    assert doubles.book.at_rest(run.order_id)


async def test_an_order_that_breaks_a_rule_is_rejected_with_all_reasons(
    env: WorkflowEnvironment, doubles: OrderDoubles
) -> None:
    async with running_order(env, doubles, replace(CHARGED, total_minor=1, payment_method=None)) as run:
        status = await run.result()

    assert status.state == "rejected"
    assert "total is 1 but" in status.reason
    assert "payment_method is needed" in status.reason
    assert set(doubles.conduct.calls) == {"record_order"}


async def test_a_customer_who_must_act_may_pay_within_the_window(
    env: WorkflowEnvironment, doubles: OrderDoubles
) -> None:
    async with running_order(env, doubles, replace(CHARGED, payment_method="pm_needs_customer")) as run:
        await run.standing(OrderState.AWAITING_PAYMENT)
        ignored = await run.deliver(OrderEventKind.PAYMENT_FAILED)
        await run.deliver(OrderEventKind.PAYMENT_CAPTURED)
        await run.standing(OrderState.FULFILLING)
        await run.deliver(OrderEventKind.SHIPPED)
        await run.result()

    assert (ignored.outcome, ignored.state) == ("ignored", "awaiting_payment")
    assert steps(doubles.book, run) == "received paying awaiting_payment paid fulfilling shipped completed"


async def test_a_customer_who_acted_is_charged_by_us(env: WorkflowEnvironment, doubles: OrderDoubles) -> None:
    async with running_order(env, doubles, replace(CHARGED, payment_method="pm_needs_customer")) as run:
        await run.standing(OrderState.AWAITING_PAYMENT)
        await run.deliver(OrderEventKind.PAYMENT_AUTHORISED)
        await run.standing(OrderState.FULFILLING)
        await run.deliver(OrderEventKind.SHIPPED)
        await run.result()

    assert steps(doubles.book, run) == "received paying awaiting_payment authorised paid fulfilling shipped completed"
    assert doubles.conduct.count("capture_payment") == 1
    assert doubles.book.at_rest(run.order_id)


async def test_a_payment_nobody_told_of_is_asked_for_by_the_ladder(env: WorkflowEnvironment) -> None:
    doubles = OrderDoubles(ask_again_seconds=(300, 3600, DAY))
    doubles.conduct.fail("ask_payment", *[ProviderUnavailable("away")] * 3)
    async with running_order(env, doubles, COLLECTED) as run:
        await run.standing(OrderState.AWAITING_PAYMENT)
        assert await env.fast_forward(run.handle, 240)
        assert doubles.conduct.count("ask_payment") == 0
        # An owner that does not answer keeps nobody: the next rung asks again.
        assert await env.fast_forward(run.handle, 120)
        await run.standing(OrderState.AWAITING_PAYMENT)
        doubles.untold = OrderEventKind.PAYMENT_CAPTURED
        assert await env.fast_forward(run.handle, 3700)
        await run.standing(OrderState.FULFILLING)
        await run.deliver(OrderEventKind.SHIPPED)
        await run.result()

    assert steps(doubles.book, run) == "received awaiting_payment paid fulfilling shipped completed"
    assert doubles.conduct.count("ask_payment") == 4, "three tries without an answer, and one with"
    assert doubles.book.at_rest(run.order_id)


async def test_an_order_that_was_asked_for_in_vain_expires_when_its_window_closes(env: WorkflowEnvironment) -> None:
    doubles = OrderDoubles(payment_window_seconds=3 * DAY, ask_again_seconds=(300, DAY))
    async with running_order(env, doubles, COLLECTED) as run:
        await run.standing(OrderState.AWAITING_PAYMENT)
        assert await env.fast_forward(run.handle, 3 * DAY - 60)
        await run.standing(OrderState.AWAITING_PAYMENT)
        await env.fast_forward(run.handle, 120)
        status = await run.result()

    assert status.state == "expired"
    assert doubles.conduct.count("ask_payment") == 3, "after five minutes, a day and two days"


async def test_an_order_nobody_pays_expires_when_the_window_closes_and_not_before(
    env: WorkflowEnvironment, doubles: OrderDoubles
) -> None:
    async with running_order(env, doubles, COLLECTED) as run:
        await run.standing(OrderState.AWAITING_PAYMENT)
        assert await env.fast_forward(run.handle, 7 * DAY - 60)
        await run.standing(OrderState.AWAITING_PAYMENT)
        assert doubles.conduct.count("expire_order") == 0
        await env.fast_forward(run.handle, 120)
        status = await run.result()

    assert status.state == "expired"
    assert doubles.book.at_rest(run.order_id)


async def test_an_order_paid_in_part_gets_its_money_back_when_the_window_closes(
    env: WorkflowEnvironment, doubles: OrderDoubles
) -> None:
    async with running_order(env, doubles, COLLECTED) as run:
        await run.standing(OrderState.AWAITING_PAYMENT)
        await run.deliver(OrderEventKind.PAYMENT_CAPTURED, amount_minor=5000)
        await env.fast_forward(run.handle)
        status = await run.result()

    assert (status.state, status.captured_minor, status.refunded_minor) == ("refunded", 5000, 5000)
    assert doubles.book.at_rest(run.order_id)


async def test_an_order_paid_while_it_expires_is_fulfilled(env: WorkflowEnvironment) -> None:
    doubles = OrderDoubles(payment_window_seconds=1)
    expiring = doubles.conduct.hold("expire_order")
    async with running_order(env, doubles, COLLECTED) as run:
        await expiring.reached.wait()
        await run.deliver(OrderEventKind.PAYMENT_CAPTURED)
        expiring.release.set()
        await run.standing(OrderState.FULFILLING)
        await run.deliver(OrderEventKind.SHIPPED)
        await run.result()

    assert steps(doubles.book, run) == "received awaiting_payment paid fulfilling shipped completed"


async def test_a_failed_parcel_is_refunded(env: WorkflowEnvironment, doubles: OrderDoubles) -> None:
    async with running_order(env, doubles, CHARGED) as run:
        await run.standing(OrderState.FULFILLING)
        await run.deliver(OrderEventKind.SHIPMENT_FAILED, detail="lost in the flood")
        status = await run.result()

    assert (status.state, status.reason, status.refunded_minor) == ("refunded", "lost in the flood", 12345)
    assert doubles.book.at_rest(run.order_id)


@pytest.mark.parametrize(("withdrawn", "refunded"), [(12345, 0), (345, 12000)])
async def test_a_dispute_stops_the_parcel_and_gives_back_what_the_bank_did_not(
    env: WorkflowEnvironment, doubles: OrderDoubles, withdrawn: int, refunded: int
) -> None:
    async with running_order(env, doubles, CHARGED) as run:
        await run.standing(OrderState.FULFILLING)
        await run.deliver(OrderEventKind.DISPUTE_OPENED, "inquiry", amount_minor=0)  # nothing was withdrawn
        assert doubles.book.state(run.order_id) is OrderState.FULFILLING
        await run.deliver(OrderEventKind.DISPUTE_OPENED, "withdrawn", amount_minor=withdrawn)
        status = await run.result()

    assert (status.state, status.reason) == ("refunded", "the customer disputes the payment")
    assert (status.disputed_minor, status.refunded_minor) == (withdrawn, refunded)
    assert doubles.book.parcels[run.order_id] == "stopped"
    assert doubles.book.at_rest(run.order_id)


async def test_a_parcel_the_warehouse_refuses_is_refunded(env: WorkflowEnvironment, doubles: OrderDoubles) -> None:
    doubles.book.refusing_parcels = True
    async with running_order(env, doubles, CHARGED) as run:
        status = await run.result()

    assert (status.state, status.reason) == ("refunded", "the warehouse refused the parcel")
    assert steps(doubles.book, run) == "received paying authorised paid refunding refunded"
    assert doubles.conduct.count("request_fulfilment") == 2, "once with the charge, once to hear the refusal"
    assert doubles.book.at_rest(run.order_id)


async def test_a_parcel_that_never_leaves_is_stopped_and_refunded(
    env: WorkflowEnvironment, doubles: OrderDoubles
) -> None:
    async with running_order(env, doubles, CHARGED) as run:
        await run.standing(OrderState.FULFILLING)
        assert await env.fast_forward(run.handle, 14 * DAY - 60)
        await run.standing(OrderState.FULFILLING)
        await env.fast_forward(run.handle, 120)
        status = await run.result()

    assert status.state == "refunded"
    assert "within the fulfilment SLA" in status.reason
    assert doubles.book.parcels[run.order_id] == "stopped"
    assert doubles.book.at_rest(run.order_id)


async def test_a_parcel_that_left_unheard_completes_the_order_when_the_sla_passes(env: WorkflowEnvironment) -> None:
    doubles = OrderDoubles(fulfilment_sla_seconds=1)
    stopping = doubles.conduct.hold("stop_fulfilment")
    async with running_order(env, doubles, CHARGED) as run:
        await stopping.reached.wait()
        doubles.book.parcels[run.order_id] = "left"
        stopping.release.set()
        status = await run.result()

    assert status.state == "completed"
    assert doubles.conduct.count("reverse_payment") == 0
    assert doubles.book.at_rest(run.order_id)


async def test_a_refund_the_provider_refuses_is_left_to_a_person(
    env: WorkflowEnvironment, doubles: OrderDoubles
) -> None:
    doubles.book.refusing_refunds = True
    async with running_order(env, doubles, CHARGED) as run:
        await run.standing(OrderState.FULFILLING)
        await run.deliver(OrderEventKind.SHIPMENT_FAILED)
        status = await run.result()

    assert (status.state, status.refunded_minor) == ("needs_attention", 0)


@pytest.mark.parametrize(
    ("place", "last"),
    [(CHARGED, OrderState.PAID), (CHARGED, OrderState.FULFILLING), (COLLECTED, OrderState.FULFILLING)],
)
async def test_an_order_that_is_in_the_book_already_goes_on_where_it_stands(
    env: WorkflowEnvironment, doubles: OrderDoubles, place: PlaceOrder, last: OrderState
) -> None:
    """After a workflow was terminated: the next one finds the order half-way."""
    step = {OrderState.PAID: "request_fulfilment", OrderState.FULFILLING: "nothing"}[last]
    doubles.conduct.hold(step)
    async with order_worker(env, doubles) as queue:
        first = await start_order(env, queue, place)
        if place is COLLECTED:
            await first.standing(OrderState.AWAITING_PAYMENT)
            await first.deliver(OrderEventKind.PAYMENT_CAPTURED)
        await (doubles.conduct.attempts(step, 1) if last is OrderState.PAID else first.standing(last))
        await first.handle.terminate("the machine room burns")
        doubles.conduct.hold(step).release.set()

        handle = await env.client.start_workflow(
            "OrderWorkflow", replace(place, order_id=first.order_id), id=first.handle.id, task_queue=queue
        )
        second = OrderRun(env, handle, first.order_id)
        await second.standing(OrderState.FULFILLING)
        await second.deliver(OrderEventKind.SHIPPED)
        await handle.result()

    assert doubles.book.at_rest(first.order_id)
    assert doubles.conduct.count("authorise_payment") == (0 if place is COLLECTED else 1)
