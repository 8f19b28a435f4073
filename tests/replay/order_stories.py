"""Stories of orders, and how an order is run through one for its history."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowHandle, WorkflowUpdateFailedError
from temporalio.testing import WorkflowEnvironment

from tests.workflows.doubles import (
    OrderDoubles,
    activities_of,
)
from tests.workflows.histories import ended, until
from tests.workflows.order_run import OrderRun, start_order
from tests.workflows.refund_doubles import RefundDoubles
from tests.workflows.samples import CHARGED, COLLECTED, HOME, SPLIT, WORK
from tests.workflows.timeskipping import LONG_HISTORY, serving
from worker.contract.names import OrderMessage
from worker.contract.orders import (
    CancelLines,
    LineCut,
    LinesAnswer,
    OrderAnswer,
    OrderEventKind,
    ParcelLine,
    PaymentAnswer,
    PaymentMode,
    PlaceOrder,
    ReaddressOrder,
    RefundAnswer,
    RefundOrder,
    RetryPayment,
)
from worker.domain.capture import CapturePolicy
from worker.domain.errors import NotFound, ProviderUnavailable, SchemaMismatch
from worker.domain.order import OrderState
from worker.workflows.order import OrderWorkflow

Handle = WorkflowHandle[Any, Any]
Walk = Callable[[WorkflowEnvironment], Awaitable[Handle]]
Story = Callable[[OrderRun], Awaitable[object]]

EVENTS_OF_A_MESSAGE = 8
"""A message leaves at least so many events in its workflow's history."""
REFUSED = replace(CHARGED, payment_method="pm_declined")
HELD = replace(CHARGED, payment_mode=PaymentMode.AUTHORISE)
GOOD = "pm_card_visa"
REFUND = RefundOrder(request_id="r-1", requested_by="shop-app", amount_minor=2345)


async def nothing(run: OrderRun) -> None:
    """Let the order go where it goes."""


async def shipped(run: OrderRun) -> None:
    """Deliver the parcel's event."""
    await run.standing(OrderState.FULFILLING)
    await run.deliver(OrderEventKind.SHIPPED)


async def paid_and_shipped(run: OrderRun) -> None:
    """Deliver the shop's payment, once more the same, and the parcel's event."""
    await run.standing(OrderState.AWAITING_PAYMENT)
    for _ in range(2):
        await run.deliver(OrderEventKind.PAYMENT_CAPTURED)
    await shipped(run)


async def authorised_by_the_customer(run: OrderRun) -> None:
    """Let the customer act, then deliver the parcel's event."""
    await run.standing(OrderState.AWAITING_PAYMENT)
    await run.deliver(OrderEventKind.PAYMENT_AUTHORISED)
    await shipped(run)


async def asked_for(run: OrderRun) -> None:
    """Tell nobody of the payment; the order asks for it."""
    await shipped(run)


async def refunded_in_part(run: OrderRun) -> None:
    """Give part of the money back before the parcel leaves."""
    await run.standing(OrderState.FULFILLING)
    await run.handle.execute_update(OrderMessage.REFUND, REFUND, result_type=RefundAnswer)
    await run.deliver(OrderEventKind.SHIPPED)


def retried_with(method: str) -> Story:
    """Return a story: supply another payment method after a refusal, and deliver the parcel's event."""

    async def story(run: OrderRun) -> None:
        await run.standing(OrderState.AWAITING_METHOD)
        await retried(run, method)
        if method == GOOD:
            await shipped(run)

    return story


async def shipped_from_hold(run: OrderRun) -> None:
    """Deliver the event of a parcel whose money is only held."""
    await until(run.handle, EventType.EVENT_TYPE_TIMER_STARTED)
    await run.deliver(OrderEventKind.SHIPPED)


async def lapsed(run: OrderRun) -> None:
    """Let the provider let the money go before the parcel left, supply another method, and deliver the parcel's event."""
    await until(run.handle, EventType.EVENT_TYPE_TIMER_STARTED)
    await run.deliver(OrderEventKind.PAYMENT_VOIDED)
    await run.standing(OrderState.LAPSED)
    await retried(run, GOOD)
    await shipped(run)


async def lapse_found_out(run: OrderRun) -> None:
    """Tell nobody that the money is gone; the order finds out, and is paid otherwise."""
    await run.standing(OrderState.LAPSED)
    await retried(run, GOOD)
    await shipped(run)


async def retried(run: OrderRun, method: str) -> None:
    """Supply another payment method."""
    request = RetryPayment(request_id="r-1", requested_by="shop-app", payment_method=method)
    await run.handle.execute_update(OrderMessage.RETRY_PAYMENT, request, result_type=PaymentAnswer)


SPLIT_HELD = replace(SPLIT, payment_mode=PaymentMode.AUTHORISE)
MUGS, POT = ParcelLine(quantity=2, line=1), ParcelLine(quantity=1, line=2)


async def mugs_left(run: OrderRun) -> None:
    """Let a part of the order leave."""
    await until(run.handle, EventType.EVENT_TYPE_TIMER_STARTED)
    await run.parcel("p1", MUGS)


async def in_two_parcels(run: OrderRun) -> None:
    """Let the order leave in two parcels, one of which is told of twice."""
    await mugs_left(run)
    await run.parcel("p1", MUGS, event_id="again")
    await run.parcel("p2", POT)


async def rest_cancelled(run: OrderRun) -> None:
    """Cancel when a part has left."""
    await mugs_left(run)
    await run.cancel()


async def rest_never_came(run: OrderRun) -> None:
    """Let a part leave, and then time pass."""
    await mugs_left(run)
    await run.env.fast_forward(run.handle)


async def lapsed_between_parcels(run: OrderRun) -> None:
    """Let the provider let the rest go when a part has left."""
    await mugs_left(run)
    await run.deliver(OrderEventKind.PAYMENT_VOIDED)


async def rest_paid_otherwise(run: OrderRun) -> None:
    """Let the provider let the rest go when a part has left, supply another method, and let the rest leave."""
    await lapsed_between_parcels(run)
    await run.standing(OrderState.LAPSED)
    await retried(run, GOOD)
    await run.standing(OrderState.FULFILLING)
    await run.parcel("p2", POT)


async def rest_refused_for_good(run: OrderRun) -> None:
    """Let the rest go when a part has left, and supply a stolen card."""
    await lapsed_between_parcels(run)
    await run.standing(OrderState.LAPSED)
    await retried(run, "pm_stolen")


async def lines_cancelled(run: OrderRun) -> None:
    """Cancel one of two mugs, once more the same, and too many; then let the rest leave."""
    await until(run.handle, EventType.EVENT_TYPE_TIMER_STARTED)
    request = CancelLines(request_id="l-1", requested_by="shop-app", lines=(LineCut(line=1, quantity=1),))
    for _ in range(2):
        await run.handle.execute_update(OrderMessage.CANCEL_LINES, request, result_type=LinesAnswer)
    with suppress(WorkflowUpdateFailedError):
        many = replace(request, request_id="l-2", lines=(LineCut(line=1, quantity=2),))
        await run.handle.execute_update(OrderMessage.CANCEL_LINES, many, result_type=LinesAnswer)
    await run.parcel("p1", ParcelLine(quantity=1, line=1), POT)


async def every_line_cancelled(run: OrderRun) -> None:
    """Cancel all that has not left, line by line."""
    await mugs_left(run)
    request = CancelLines(request_id="l-1", requested_by="shop-app", lines=(LineCut(line=2, quantity=1),))
    await run.handle.execute_update(OrderMessage.CANCEL_LINES, request, result_type=LinesAnswer)


def each_parcel(doubles: OrderDoubles) -> None:
    """Capture each parcel's share."""
    doubles.book.policy = CapturePolicy.EACH_PARCEL


async def readdressed(run: OrderRun) -> None:
    """Send the parcel elsewhere before the order is paid, and elsewhere again too late."""
    await run.standing(OrderState.AWAITING_PAYMENT)
    request = ReaddressOrder(request_id="a-1", requested_by="shop-app", ship_to=WORK)
    await run.handle.execute_update(OrderMessage.CHANGE_ADDRESS, request, result_type=OrderAnswer)
    await run.deliver(OrderEventKind.PAYMENT_CAPTURED)
    await run.standing(OrderState.FULFILLING)
    with suppress(WorkflowUpdateFailedError):
        late = replace(request, request_id="a-2", ship_to=HOME)
        await run.handle.execute_update(OrderMessage.CHANGE_ADDRESS, late, result_type=OrderAnswer)
    await run.deliver(OrderEventKind.SHIPPED)


async def parcel_failed(run: OrderRun) -> None:
    """Let the warehouse fail."""
    await run.standing(OrderState.FULFILLING)
    await run.deliver(OrderEventKind.SHIPMENT_FAILED, detail="lost in the flood")


async def cancelled(run: OrderRun) -> None:
    """Cancel as the customer would."""
    await run.standing(OrderState.FULFILLING)
    await run.cancel()


async def heard_a_great_deal(run: OrderRun) -> None:
    """Deliver so many events that the order goes on as a new run, then the parcel's."""
    await run.standing(OrderState.FULFILLING)
    for number in range(LONG_HISTORY // EVENTS_OF_A_MESSAGE + 2):
        await run.deliver(OrderEventKind.REFUNDED, f"evt-{number}")
    await run.deliver(OrderEventKind.SHIPPED)


async def process_cancelled(run: OrderRun) -> None:
    """Cancel the workflow itself."""
    await run.standing(OrderState.FULFILLING)
    await run.handle.cancel()


def _may_retry(doubles: OrderDoubles) -> None:
    doubles.payment_retry_window_seconds = 60


def _may_retry_for_a_second(doubles: OrderDoubles) -> None:
    doubles.payment_retry_window_seconds = 1


def _asks_again(doubles: OrderDoubles) -> None:
    doubles.untold = OrderEventKind.PAYMENT_CAPTURED
    doubles.conduct.fail("ask_payment", NotFound("the provider does not know it yet"))
    doubles.asks_again((1, 2))


def _asks_after_hold(doubles: OrderDoubles) -> None:
    _may_retry(doubles)
    doubles.untold = OrderEventKind.PAYMENT_VOIDED
    doubles.conduct.fail("ask_after_hold", NotFound("the provider cannot be asked"))
    doubles.ask_hold_seconds = 1


def _each_parcel_may_retry(doubles: OrderDoubles) -> None:
    each_parcel(doubles)
    _may_retry(doubles)


def _each_parcel_may_retry_for_a_second(doubles: OrderDoubles) -> None:
    each_parcel(doubles)
    _may_retry_for_a_second(doubles)


def _refuse_parcels(doubles: OrderDoubles) -> None:
    doubles.book.refusing_parcels = True


def _break_after_capture(doubles: OrderDoubles) -> None:
    doubles.conduct.lose_answer("capture_payment", SchemaMismatch("the database is newer than this code"))


def _within_task(doubles: OrderDoubles) -> None:
    doubles.within_task = True


def _may_retry_within_task(doubles: OrderDoubles) -> None:
    _may_retry(doubles)
    _within_task(doubles)


def _within_task_in_vain(doubles: OrderDoubles) -> None:
    _within_task(doubles)
    doubles.conduct.lose_answer("capture_payment", ProviderUnavailable("no answer"))


async def cancelled_within_task(run: OrderRun) -> None:
    """Cancel while the charge takes so long that its task goes on as another."""
    await run.cancel()


def _slow_within_task(doubles: OrderDoubles) -> None:
    _within_task(doubles)
    capturing = doubles.conduct.hold_answer("capture_payment")
    asyncio.get_running_loop().call_later(10, capturing.release.set)


def _slow_within_task_and_parcel_unheard(doubles: OrderDoubles) -> None:
    _slow_within_task(doubles)
    doubles.book.dies_at_the_warehouse = [ProviderUnavailable("no answer from the database")]


def order(place: PlaceOrder, story: Story = nothing, prepare: Callable[[OrderDoubles], object] = id) -> Walk:
    """Return the walk of one order; `prepare` sets what the outside does."""

    async def walk(env: WorkflowEnvironment) -> Handle:
        doubles = OrderDoubles(payment_window_seconds=1 if story is nothing else 60, fulfilment_sla_seconds=60)
        prepare(doubles)
        activities = [*activities_of(doubles), *activities_of(RefundDoubles(doubles))]
        async with serving(env.client, [OrderWorkflow], activities) as queue:
            run = await start_order(env, queue, place)
            await story(run)
            await ended(run.handle)
        return run.handle

    return walk


def first_run(walk: Walk) -> Walk:
    """Return the same walk; its history is that of the first run, and not the last one's."""

    async def walked(env: WorkflowEnvironment) -> Handle:
        handle = await walk(env)
        return env.client.get_workflow_handle(handle.id, run_id=handle.first_execution_run_id)

    return walked


ORDERS: dict[str, Walk] = {
    "charged_and_completed": order(CHARGED, shipped),
    "charged_within_task": order(CHARGED, shipped, _within_task),
    "charged_within_task_in_vain": order(CHARGED, shipped, _within_task_in_vain),
    "declined_within_task": order(REFUSED, retried_with(GOOD), _may_retry_within_task),
    "cancelled_within_task": order(CHARGED, cancelled_within_task, _slow_within_task),
    "cancelled_with_a_parcel_unheard": order(CHARGED, cancelled_within_task, _slow_within_task_and_parcel_unheard),
    "collected_and_completed": order(COLLECTED, paid_and_shipped),
    "customer_acted": order(replace(CHARGED, payment_method="pm_needs_customer"), authorised_by_the_customer),
    "asked_for_again": order(COLLECTED, asked_for, _asks_again),
    "declined": order(replace(CHARGED, payment_method="pm_declined")),
    "paid_otherwise": order(REFUSED, retried_with(GOOD), _may_retry),
    "refused_again_for_good": order(REFUSED, retried_with("pm_stolen"), _may_retry),
    "not_paid_otherwise": order(REFUSED, prepare=_may_retry_for_a_second),
    "captured_on_shipment": order(HELD, shipped_from_hold),
    "lapsed_and_paid_otherwise": order(HELD, lapsed, _may_retry),
    "lapse_found_out": order(HELD, lapse_found_out, _asks_after_hold),
    "readdressed": order(replace(COLLECTED, ship_to=HOME), readdressed),
    "rejected": order(replace(CHARGED, total_minor=1)),
    "expired": order(COLLECTED),
    "parcel_failed": order(CHARGED, parcel_failed),
    "two_parcels": order(SPLIT, in_two_parcels),
    "two_parcels_captured_each": order(SPLIT_HELD, in_two_parcels, each_parcel),
    "rest_cancelled": order(SPLIT, rest_cancelled),
    "rest_cancelled_from_hold": order(SPLIT_HELD, rest_cancelled, each_parcel),
    "rest_never_came": order(SPLIT_HELD, rest_never_came, each_parcel),
    "lapsed_between_parcels": order(SPLIT_HELD, lapsed_between_parcels, each_parcel),
    "rest_paid_otherwise": order(SPLIT_HELD, rest_paid_otherwise, _each_parcel_may_retry),
    "rest_refused_for_good": order(SPLIT_HELD, rest_refused_for_good, _each_parcel_may_retry),
    "rest_not_paid_otherwise": order(SPLIT_HELD, lapsed_between_parcels, _each_parcel_may_retry_for_a_second),
    "lines_cancelled": order(SPLIT, lines_cancelled),
    "lines_cancelled_from_hold": order(SPLIT_HELD, lines_cancelled, each_parcel),
    "every_line_cancelled": order(SPLIT, every_line_cancelled),
    "parcel_refused": order(CHARGED, prepare=_refuse_parcels),
    "cancelled": order(CHARGED, cancelled),
    "went_on": first_run(order(CHARGED, heard_a_great_deal)),
    "gone_on": order(CHARGED, heard_a_great_deal),
    "refunded_in_part": order(CHARGED, refunded_in_part),
    "process_cancelled": order(CHARGED, process_cancelled),
    "process_failed": order(CHARGED, prepare=_break_after_capture),
}
