"""How a run is spread over workers: gathered once, sifted and judged in parts, concluded once."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from unittest.mock import create_autospec

import pytest
from temporalio.client import WorkflowFailureError, WorkflowHandle
from temporalio.exceptions import CancelledError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Replayer

from tests.workflows.doubles import ReconciliationDoubles, activities_of
from tests.workflows.histories import PATIENCE_SECONDS
from tests.workflows.sandbox import sandbox
from tests.workflows.timeskipping import serving
from worker.activities.reconciliation import TRIES_PER_SOURCE, ReconciliationActivities
from worker.contract.reconciliation import Progress, Reconcile, ReconciliationResult, Window
from worker.domain.errors import Conflict, DatabaseUnavailable, SourceUnreadable
from worker.domain.finding import Verdict
from worker.services.ports import Processes
from worker.services.reconciliation import ReconciliationService, RunInParts
from worker.services.repair import RepairService
from worker.services.reporting import ReportingService
from worker.workflows.comparing import AT_ONCE
from worker.workflows.reconciliation import ReconciliationWorkflow

pytestmark = pytest.mark.asyncio(loop_scope="session")

Handle = WorkflowHandle[ReconciliationWorkflow, ReconciliationResult]

REQUEST = Reconcile(
    shop="main",
    provider="stripe",
    window=Window(start="2026-11-01T00:00:00+00:00", end="2026-11-02T00:00:00+00:00"),
    repair=False,
    requested_by="someone",
)


@asynccontextmanager
async def running(env: WorkflowEnvironment, doubles: ReconciliationDoubles) -> AsyncIterator[Handle]:
    async with serving(env.client, [ReconciliationWorkflow], activities_of(doubles)) as queue:
        yield await env.client.start_workflow(
            ReconciliationWorkflow.run, REQUEST, id=f"reconcile/{uuid.uuid4().hex}", task_queue=queue
        )


async def progress(handle: Handle) -> Progress:
    return await handle.query(ReconciliationWorkflow.progress)


async def standing(handle: Handle, step: str, done: int) -> Progress:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while (now := await progress(handle)).step != step or now.done != done:
            await asyncio.sleep(0.02)
    return now


async def test_every_bucket_is_sifted_and_every_piece_judged_once_in_the_folder_that_was_gathered(
    env: WorkflowEnvironment,
) -> None:
    doubles = ReconciliationDoubles(buckets=2 * AT_ONCE + 3, pieces=AT_ONCE + 1, rows=5_000_000, matched=7)
    async with running(env, doubles) as handle:
        result = await handle.result()

    assert (result.verdict, result.matched) == (Verdict.RECONCILED, 7)
    assert sorted(doubles.sifted) == list(range(2 * AT_ONCE + 3))
    assert sorted(doubles.judged) == list(range(AT_ONCE + 1))
    folders = {order.reference for name in ("sift_bucket", "judge_piece") for order in doubles.conduct.calls[name]}
    assert folders == {*doubles.conduct.calls["collect_exceptions"]} == {f"runs/{result.run_id}/1"}


async def test_no_more_parts_wait_in_the_queue_than_are_worked_on_at_once(env: WorkflowEnvironment) -> None:
    doubles = ReconciliationDoubles(buckets=3 * AT_ONCE)
    hold = doubles.conduct.hold("sift_bucket")
    async with running(env, doubles) as handle:
        await doubles.conduct.attempts("sift_bucket", AT_ONCE)
        pending = (await handle.describe()).raw_description.pending_activities
        hold.release.set()
        await handle.result()

    assert len(pending) == AT_ONCE


async def test_a_query_tells_the_step_and_how_many_of_its_parts_are_done(env: WorkflowEnvironment) -> None:
    doubles = ReconciliationDoubles(buckets=3, pieces=2, rows=40)
    gathering, sifting, judging = (
        doubles.conduct.hold(name) for name in ("gather_books", "sift_bucket", "judge_piece")
    )
    async with running(env, doubles) as handle:
        await doubles.conduct.attempts("gather_books", 1)
        assert await standing(handle, "gathering", 0) == Progress(step="gathering")
        gathering.release.set()
        await doubles.conduct.attempts("sift_bucket", 3)
        assert await progress(handle) == Progress(step="sifting", done=0, total=3, rows=40)
        sifting.release.set()
        await doubles.conduct.attempts("judge_piece", 2)
        assert await progress(handle) == Progress(step="judging", done=0, total=2, rows=40)
        judging.release.set()
        await handle.result()
        assert await progress(handle) == Progress(step="done", rows=40)


async def test_a_part_that_fails_is_done_again_alone(env: WorkflowEnvironment) -> None:
    doubles = ReconciliationDoubles(buckets=4, pieces=2)
    for step in ("sift_bucket", "judge_piece"):
        doubles.conduct.fail(step, DatabaseUnavailable("gone away"))
    async with running(env, doubles) as handle:
        result = await handle.result()

    assert result.verdict == Verdict.RECONCILED
    assert (sorted(doubles.sifted), sorted(doubles.judged)) == ([0, 1, 2, 3], [0, 1])
    counts = {name: doubles.conduct.count(name) for name in ("gather_books", "sift_bucket", "judge_piece")}
    assert counts == {"gather_books": 1, "sift_bucket": 5, "judge_piece": 3}


async def test_a_conclusion_whose_answer_was_lost_is_not_made_twice(env: WorkflowEnvironment) -> None:
    doubles = ReconciliationDoubles(verdict=Verdict.BREAKS, breaks_new=2)
    doubles.conduct.lose_answer("conclude_run", DatabaseUnavailable("the connection died after the commit"))
    async with running(env, doubles) as handle:
        result = await handle.result()

    assert list(doubles.stored) == [result.run_id]
    assert (doubles.conduct.count("conclude_run"), result.breaks_new) == (2, 2)


async def test_a_run_that_is_stored_already_is_only_told_again(env: WorkflowEnvironment) -> None:
    doubles = ReconciliationDoubles(buckets=4, matched=5)
    doubles.conduct.lose_answer("gather_books", DatabaseUnavailable("the answer was lost"))
    hold = doubles.conduct.hold("gather_books")
    async with running(env, doubles) as handle:
        await doubles.conduct.attempts("gather_books", 1)
        # Meanwhile another worker, thought dead, came to the end of this run.
        (order,) = doubles.conduct.calls["gather_books"]
        doubles.stored[order.run_id] = doubles._answer()
        hold.release.set()
        result = await handle.result()

    assert (result.verdict, result.matched) == (Verdict.RECONCILED, 5)
    assert doubles.conduct.count("sift_bucket") == doubles.conduct.count("collect_exceptions") == 0


async def test_a_run_that_failed_for_good_stores_nothing_and_the_next_one_is_another(env: WorkflowEnvironment) -> None:
    doubles = ReconciliationDoubles(buckets=2)
    doubles.conduct.fail("collect_exceptions", Conflict("the object store holds no manifest.json"))
    async with running(env, doubles) as handle:
        with pytest.raises(WorkflowFailureError):
            await handle.result()
    (lost,) = doubles.conduct.calls["gather_books"]
    assert not doubles.stored
    async with running(env, doubles) as handle:
        result = await handle.result()
    assert result.verdict == Verdict.RECONCILED
    assert list(doubles.stored) == [result.run_id] != [lost.run_id]


async def test_a_cancelled_run_stops_between_its_parts_and_stores_nothing(env: WorkflowEnvironment) -> None:
    doubles = ReconciliationDoubles(buckets=3 * AT_ONCE)
    hold = doubles.conduct.hold("sift_bucket")
    async with running(env, doubles) as handle:
        await doubles.conduct.attempts("sift_bucket", AT_ONCE)
        await handle.cancel()
        with pytest.raises(WorkflowFailureError) as ended:
            await handle.result()
        hold.release.set()

    assert isinstance(ended.value.cause, CancelledError)
    assert not doubles.stored
    assert doubles.conduct.count("sift_bucket") == AT_ONCE
    assert doubles.conduct.count("write_report") == 0


async def test_a_source_that_never_answers_is_left_out_after_a_few_tries(env: WorkflowEnvironment) -> None:
    doubles = ReconciliationDoubles(verdict=Verdict.INCOMPLETE)
    tried: list[bool] = []
    away = [DatabaseUnavailable("MySQL does not answer")] * TRIES_PER_SOURCE

    def gather(*, give_up: bool, **_asked: object) -> RunInParts:
        if away:
            raise away.pop()
        tried.append(give_up)
        if not give_up:
            raise SourceUnreadable("the provider answered 503")
        return RunInParts(reference="runs/1", buckets=1, rows=0)

    service = create_autospec(ReconciliationService, instance=True)
    service.gather.side_effect = gather
    real = ReconciliationActivities(
        service,
        create_autospec(RepairService, instance=True),
        create_autospec(ReportingService, instance=True),
        create_autospec(Processes, instance=True),
    )
    steps = [real.gather_books, *(one for one in activities_of(doubles) if one.__name__ != "gather_books")]
    async with serving(env.client, [ReconciliationWorkflow], steps) as queue:
        handle = await env.client.start_workflow(
            ReconciliationWorkflow.run, REQUEST, id=f"reconcile/{uuid.uuid4().hex}", task_queue=queue
        )
        async with asyncio.timeout(PATIENCE_SECONDS):
            while len(away) == TRIES_PER_SOURCE:
                await asyncio.sleep(0.01)
        await env.fast_forward(handle)
        result = await handle.result()

    # That something else failed as often before says nothing of the source.
    assert tried == [False] * (TRIES_PER_SOURCE - 1) + [True]
    assert result.verdict == Verdict.INCOMPLETE


async def test_a_run_that_is_asked_for_its_progress_while_it_begins_can_be_replayed(env: WorkflowEnvironment) -> None:
    """A query in the middle of the first local activity splits the workflow's task, at least every other time."""
    doubles = ReconciliationDoubles(verdict=Verdict.RECONCILED, buckets=2, rows=10)
    async with running(env, doubles) as handle:
        await standing(handle, "done", 0)
        await handle.result()
    replayer = Replayer(workflows=[ReconciliationWorkflow], workflow_runner=sandbox())
    await replayer.replay_workflow(await handle.fetch_history())
