"""On a real server: what is sealed is read by whoever has the key, and stands nowhere in what the server keeps."""

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from types import SimpleNamespace

import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionRequest, GetWorkflowExecutionHistoryRequest
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle, WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError
from temporalio.worker import Replayer, Worker

from functions.payload_codec import codec_of
from functions.problems import TemporalUnavailable
from functions.temporal import Start, Started, Temporal
from tests.integration.confiding_workflow import Confiding, Failing, blab, confide
from tests.integration.temporal_namespace import fresh_namespace
from tests.workflows.sandbox import sandbox
from worker.config import ScheduleConfig
from worker.contract.encryption import EncryptionConfig, SealingKey
from worker.contract.names import Queue, WorkflowType
from worker.contract.settings import Secret
from worker.contract.temporal_tls import TemporalConfig
from worker.contract.users import RegisterUser
from worker.temporal import schedules
from worker.temporal.codec import converter_of
from worker.temporal.forgetting import forget

CANARY = "ada@canary.example"
QUEUE = "sealed"


def config(*names: str, accept_clear: bool = True) -> EncryptionConfig:
    """Return settings with a key for each name, made of the name."""
    keys = (SealingKey(id=name, key=Secret(base64.b64encode(name.encode().ljust(32, b".")).decode())) for name in names)
    return EncryptionConfig(enabled=True, accept_clear=accept_clear, keys=tuple(keys))


def with_keys(client: Client, *names: str, accept_clear: bool = True) -> Client:
    """Return the same connection with other keys."""
    settings = client.config()
    settings["data_converter"] = converter_of(config(*names, accept_clear=accept_clear))
    return Client(**settings)


@pytest.fixture
async def client(temporal_server: str) -> AsyncIterator[Client]:
    async with fresh_namespace(temporal_server) as client:
        yield client


@asynccontextmanager
async def working(client: Client) -> AsyncIterator[None]:
    async with Worker(
        client,
        task_queue=QUEUE,
        workflows=[Confiding, Failing],
        activities=[confide, blab],
        workflow_runner=sandbox(),
        max_cached_workflows=0,  # every task replays from the beginning, and so reads everything again
    ):
        yield


async def started(client: Client, words: str, name: str = "one") -> WorkflowHandle[Confiding, list[str]]:
    return await client.start_workflow(
        Confiding.run,
        words,
        id=name,
        task_queue=QUEUE,
        memo={"m": words},
        static_summary=f"of {words}",
        task_timeout=timedelta(seconds=1),
    )


async def kept(client: Client, handle: WorkflowHandle[Confiding, list[str]]) -> bytes:
    """Return what the server itself keeps of a workflow, as bytes."""
    where = WorkflowExecution(workflow_id=handle.id)
    history = await client.workflow_service.get_workflow_execution_history(
        GetWorkflowExecutionHistoryRequest(namespace=client.namespace, execution=where)
    )
    described = await client.workflow_service.describe_workflow_execution(
        DescribeWorkflowExecutionRequest(namespace=client.namespace, execution=where)
    )
    assert not history.next_page_token
    return history.SerializeToString() + described.SerializeToString()


async def told(client: Client, handle: WorkflowHandle[Confiding, list[str]]) -> list[str]:
    """Say everything there is to say and return what the workflow heard."""
    await handle.signal(Confiding.hear, f"signal {CANARY}")
    assert await handle.execute_update(Confiding.answer, f"update {CANARY}") == f"yes, update {CANARY}"
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await handle.execute_update(Confiding.answer, f"never {CANARY}")
    assert isinstance(refused.value.cause, ApplicationError)
    assert (refused.value.cause.message, refused.value.cause.type) == (f"I do not answer never {CANARY}", "refused")
    assert CANARY in str(await handle.query(Confiding.so_far))
    assert (await (await handle.describe()).memo())["m"] == CANARY
    await handle.execute_update(Confiding.stop, "well")
    return await handle.result()


async def test_everybody_with_the_key_reads_it_and_the_server_keeps_none_of_it(client: Client) -> None:
    # Nothing in clear is accepted: so all of it is sealed, what the SDK writes on its own included.
    sealed = with_keys(client, "key-one", accept_clear=False)
    async with working(sealed):
        handle = await started(sealed, CANARY)
        heard = await told(sealed, handle)
        failing = await sealed.start_workflow(Failing.run, CANARY, id="two", task_queue=QUEUE)
        with pytest.raises(WorkflowFailureError) as failed:
            await failing.result()
    assert [heard.count(said) for said in (CANARY, f"heard {CANARY}", f"blabbed: refused: {CANARY}")] == [1, 2, 1]
    assert isinstance(failed.value.cause, ApplicationError)
    assert (failed.value.cause.message, failed.value.cause.type) == (f"failed over {CANARY}", "told")
    for told_of in (handle, client.get_workflow_handle("two")):
        stored = await kept(client, told_of)
        assert b"key-one" in stored
        for word in (CANARY.encode(), b"canary", b"confiding_workflow.py", b"refused:", b"heard"):
            assert word not in stored, word


async def test_without_sealing_the_same_story_would_show_it(client: Client) -> None:
    async with working(client):
        handle = await started(client, CANARY)
        await told(client, handle)
    assert (await kept(client, handle)).count(CANARY.encode()) > 10


async def test_a_workflow_begun_in_clear_or_under_an_older_key_goes_on_under_the_newest(client: Client) -> None:
    before, between = with_keys(client, "key-one"), with_keys(client, "key-two", "key-one")
    async with working(client):
        clear = await started(client, "in clear", "clear")
        assert await clear.execute_update(Confiding.answer, "a") == "yes, a"
    async with working(before):
        old = await started(before, "old", "old")
        assert await old.execute_update(Confiding.answer, "b") == "yes, b"
    async with working(between):
        for name in ("clear", "old"):
            handle: WorkflowHandle[Confiding, list[str]] = between.get_workflow_handle(name, result_type=list[str])
            await handle.signal(Confiding.hear, "c")
            assert await handle.execute_update(Confiding.answer, "d") == "yes, d"
            await handle.execute_update(Confiding.stop, "well")
            assert {"c", "d"} <= set(await handle.result())
            assert b"key-two" in await kept(client, handle)
    history = await between.get_workflow_handle("old").fetch_history()

    async def replayed(*names: str) -> BaseException | None:
        replayer = Replayer(
            workflows=[Confiding], workflow_runner=sandbox(), data_converter=converter_of(config(*names))
        )
        return (await replayer.replay_workflow(history, raise_on_replay_failure=False)).replay_failure

    assert await replayed("key-two", "key-one") is None
    assert "UnknownKeyError" in str(await replayed("key-two"))


async def test_a_worker_that_lacks_the_key_spoils_nothing(client: Client) -> None:
    """Its task fails and is tried again; with the key back, the workflow goes on as if nothing had been."""
    old = with_keys(client, "key-one")
    handle = await started(old, CANARY)
    async with working(with_keys(client, "key-two")):

        async def failed_task() -> bool:
            history = await handle.fetch_history()
            return any(event.HasField("workflow_task_failed_event_attributes") for event in history.events)

        async with asyncio.timeout(60):
            while not await failed_task():
                await asyncio.sleep(0.1)
    assert CANARY.encode() not in await kept(client, handle)
    async with working(with_keys(client, "key-two", "key-one")):
        knowing: WorkflowHandle[Confiding, list[str]] = with_keys(client, "key-two", "key-one").get_workflow_handle(
            handle.id, result_type=list[str]
        )
        await knowing.execute_update(Confiding.stop, "well")
        assert (await knowing.result())[0] == CANARY


async def test_what_is_forgotten_is_gone_and_nothing_else_is(client: Client) -> None:
    sealed = with_keys(client, "key-one")
    async with working(sealed):
        forgotten = await started(sealed, CANARY, "user/forgotten")
        await started(sealed, CANARY, "user/other")
        assert [await forget(sealed, forgotten.id) for _ in range(2)] == [1, 0]
        with pytest.raises(RPCError, match="not found"):
            await kept(client, forgotten)
        assert b"key-one" in await kept(client, client.get_workflow_handle("user/other"))


async def test_what_was_put_there_in_clear_is_not_taken_for_ours(client: Client) -> None:
    """Whoever reaches Temporal but has no key starts no workflow of ours, and signals none."""
    sealed = with_keys(client, "key-one", accept_clear=False)
    forged = await started(client, CANARY, "forged")
    async with working(sealed):

        async def refused() -> bool:
            history = await forged.fetch_history()
            return any(event.HasField("workflow_task_failed_event_attributes") for event in history.events)

        async with asyncio.timeout(60):
            while not await refused():
                await asyncio.sleep(0.1)


async def test_schedules_are_sealed_anew_when_another_key_seals(client: Client) -> None:
    """Each run gets the schedule's own bytes: an older key could never be dropped otherwise."""
    declared = [
        ScheduleConfig(
            id="reconcile-sealed",
            shop="main",
            provider="stripe",
            interval_seconds=86400,
            offset_seconds=0,
            overlap="buffer_one",
            catchup_seconds=600,
            jitter_seconds=0,
        )
    ]
    defaults = SimpleNamespace(repair=True)

    async def planned(of: Client) -> tuple[str, list[str]]:
        (change,) = await schedules.plan(of, declared, defaults)
        await schedules.apply(of, [change])
        return str(change.action), [field.name for field in change.fields]

    before, after = with_keys(client, "key-one"), with_keys(client, "key-two", "key-one")
    assert (await planned(before))[0] == "create"
    assert await planned(before) == ("unchanged", [])
    assert await planned(after) == ("update", ["sealed_with"])
    assert await planned(with_keys(client, "key-two")) == ("unchanged", [])
    await client.get_schedule_handle("reconcile-sealed").delete()


async def test_functions_know_their_own_starts_again_and_ask_to_come_again_while_they_lack_the_key(
    client: Client, temporal_server: str
) -> None:
    place = TemporalConfig(address=temporal_server, namespace=client.namespace, tls=False)
    start = Start(
        workflow=WorkflowType.USER,
        workflow_id="user/edge",
        queue=Queue.USERS,
        argument=RegisterUser(user_id="edge", email=CANARY, registered_at="2026-11-28T00:00:00+00:00"),
        fingerprint="f" * 64,
        summary="user edge",
    )

    def story() -> tuple[Started, Started]:
        knowing = Temporal(place, 10_000, codec_of(config("key-one")))
        changed = Temporal(place, 10_000, codec_of(config("key-two")))
        try:
            found = knowing.start(start), knowing.start(start)
            with pytest.raises(TemporalUnavailable):
                changed.start(start)
        finally:
            knowing.close()
            changed.close()
        return found

    first, second = await asyncio.to_thread(story)
    assert not first.duplicate
    assert (second.duplicate, second.existing_fingerprint) == (True, "f" * 64)
    assert CANARY.encode() not in await kept(client, client.get_workflow_handle("user/edge"))
