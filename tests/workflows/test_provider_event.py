import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import pytest
from temporalio.client import WorkflowHandle
from temporalio.testing import WorkflowEnvironment

from tests.workflows.doubles import EventDoubles, activities_of
from tests.workflows.samples import provider_event
from tests.workflows.timeskipping import serving
from worker.contract.events import EventResult, ProviderEvent
from worker.domain.errors import DatabaseUnavailable, ProviderRejected
from worker.workflows.provider_event import ProviderEventWorkflow

pytestmark = pytest.mark.asyncio(loop_scope="session")

Handle = WorkflowHandle[ProviderEventWorkflow, EventResult]


@pytest.fixture
def doubles() -> EventDoubles:
    return EventDoubles()


@asynccontextmanager
async def running(env: WorkflowEnvironment, doubles: EventDoubles, event: ProviderEvent) -> AsyncIterator[Handle]:
    async with serving(env.client, [ProviderEventWorkflow], activities_of(doubles)) as queue:
        yield await env.client.start_workflow(
            ProviderEventWorkflow.run, event, id=f"event/{uuid.uuid4().hex}", task_queue=queue
        )


async def outcome_of(env: WorkflowEnvironment, doubles: EventDoubles, event: ProviderEvent) -> EventResult:
    async with running(env, doubles, event) as handle:
        return await handle.result()


async def test_an_event_is_delivered_to_its_order_and_filed(env: WorkflowEnvironment, doubles: EventDoubles) -> None:
    doubles.taking.add("1001")
    result = await outcome_of(env, doubles, provider_event("1001"))

    assert (result.outcome, result.workflow_id) == ("applied", "order/main/1001")
    assert doubles.delivered == ["1001"]
    assert doubles.inbox == {"evt-1": "applied"}
    (receipt,) = doubles.conduct.calls["receive_event"]
    assert receipt.workflow_id.startswith("event/")
    assert receipt.run_id


async def test_an_event_another_run_handled_is_a_duplicate(env: WorkflowEnvironment, doubles: EventDoubles) -> None:
    """The inbox outlives Temporal's retention: the same id may be started again, but is not the same run."""
    doubles.taking.add("1001")
    await outcome_of(env, doubles, provider_event("1001"))
    again = await outcome_of(env, doubles, provider_event("1001"))

    assert again.outcome == "duplicate"
    assert doubles.delivered == ["1001"]
    assert doubles.conduct.count("close_event") == 1
    assert doubles.inbox == {"evt-1": "applied"}


async def test_a_repeated_receipt_of_the_same_run_is_no_duplicate(
    env: WorkflowEnvironment, doubles: EventDoubles
) -> None:
    doubles.taking.add("1001")
    doubles.conduct.lose_answer("receive_event", DatabaseUnavailable("gone away"))
    result = await outcome_of(env, doubles, provider_event("1001"))

    assert result.outcome == "applied"
    assert doubles.conduct.count("receive_event") == 2


async def test_an_event_of_no_concern_is_filed_as_ignored(env: WorkflowEnvironment, doubles: EventDoubles) -> None:
    result = await outcome_of(env, doubles, provider_event("ignored"))

    assert (result.outcome, result.detail) == ("ignored", "of no concern to orders")
    assert doubles.inbox == {"evt-1": "ignored"}
    assert doubles.conduct.count("deliver_event") == 0


async def test_an_event_nobody_can_read_is_filed_as_such_at_once(
    env: WorkflowEnvironment, doubles: EventDoubles
) -> None:
    result = await outcome_of(env, doubles, provider_event("unreadable"))

    assert (result.outcome, result.detail) == ("unreadable", "the body is not JSON")
    assert doubles.inbox == {"evt-1": "unreadable"}
    assert doubles.conduct.count("receive_event") == 1


async def test_an_event_waits_for_an_order_that_is_not_there_yet(
    env: WorkflowEnvironment, doubles: EventDoubles
) -> None:
    async with running(env, doubles, provider_event("1001")) as handle:
        await doubles.conduct.attempts("deliver_event", 2)
        doubles.taking.add("1001")
        await env.fast_forward(handle)
        result = await handle.result()

    assert result.outcome == "applied"
    assert doubles.delivered == ["1001"]


async def test_an_event_whose_order_never_comes_is_unmatched_after_its_patience(env: WorkflowEnvironment) -> None:
    doubles = EventDoubles(patience_seconds=10)
    async with running(env, doubles, provider_event("1001")) as handle:
        await env.fast_forward(handle, timedelta(seconds=6))
        assert doubles.inbox == {"evt-1": "received"}
        await env.fast_forward(handle)
        result = await handle.result()

    assert (result.outcome, result.detail) == ("unmatched", "order 1001 did not take it within 10 s")
    assert doubles.inbox == {"evt-1": "unmatched"}
    assert doubles.conduct.count("deliver_event") == 4  # after 0, 1, 3 and 7 seconds


async def test_a_delivery_that_is_refused_for_good_says_why(env: WorkflowEnvironment, doubles: EventDoubles) -> None:
    doubles.conduct.fail("deliver_event", ProviderRejected("the order's input is too large"))
    result = await outcome_of(env, doubles, provider_event("1001"))

    assert result.outcome == "unmatched"
    assert result.detail == "order 1001 did not take it: the order's input is too large"


async def test_a_cancelled_delivery_is_filed_too(env: WorkflowEnvironment, doubles: EventDoubles) -> None:
    delivering = doubles.conduct.hold("deliver_event")
    async with running(env, doubles, provider_event("1001")) as handle:
        await delivering.reached.wait()
        await handle.cancel()
        result = await handle.result()
        delivering.release.set()

    assert result.detail == "order 1001 did not take it: the delivery was cancelled"
    assert doubles.inbox == {"evt-1": "unmatched"}


async def test_an_event_for_an_order_that_is_over_is_late(env: WorkflowEnvironment, doubles: EventDoubles) -> None:
    doubles.over.add("1001")
    result = await outcome_of(env, doubles, replace(provider_event("1001"), origin="repair"))

    assert (result.outcome, result.detail) == ("late", "the order is over; the money was booked")
    assert doubles.inbox == {"evt-1": "late"}


async def test_an_outage_of_the_database_delays_an_event_and_loses_none(
    env: WorkflowEnvironment, doubles: EventDoubles
) -> None:
    doubles.taking.add("1001")
    doubles.conduct.fail("receive_event", *[DatabaseUnavailable("gone away")] * 2)
    doubles.conduct.fail("close_event", DatabaseUnavailable("gone away"))
    result = await outcome_of(env, doubles, provider_event("1001"))

    assert result.outcome == "applied"
    assert doubles.delivered == ["1001"]
    assert doubles.inbox == {"evt-1": "applied"}
