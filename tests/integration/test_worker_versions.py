"""Releases of the worker side by side on a real server: a live order goes on with the one that has the work."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from temporalio.client import Client

from tests.integration.nothing_stuck import NOTHING_IS_STUCK
from tests.integration.office import Office
from tests.integration.temporal_namespace import fresh_namespace
from tests.integration.test_breaks_cli import orders
from worker import app
from worker.app import Application, compose
from worker.config import WorkerConfig, load
from worker.contract.ids import order_workflow_id
from worker.contract.names import Queue
from worker.contract.orders import OrderEvent, OrderEventKind, PaymentMode, PlaceOrder
from worker.domain.errors import Conflict
from worker.domain.order import OrderState
from worker.observability.metrics import Metrics
from worker.temporal import versions
from worker.temporal.backlog import backlog
from worker.temporal.dispatch import TemporalProcesses
from worker.temporal.interceptors import ActivityInterceptor
from worker.temporal.worker import activity_executor, build_workers

QUEUES = ("orders", "users")
OLD, NEW = "2026-11-27.1", "2026-11-28.1"
PATIENCE = 60


@pytest.fixture
async def client(temporal_server: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Client]:
    async with fresh_namespace(temporal_server) as client:
        monkeypatch.setenv("ORDERS_TEMPORAL__ADDRESS", temporal_server)
        monkeypatch.setenv("ORDERS_TEMPORAL__NAMESPACE", client.namespace)
        yield client


@pytest.fixture
def application(office: Office, client: Client, monkeypatch: pytest.MonkeyPatch) -> Iterator[Application]:
    gateways: list[Any] = []
    outside = app._outside

    def remembered(config: WorkerConfig) -> Any:
        gateways.extend(made := outside(config))
        return made

    monkeypatch.setattr(app, "_outside", remembered)
    for name, value in office.outside.settings.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("ORDERS_DATABASE__URL", office.engine.url.render_as_string(hide_password=False))
    yield compose(load(), client, office.engine, None)
    for gateway in gateways:
        gateway.close()


@asynccontextmanager
async def worker_of(application: Application, client: Client, release: str, *queues: str) -> AsyncIterator[None]:
    """Run a worker of a release, for some queues or all."""
    config = replace(application.config.worker, queues=queues or QUEUES, release=release, grace_seconds=2)
    executor = activity_executor(config)
    interceptors = [ActivityInterceptor(Metrics(), NOTHING_IS_STUCK)]
    workers = build_workers(client, config, application.plan, executor, interceptors=interceptors)
    running = [asyncio.create_task(worker.run()) for worker in workers]
    try:
        yield
    finally:
        await asyncio.gather(*(worker.shutdown() for worker in workers))
        await asyncio.gather(*running)
        executor.shutdown()


async def becomes_current(client: Client, release: str) -> None:
    """Do what the worker's upkeep does, until it is done."""
    async with asyncio.timeout(PATIENCE):
        while not await versions.promote(client, release, QUEUES):
            await asyncio.sleep(0.1)


async def gets_work(office: Office, client: Client, release: str, name: str) -> None:
    """Wait until the queues know whose the work is, which the server tells them after it has said yes."""
    processes = TemporalProcesses(client)
    async with asyncio.timeout(PATIENCE):
        for number in count():
            await processes.start_order(office.placing(f"{name}-{number}"))
            await reaches(office, f"{name}-{number}", OrderState.FULFILLING)
            if await worked_by(client, f"{name}-{number}") == [release]:
                return


async def reaches(office: Office, order_id: str, state: OrderState) -> None:
    async with asyncio.timeout(PATIENCE):
        while True:
            order = await asyncio.to_thread(office.database.transact, lambda tx: tx.orders.get("main", order_id))
            if order is not None and order.state is state:
                return
            await asyncio.sleep(0.05)


async def worked_by(client: Client, order_id: str) -> list[str]:
    """Return which versions did the order's workflow tasks, one after the other; once one of them is done.

    The first one charges the order, so our books may tell of that before it ends.
    """
    async with asyncio.timeout(PATIENCE):
        while True:
            history = await client.get_workflow_handle(order_workflow_id("main", order_id)).fetch_history()
            done = [event.workflow_task_completed_event_attributes for event in history.events if event.event_type == 7]
            if done:
                break
            await asyncio.sleep(0.05)
    versions_of = [each.deployment_version.build_id or "-" for each in done]
    return [each for number, each in enumerate(versions_of) if number == 0 or versions_of[number - 1] != each]


async def ship(office: Office, processes: TemporalProcesses, order_id: str) -> str:
    (parcel,) = await asyncio.to_thread(office.parcels_of, order_id)
    shipped = await asyncio.to_thread(office.outside.control, "POST", "/warehouse/ship", {"id": parcel.shipment_id})
    event = OrderEvent(
        event_id=f"shipped-{order_id}",
        kind=OrderEventKind.SHIPPED,
        occurred_at=shipped["shipped_at"],
        reference=parcel.shipment_id,
    )
    return (await processes.deliver("main", order_id, event)).state


@pytest.mark.parametrize("before", [OLD, ""], ids=["a-release", "no-release"])
async def test_an_order_that_began_on_the_old_worker_is_completed_by_the_new_one(
    office: Office, client: Client, application: Application, before: str
) -> None:
    """Both run all the time. `before` is what ran first: a release, or a worker that announces none."""
    # The outside world remembers orders of both cases.
    live, meanwhile = f"live-{before}", f"meanwhile-{before}"
    processes = TemporalProcesses(client)
    async with worker_of(application, client, before):
        if before:
            await becomes_current(client, before)
        await processes.start_order(office.placing(live))
        await reaches(office, live, OrderState.FULFILLING)
        async with worker_of(application, client, NEW):
            await processes.start_order(office.placing(meanwhile))
            await reaches(office, meanwhile, OrderState.FULFILLING)
            assert await worked_by(client, meanwhile) == [before or "-"], "a worker that is new has no work yet"
            await becomes_current(client, NEW)
            await gets_work(office, client, NEW, f"probe-{before}")
            assert await ship(office, processes, live) == OrderState.COMPLETED
            assert await worked_by(client, live) == [before or "-", NEW]
    assert office.path(live)[-1] == OrderState.COMPLETED
    assert office.outside.charges(live) == [1, 2500]
    assert office.booked(live) == [2500]


async def test_a_release_waits_for_its_queues_and_leaves_alone_what_people_decided(
    client: Client, application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with worker_of(application, client, OLD):
        await becomes_current(client, OLD)
        async with worker_of(application, client, NEW):
            await becomes_current(client, NEW)
            await asyncio.to_thread(orders, "worker", "versions", "set", OLD, "--yes", "--reason", "slow")
            assert not await versions.promote(client, NEW, QUEUES), "it was taken back while its workers run"
            assert (await versions.listed(client)).current == OLD
            await asyncio.to_thread(orders, "worker", "versions", "set", NEW, "--yes", "--reason", "slow")
        # ECS takes a release back by starting the old one's tasks again: nobody polls for the new one any more.
        monkeypatch.setattr(versions, "SILENT_AFTER", timedelta(0))
        assert await versions.promote(client, OLD, QUEUES)
        assert (await versions.listed(client)).current == OLD


async def test_the_command_line_lists_versions_and_gives_them_the_work(
    client: Client, application: Application
) -> None:
    def said(*arguments: str) -> str:
        why = ("--reason", "a look at it") if "set" in arguments else ()
        return orders("worker", "versions", *arguments, *why).output

    assert json.loads(await asyncio.to_thread(said, "--json")) == {
        "current": "unversioned",
        "ramping": "",
        "versions": [],
    }
    async with worker_of(application, client, OLD), worker_of(application, client, NEW):
        await becomes_current(client, OLD)
        async with asyncio.timeout(PATIENCE):
            while (await versions.listed(client)).get(NEW) is None:
                await asyncio.sleep(0.1)
        assert "would give all work from" in await asyncio.to_thread(said, "set", NEW, "--dry-run")
        assert (await versions.listed(client)).current == OLD
        assert f"20 % on {NEW}" in await asyncio.to_thread(said, "set", NEW, "--percent", "20", "--yes")
        assert "20 %" in await asyncio.to_thread(said)
        assert f"current: {NEW} (before: {OLD})" in await asyncio.to_thread(said, "set", NEW, "--yes")
        assert f"{NEW} is the current version" in await asyncio.to_thread(said, "set", NEW, "--yes")
        listed = json.loads(await asyncio.to_thread(said, "--json"))
        assert (listed["current"], listed["ramping"]) == (NEW, "")
        assert {one["build_id"]: one["status"] for one in listed["versions"]} == {NEW: "current", OLD: "draining"}
        found = await versions.listed(client)
        await versions.set_current(client, OLD, actor="ada", known=found)
        with pytest.raises(Conflict):  # somebody was quicker
            await versions.set_current(client, NEW, actor="bob", known=found)
    # What waits for a version without workers is counted like what waits for anybody.
    await TemporalProcesses(client).start_order(
        PlaceOrder(
            shop="main",
            order_id="waiting",
            currency="EUR",
            total_minor=0,
            lines=(),
            customer_id="c1",
            payment_mode=PaymentMode.CHARGE,
            placed_at="2026-11-28T00:00:00+00:00",
        )
    )
    async with asyncio.timeout(PATIENCE):
        while not sum(each.tasks for each in await backlog(client, [Queue.ORDERS])):
            await asyncio.sleep(0.1)
