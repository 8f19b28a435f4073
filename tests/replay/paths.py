"""The main paths of each workflow (of orders: order_stories), run for their histories with the doubles of the workflow tests."""

import uuid
from contextlib import suppress
from dataclasses import replace

from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowUpdateFailedError
from temporalio.testing import WorkflowEnvironment

from tests.replay.order_stories import ORDERS, REFUND, Handle, Walk, shipped
from tests.workflows.doubles import (
    LEFT_OPEN,
    MONTH,
    AddressDoubles,
    EventDoubles,
    OrderDoubles,
    ReconciliationDoubles,
    ResolutionDoubles,
    UserDoubles,
    activities_of,
)
from tests.workflows.histories import ended, until
from tests.workflows.order_run import start_order
from tests.workflows.outbound_doubles import OutboundDoubles
from tests.workflows.refund_doubles import RefundDoubles
from tests.workflows.samples import ADDRESS, CHARGED, USER, provider_event
from tests.workflows.timeskipping import serving
from worker.contract.names import NotificationMessage, UserMessage, WorkflowType
from worker.contract.orders import (
    LateRefund,
    ResolveOrder,
)
from worker.contract.outbound import Notification
from worker.contract.reconciliation import Mode, Reconcile, Window
from worker.contract.users import AddressStatus, ConfirmUser, ResendConfirmation, UserStatus
from worker.domain.errors import SourceUnreadable
from worker.domain.finding import Verdict
from worker.domain.user import ChangeState
from worker.workflows.address_change import AddressChangeWorkflow
from worker.workflows.notification import NotificationWorkflow
from worker.workflows.order import OrderWorkflow
from worker.workflows.provider_event import ProviderEventWorkflow
from worker.workflows.reconciliation import ReconciliationWorkflow
from worker.workflows.refund import RefundWorkflow
from worker.workflows.resolution import ResolutionWorkflow
from worker.workflows.user import UserWorkflow


def late_refund(amount_minor: int) -> Walk:
    """Return the walk of a refund asked for after the order was completed."""

    async def walk(env: WorkflowEnvironment) -> Handle:
        doubles = OrderDoubles()
        activities = [*activities_of(doubles), *activities_of(RefundDoubles(doubles))]
        async with serving(env.client, [OrderWorkflow, RefundWorkflow], activities) as queue:
            run = await start_order(env, queue, CHARGED)
            await shipped(run)
            handle = await env.client.start_workflow(
                RefundWorkflow.run,
                LateRefund(shop="main", order_id=run.order_id, refund=replace(REFUND, amount_minor=amount_minor)),
                id=f"refund/main/{run.order_id}/{REFUND.request_id}",
                task_queue=queue,
            )
            await ended(handle)
        return handle

    return walk


def resolution(reason: str) -> Walk:
    """Return the walk of a person's decision; without a reason it is refused."""

    async def walk(env: WorkflowEnvironment) -> Handle:
        async with serving(env.client, [ResolutionWorkflow], activities_of(ResolutionDoubles())) as queue:
            handle = await env.client.start_workflow(
                ResolutionWorkflow.run,
                ResolveOrder(shop="main", order_id="1001", requested_by="ann", reason=reason),
                id=f"resolve/main/{uuid.uuid4().hex}",
                task_queue=queue,
            )
            await ended(handle)
        return handle

    return walk


def event(body: str, *, times: int = 1) -> Walk:
    """Return the walk of one event (see EventDoubles for bodies); with `times`, that of its last repetition."""

    async def walk(env: WorkflowEnvironment) -> Handle:
        doubles = EventDoubles(patience_seconds=2)
        doubles.taking.add("1001")
        async with serving(env.client, [ProviderEventWorkflow], activities_of(doubles)) as queue:
            for _ in range(times):
                handle = await env.client.start_workflow(
                    ProviderEventWorkflow.run, provider_event(body), id=f"event/{uuid.uuid4().hex}", task_queue=queue
                )
                await ended(handle)
        return handle

    return walk


def notification(*waits: int, end: str = "delivered", hurry: bool = False) -> Walk:
    """Return the walk of a webhook of ours whose tries answer these waits; with `hurry` the first is cut short."""

    async def walk(env: WorkflowEnvironment) -> Handle:
        doubles = OutboundDoubles(*waits, end=end)
        async with serving(env.client, [NotificationWorkflow], activities_of(doubles)) as queue:
            handle = await env.client.start_workflow(
                NotificationWorkflow.run,
                Notification(subscription="erp", message_id="msg_1"),
                id=f"notify/erp/{uuid.uuid4().hex}",
                task_queue=queue,
            )
            if hurry:
                await until(handle, EventType.EVENT_TYPE_TIMER_STARTED)
                await handle.signal(NotificationMessage.HURRY)
            await ended(handle)
        return handle

    return walk


def user(*digests: str) -> Walk:
    """Return the walk of a registration, confirmed with each digest in turn; expired without any."""

    async def walk(env: WorkflowEnvironment) -> Handle:
        doubles = UserDoubles(window_seconds=60 if digests else 2, reminder_seconds=(30 if digests else 1,))
        async with serving(env.client, [UserWorkflow], activities_of(doubles)) as queue:
            handle = await env.client.start_workflow(
                UserWorkflow.run, USER, id=f"user/{uuid.uuid4().hex}", task_queue=queue
            )
            for digest in digests:
                try:
                    await handle.execute_update(
                        UserMessage.CONFIRM, ConfirmUser(token_sha256=digest), result_type=UserStatus
                    )
                except WorkflowUpdateFailedError:
                    continue
            await ended(handle)
        return handle

    return walk


async def resent(env: WorkflowEnvironment) -> Handle:
    """Walk through a registration whose mail is asked for once more."""
    doubles = UserDoubles(window_seconds=60, reminder_seconds=())
    async with serving(env.client, [UserWorkflow], activities_of(doubles)) as queue:
        handle = await env.client.start_workflow(
            UserWorkflow.run, USER, id=f"user/{uuid.uuid4().hex}", task_queue=queue
        )
        await doubles.conduct.attempts("mail_confirmation", 1)
        await env.fast_forward(handle, 30)
        await handle.execute_update(UserMessage.RESEND, ResendConfirmation(request_id="r1"), result_type=UserStatus)
        await handle.execute_update(UserMessage.CONFIRM, ConfirmUser(token_sha256="right"), result_type=UserStatus)
        await ended(handle)
    return handle


def address(*digests: str, state: ChangeState = ChangeState.PENDING) -> Walk:
    """Return the walk of a change of address, confirmed with each digest in turn; expired without any."""

    async def walk(env: WorkflowEnvironment) -> Handle:
        doubles = AddressDoubles(state, window_seconds=60 if digests else 1)
        async with serving(env.client, [AddressChangeWorkflow], activities_of(doubles)) as queue:
            handle = await env.client.start_workflow(
                AddressChangeWorkflow.run, ADDRESS, id=f"address/u-1/{uuid.uuid4().hex}", task_queue=queue
            )
            for digest in digests:
                with suppress(WorkflowUpdateFailedError):
                    await handle.execute_update(
                        UserMessage.CONFIRM, ConfirmUser(token_sha256=digest), result_type=AddressStatus
                    )
            await ended(handle)
        return handle

    return walk


def scheduled(mode: Mode, *, taken: bool = False, left_open: bool = False) -> Walk:
    """Return the walk of a run of a schedule; the month is another run's already, or one is left open."""

    async def walk(env: WorkflowEnvironment) -> Handle:
        doubles = ReconciliationDoubles()
        doubles.left_open = [LEFT_OPEN] if left_open else []
        doubles.claimed = {MONTH.start: "another"} if taken else {}
        async with serving(env.client, [ReconciliationWorkflow], activities_of(doubles)) as queue:
            handle = await env.client.start_workflow(
                ReconciliationWorkflow.run,
                Reconcile(shop="main", provider="stripe", mode=mode),
                id=f"reconcile/main/stripe/{uuid.uuid4().hex}",
                task_queue=queue,
            )
            await ended(handle)
            if left_open:
                await doubles.conduct.attempts("weigh_alerts", 2)
        return handle

    return walk


def reconciliation(verdict: Verdict, *failing: str, **counts: int) -> Walk:
    """Return the walk of a run whose comparison answers this; each of `failing` fails once."""

    async def walk(env: WorkflowEnvironment) -> Handle:
        doubles = ReconciliationDoubles(verdict=verdict, repairs=1, **counts)
        for step in failing:
            doubles.conduct.fail(step, SourceUnreadable("503"))
        window = Window(start="2026-11-01T00:00:00+00:00", end="2026-11-02T00:00:00+00:00")
        async with serving(env.client, [ReconciliationWorkflow], activities_of(doubles)) as queue:
            handle = await env.client.start_workflow(
                ReconciliationWorkflow.run,
                Reconcile(shop="main", provider="stripe", window=window),
                id=f"reconcile/main/stripe/{uuid.uuid4().hex}",
                task_queue=queue,
            )
            await ended(handle)
        return handle

    return walk


PATHS: dict[WorkflowType, dict[str, Walk]] = {
    WorkflowType.ORDER: ORDERS,
    WorkflowType.REFUND: {"given": late_refund(2345), "refused": late_refund(99_999)},
    WorkflowType.RESOLUTION: {"resolved": resolution("given back by hand"), "refused": resolution("")},
    WorkflowType.NOTIFICATION: {
        "delivered": notification(),
        "delivered_at_the_third_try": notification(1, 1),
        "dead": notification(1, end="dead"),
        "hurried": notification(3600, hurry=True),
    },
    WorkflowType.PROVIDER_EVENT: {
        "applied": event("1001"),
        "duplicate": event("1001", times=2),
        "ignored": event("ignored"),
        "unreadable": event("unreadable"),
        "unmatched": event("1002"),
    },
    WorkflowType.USER: {
        "confirmed_at_the_second_try": user("wrong", "right"),
        "expired": user(),
        "mailed_again": resent,
    },
    WorkflowType.ADDRESS_CHANGE: {
        "changed_at_the_second_try": address("wrong", "right"),
        "expired": address(),
        "refused": address(state=ChangeState.REFUSED),
    },
    WorkflowType.RECONCILIATION: {
        "reconciled": reconciliation(Verdict.RECONCILED, matched=3),
        "scheduled_with_a_month_left_open": scheduled(Mode.FULL, left_open=True),
        "closed": scheduled(Mode.CLOSE),
        "closed_by_another": scheduled(Mode.CLOSE, taken=True),
        "repaired": reconciliation(Verdict.BREAKS, matched=2, breaks_open=1, breaks_new=1),
        "alerted": reconciliation(Verdict.BREAKS, matched=2, breaks_open=1, breaks_new=1),
        "in_parts": reconciliation(Verdict.RECONCILED, buckets=1, rows=6, matched=3),
        "in_many_parts": reconciliation(
            Verdict.BREAKS, "sift_bucket", buckets=10, pieces=3, rows=2_500_000, matched=9, breaks_open=1, breaks_new=1
        ),
    },
}
