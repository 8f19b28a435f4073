"""One delivery: its waits are days, it hurries on wish, and nothing but the end of its message ends it."""

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowHandle
from temporalio.testing import WorkflowEnvironment

from tests.workflows.doubles import activities_of
from tests.workflows.histories import until
from tests.workflows.outbound_doubles import OutboundDoubles
from tests.workflows.timeskipping import serving
from worker.contract.names import NotificationMessage
from worker.contract.outbound import Notification, NotificationResult
from worker.domain.errors import DatabaseUnavailable
from worker.domain.outbound import LADDER
from worker.workflows.notification import NotificationWorkflow

pytestmark = pytest.mark.asyncio(loop_scope="session")

Handle = WorkflowHandle[NotificationWorkflow, NotificationResult]


@asynccontextmanager
async def delivery(env: WorkflowEnvironment, doubles: OutboundDoubles) -> AsyncIterator[Handle]:
    async with serving(env.client, [NotificationWorkflow], activities_of(doubles)) as queue:
        yield await env.client.start_workflow(
            NotificationWorkflow.run,
            Notification(subscription="erp", message_id="msg_1"),
            id=f"notify/erp/{uuid.uuid4().hex}",
            task_queue=queue,
        )


async def test_a_dead_letter_was_tried_for_days(env: WorkflowEnvironment) -> None:
    waits = LADDER[-4:]
    doubles = OutboundDoubles(*(round(wait.total_seconds()) for wait in waits), end="dead")
    async with delivery(env, doubles) as handle:
        for tries, wait in enumerate(waits, start=1):
            await until(handle, *[EventType.EVENT_TYPE_TIMER_STARTED] * tries)
            await env.fast_forward(handle, wait)
        result = await handle.result()
    assert (result.state, result.attempts) == ("dead", len(waits) + 1)
    history = await handle.fetch_history()
    span = history.events[-1].event_time.ToDatetime() - history.events[0].event_time.ToDatetime()
    assert timedelta(days=2) < span < timedelta(days=4)


async def test_a_delivery_that_waits_hurries_on_wish(env: WorkflowEnvironment) -> None:
    doubles = OutboundDoubles(86_400)
    async with delivery(env, doubles) as handle:
        await doubles.conduct.attempts("send_message", 1)
        await handle.signal(NotificationMessage.HURRY)
        assert (await handle.result()).attempts == 2


async def test_a_database_that_is_away_costs_no_step_of_the_ladder(env: WorkflowEnvironment) -> None:
    doubles = OutboundDoubles()
    doubles.conduct.fail("send_message", DatabaseUnavailable("MySQL error 2013"))
    async with delivery(env, doubles) as handle:
        assert (await handle.result()).attempts == 1
    assert doubles.conduct.count("send_message") == 2


@pytest.mark.parametrize("end", ["held", "unknown"])
async def test_what_is_not_to_be_sent_ends_its_delivery(env: WorkflowEnvironment, end: str) -> None:
    async with delivery(env, OutboundDoubles(end=end)) as handle:
        assert (await handle.result()).state == end
