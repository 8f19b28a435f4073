"""What does not get on is seen: a step that keeps failing, an order without a way back, a workflow whose code fails."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import NoReturn

import pytest
from click.testing import CliRunner
from sqlalchemy import Engine
from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.common import RetryPolicy
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from tests.integration.own_database import emptied, migrated_database
from tests.integration.temporal_namespace import fresh_namespace
from tests.integration.test_breaks_cli import SECRETS
from worker.cli.main import cli
from worker.domain.errors import DatabaseUnavailable, InvalidInput, OrdersError, ProviderUnavailable
from worker.domain.stuck import StuckStep
from worker.gateways.clock import SystemClock
from worker.observability.metrics import Metrics
from worker.repositories.database import MysqlDatabase
from worker.services.stuck import FORGOTTEN_AFTER, StuckSteps
from worker.temporal.interceptors import ActivityInterceptor

QUEUE = "stuck"
PATIENCE = 60


class Provider:
    """Answers once it is mended; tells how often it was asked."""

    def __init__(self) -> None:
        self.mended: OrdersError | str | None = None
        self.asked = threading.Semaphore(0)

    @activity.defn(name="ask_provider")
    def ask(self) -> str:
        self.asked.release()
        if isinstance(self.mended, str):
            return self.mended
        raise self.mended or ProviderUnavailable("the provider does not answer")


@workflow.defn(name="Asking")
class Asking:
    @workflow.run
    async def run(self) -> str:
        retry = RetryPolicy(initial_interval=timedelta(milliseconds=50), backoff_coefficient=1)
        answer: str = await workflow.execute_activity(
            "ask_provider", start_to_close_timeout=timedelta(seconds=5), retry_policy=retry
        )
        return answer


@workflow.defn(name="Broken")
class Broken:
    @workflow.run
    async def run(self) -> None:
        raise KeyError("a bug")


@pytest.fixture(scope="module")
def shared(database_url: str) -> Iterator[Engine]:
    with migrated_database(database_url) as engine:
        yield engine


@pytest.fixture
def stuck(shared: Engine) -> StuckSteps:
    emptied(shared)
    return StuckSteps(MysqlDatabase(shared), SystemClock(), timedelta())


@pytest.fixture
async def client(temporal_server: str) -> AsyncIterator[Client]:
    async with fresh_namespace(temporal_server) as client:
        yield client


@asynccontextmanager
async def working(client: Client, provider: Provider, stuck: StuckSteps) -> AsyncIterator[None]:
    executor = ThreadPoolExecutor(2)
    worker = Worker(
        client,
        task_queue=QUEUE,
        workflows=[Asking, Broken],
        activities=[provider.ask],
        activity_executor=executor,
        workflow_runner=UnsandboxedWorkflowRunner(),
        interceptors=[ActivityInterceptor(Metrics(), stuck)],
    )
    async with worker:
        yield
    executor.shutdown()


async def until(found: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not await found():
            await asyncio.sleep(0.05)


async def noted(stuck: StuckSteps, count: int) -> list[StuckStep]:
    async def so_many() -> bool:
        return len(await asyncio.to_thread(stuck.listed, 10)) == count

    await until(so_many)
    return stuck.listed(10)


@pytest.mark.parametrize("end", ["answered", InvalidInput("it is refused")], ids=["well", "refused"])
async def test_a_step_that_keeps_failing_is_noted_until_it_gets_on(
    client: Client, stuck: StuckSteps, end: OrdersError | str
) -> None:
    provider = Provider()
    async with working(client, provider, stuck):
        handle = await client.start_workflow("Asking", id="asking", task_queue=QUEUE)
        (step,) = await noted(stuck, 1)
        assert (step.workflow_id, step.run_id) == ("asking", handle.first_execution_run_id)
        assert (step.activity, step.queue, step.code) == ("ask_provider", QUEUE, "provider_unavailable")
        assert step.message == "the provider does not answer"
        assert step.since <= step.failed_at <= datetime.now(UTC)

        async def tried_on() -> bool:
            return stuck.listed(1)[0].attempts > step.attempts

        await until(tried_on)
        assert stuck.listed(1)[0].since == step.since
        provider.mended = end
        await noted(stuck, 0)
        if isinstance(end, str):
            assert await handle.result() == "answered"


async def test_what_fails_for_a_moment_only_is_nobody_s_business(client: Client, shared: Engine) -> None:
    emptied(shared)
    patient = StuckSteps(MysqlDatabase(shared), SystemClock(), timedelta(minutes=5))
    provider = Provider()
    async with working(client, provider, patient):
        handle = await client.start_workflow("Asking", id="asking", task_queue=QUEUE)
        for _ in range(4):
            assert await asyncio.to_thread(provider.asked.acquire, timeout=PATIENCE)
        provider.mended = "answered"
        assert await handle.result() == "answered"
    assert patient.listed(10) == []


async def test_a_note_that_cannot_be_written_is_no_failure_of_the_step(client: Client, shared: Engine) -> None:
    class Away(MysqlDatabase):
        def transact(self, work: object) -> NoReturn:
            raise DatabaseUnavailable("MySQL does not answer")

    provider = Provider()
    async with working(client, provider, StuckSteps(Away(shared), SystemClock(), timedelta())):
        handle = await client.start_workflow("Asking", id="asking", task_queue=QUEUE)
        for _ in range(3):
            assert await asyncio.to_thread(provider.asked.acquire, timeout=PATIENCE)
        provider.mended = "answered"
        assert await handle.result() == "answered"


def test_the_note_of_a_workflow_that_was_ended_is_forgotten(stuck: StuckSteps) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    step = StuckStep(
        run_id="r",
        step_id="1",
        workflow_id="order/main/1",
        queue="orders",
        activity="capture_payment",
        attempts=3,
        code="provider_unavailable",
        message="m",
        since=now - 3 * FORGOTTEN_AFTER,
        failed_at=now - FORGOTTEN_AFTER + timedelta(minutes=1),
    )
    stuck.failed(step)
    stuck.failed(replace(step, step_id="2", since=step.since + timedelta(hours=1)))
    stuck.failed(replace(step, step_id="3", failed_at=now - FORGOTTEN_AFTER - timedelta(minutes=1)))
    assert [each.step_id for each in stuck.listed(10)] == ["1", "2"]
    assert stuck.listed(1) == [step]


async def test_one_command_shows_everything_that_waits_for_a_person(
    client: Client, stuck: StuckSteps, shared: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {
        "ORDERS_DATABASE__URL": shared.url.render_as_string(hide_password=False),
        "ORDERS_TEMPORAL__ADDRESS": client.service_client.config.target_host,
        "ORDERS_TEMPORAL__NAMESPACE": client.namespace,
        **{f"ORDERS_{name}": "x" * 40 for name in SECRETS},
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)

    def asked() -> tuple[int, list[dict[str, str]]]:
        done = CliRunner().invoke(cli, ["attention", "list", "--json"])
        assert done.exit_code in {0, 1}, done.output
        return done.exit_code, json.loads(done.stdout)

    assert await asyncio.to_thread(asked) == (0, [])
    provider = Provider()
    async with working(client, provider, stuck):
        await client.start_workflow("Broken", id="broken", task_queue=QUEUE)
        await client.start_workflow("Asking", id="asking", task_queue=QUEUE)

        async def both() -> bool:
            code, matters = await asyncio.to_thread(asked)
            return code == 1 and {(each["kind"], each["id"]) for each in matters} == {
                ("step", "asking"),
                ("code", "broken"),
            }

        await until(both)
        _, matters = await asyncio.to_thread(asked)
        why = {each["kind"]: each["why"] for each in matters}
        assert "ask_provider failed" in why["step"]
        assert "provider_unavailable: the provider does not answer" in why["step"]
        assert why["code"].startswith("Broken: ")
        assert "WorkflowTaskFailed" in why["code"]
        provider.mended = "answered"
