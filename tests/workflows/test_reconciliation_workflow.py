import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from temporalio.client import (
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleBackfill,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    ScheduleSpec,
    ScheduleState,
    WorkflowFailureError,
    WorkflowHandle,
)
from temporalio.common import SearchAttributeKey
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment

from tests.workflows.doubles import ReconciliationDoubles, activities_of
from tests.workflows.timeskipping import serving
from worker.contract.names import SearchAttribute
from worker.contract.reconciliation import Reconcile, ReconciliationResult, Window
from worker.domain.errors import InvalidInput, ProviderUnavailable, SourceUnreadable
from worker.domain.finding import Verdict
from worker.workflows.reconciliation import ReconciliationWorkflow

pytestmark = pytest.mark.asyncio(loop_scope="session")

Handle = WorkflowHandle[ReconciliationWorkflow, ReconciliationResult]

VERDICT = SearchAttributeKey.for_keyword(SearchAttribute.VERDICT)
HOUR = timedelta(hours=1)
MIDNIGHT = datetime(2026, 11, 22, tzinfo=UTC)
ASKED = Window(start="2026-11-01T00:00:00+00:00", end="2026-11-02T00:00:00+00:00")


@asynccontextmanager
async def worker(env: WorkflowEnvironment, doubles: ReconciliationDoubles) -> AsyncIterator[str]:
    async with serving(env.client, [ReconciliationWorkflow], activities_of(doubles)) as queue:
        yield queue


async def start(env: WorkflowEnvironment, queue: str, request: Reconcile) -> Handle:
    return await env.client.start_workflow(
        ReconciliationWorkflow.run, request, id=f"reconcile/{uuid.uuid4().hex}", task_queue=queue
    )


async def result_of(
    env: WorkflowEnvironment, doubles: ReconciliationDoubles, request: Reconcile
) -> ReconciliationResult:
    async with worker(env, doubles) as queue:
        return await (await start(env, queue, request)).result()


def asked_for(*, repair: bool = True) -> Reconcile:
    return Reconcile(shop="main", provider="stripe", window=ASKED, repair=repair, requested_by="someone")


async def test_each_run_of_a_backfill_reconciles_the_slot_it_stands_for(env: WorkflowEnvironment) -> None:
    doubles = ReconciliationDoubles()
    name = f"reconcile-{uuid.uuid4().hex[:8]}"
    offset = timedelta(minutes=15)
    async with worker(env, doubles) as queue:
        schedule = await env.client.create_schedule(
            name,
            Schedule(
                action=ScheduleActionStartWorkflow(
                    ReconciliationWorkflow.run,
                    Reconcile(shop="main", provider="stripe", interval_seconds=3600, offset_seconds=900, repair=False),
                    id=name,
                    task_queue=queue,
                ),
                spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=HOUR, offset=offset)]),
                state=ScheduleState(paused=True),  # only what is asked for runs
            ),
        )
        await schedule.backfill(
            ScheduleBackfill(start_at=MIDNIGHT, end_at=MIDNIGHT + 3 * HOUR, overlap=ScheduleOverlapPolicy.ALLOW_ALL)
        )
        await doubles.conduct.attempts("write_report", 3)
        runs = [f"{name}-{(MIDNIGHT + offset + slot * HOUR):%Y-%m-%dT%H:%M:%SZ}" for slot in range(3)]
        results = [await env.client.get_workflow_handle(run, result_type=ReconciliationResult).result() for run in runs]
        await schedule.delete()

    assert [(result.window.start, result.window.end) for result in results] == [
        ((MIDNIGHT + (slot - 1) * HOUR).isoformat(), (MIDNIGHT + slot * HOUR).isoformat()) for slot in range(3)
    ]
    assert len({result.run_id for result in results}) == 3


async def test_the_window_that_was_asked_for_is_the_one_that_is_compared(env: WorkflowEnvironment) -> None:
    doubles = ReconciliationDoubles()
    async with worker(env, doubles) as queue:
        handle = await start(env, queue, asked_for())
        result = await handle.result()

    assert result.window == ASKED
    (order,) = doubles.conduct.calls["gather_books"]
    assert (order.window, order.run_id, order.workflow_id) == (ASKED, result.run_id, handle.id)


async def test_a_run_started_by_hand_reaches_back_to_the_watermark_and_up_to_now(env: WorkflowEnvironment) -> None:
    doubles = ReconciliationDoubles()
    doubles.watermark = MIDNIGHT - timedelta(days=30)
    began = datetime.now(UTC).replace(microsecond=0)
    result = await result_of(env, doubles, Reconcile(shop="main", provider="stripe"))

    assert datetime.fromisoformat(result.window.start) <= doubles.watermark
    assert began <= datetime.fromisoformat(result.window.end) <= datetime.now(UTC)


@pytest.mark.parametrize(
    ("verdict", "repair", "repairs"),
    [
        (Verdict.BREAKS, True, 2),
        (Verdict.INCOMPLETE, True, 2),
        (Verdict.BREAKS, False, 0),
        (Verdict.RECONCILED, True, 0),
    ],
)
async def test_repairs_are_asked_for_only_when_wanted_and_needed(
    env: WorkflowEnvironment, verdict: Verdict, *, repair: bool, repairs: int
) -> None:
    doubles = ReconciliationDoubles(verdict=verdict, repairs=2)
    result = await result_of(env, doubles, asked_for(repair=repair))

    assert (result.verdict, result.repairs_requested) == (verdict, repairs)
    assert [(order.shop, order.provider, order.run_id) for order in doubles.conduct.calls["repair_breaks"]] == (
        [("main", "stripe", result.run_id)] if repairs else []
    )


async def test_the_result_holds_the_counts_and_where_the_report_is(env: WorkflowEnvironment) -> None:
    doubles = ReconciliationDoubles(
        verdict=Verdict.INCOMPLETE, matched=7, pending=1, warnings=9, breaks_open=3, breaks_new=2, breaks_resolved=4
    )
    doubles.incomplete_because = ("the ledger could not be read",)
    async with worker(env, doubles) as queue:
        handle = await start(env, queue, asked_for(repair=False))
        result = await handle.result()
        description = await handle.describe()

    assert result == ReconciliationResult(
        run_id=result.run_id,
        verdict="incomplete",
        window=ASKED,
        matched=7,
        pending=1,
        breaks_open=3,
        breaks_new=2,
        breaks_resolved=4,
        repairs_requested=0,
        report=f"reports/{result.run_id}/report.html",
        incomplete_because=("the ledger could not be read",),
    )
    assert description.typed_search_attributes.get(VERDICT) == "incomplete"


async def test_alerts_are_weighed_after_the_report_for_the_run_and_its_schedule(env: WorkflowEnvironment) -> None:
    doubles = ReconciliationDoubles(verdict=Verdict.BREAKS)
    result = await result_of(env, doubles, replace(asked_for(), interval_seconds=900))

    (order,) = doubles.conduct.calls["weigh_alerts"]
    assert (order.run_id, order.interval_seconds) == (result.run_id, 900)
    assert list(doubles.conduct.calls)[-3:] == ["write_report", "weigh_alerts", "send_notices"]


async def test_an_endpoint_that_never_answers_is_tried_a_few_times_and_fails_no_run(env: WorkflowEnvironment) -> None:
    doubles = ReconciliationDoubles(verdict=Verdict.BREAKS)
    doubles.conduct.fail("send_notices", *[ProviderUnavailable("ops did not answer")] * 20)
    async with worker(env, doubles) as queue:
        handle = await start(env, queue, asked_for())
        await doubles.conduct.attempts("send_notices", 1)
        await env.fast_forward(handle)
        result = await handle.result()

    assert result.verdict == Verdict.BREAKS
    assert doubles.conduct.count("send_notices") == 5


async def test_a_source_that_cannot_be_read_is_asked_again_under_the_same_run_id(env: WorkflowEnvironment) -> None:
    doubles = ReconciliationDoubles()
    doubles.conduct.fail("gather_books", SourceUnreadable("the provider answered 503"))
    result = await result_of(env, doubles, asked_for())

    first, second = doubles.conduct.calls["gather_books"]
    assert first == second
    assert result.run_id == first.run_id


async def test_a_window_that_makes_no_sense_fails_the_run(env: WorkflowEnvironment) -> None:
    doubles = ReconciliationDoubles()
    backward = Reconcile(shop="main", provider="stripe", window=Window(start=ASKED.end, end=ASKED.start))
    with pytest.raises(WorkflowFailureError) as failed:
        await result_of(env, doubles, backward)

    assert isinstance(failed.value.cause, ApplicationError)
    assert failed.value.cause.type == InvalidInput.code
    assert doubles.conduct.count("gather_books") == 0
