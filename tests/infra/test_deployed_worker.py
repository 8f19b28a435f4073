"""The deployed worker works: started as its task definition says, it registers, runs an order and a reconciliation."""

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.client import Client

from tests.e2e.scene import api_order
from tests.infra.container import Container, started
from tests.infra.deployment import Deployment
from tests.infra.lambda_gateway import Gateway
from tests.infra.test_deployed_functions import OPERATOR
from tests.infra.waiting import until
from worker.config import load
from worker.connections import reading
from worker.contract.names import SEARCH_ATTRIBUTE_TYPES
from worker.contract.reconciliation import ReconciliationResult
from worker.domain.order import Order, OrderState
from worker.temporal.client import connect

pytestmark = pytest.mark.infra

GRACE = timedelta(seconds=6)


@pytest.fixture(scope="module")
def worker(deployment: Deployment, edge: Gateway, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Container]:
    """The one service of the environment."""
    ecs = deployment.fake.client("ecs")
    (cluster,) = ecs.list_clusters()["clusterArns"]
    (service,) = ecs.list_services(cluster=cluster)["serviceArns"]
    (found,) = ecs.describe_services(cluster=cluster, services=[service])["services"]
    folder = tmp_path_factory.mktemp("worker")
    with started(deployment.fake, found["taskDefinition"], folder, deployment.instead()) as container:
        yield container


def read(worker: Container, order_id: str) -> Order | None:
    with reading(load(worker.settings)) as database:
        return database.transact(lambda tx: tx.orders.get("main", order_id))


async def client_of(worker: Container) -> Client:
    return await connect(load(worker.settings).temporal)


async def test_the_deploy_task_converged_schedules_and_search_attributes(worker: Container) -> None:
    client = await client_of(worker)
    schedules = [each.id async for each in await client.list_schedules()]
    assert schedules == [each.id for each in load(worker.settings).schedules.values()]
    known = await client.operator_service.list_search_attributes(ListSearchAttributesRequest(namespace="default"))
    assert set(SEARCH_ATTRIBUTE_TYPES) <= set(known.custom_attributes)


async def test_it_registers_on_every_queue(worker: Container) -> None:
    queues = json.loads(worker.settings["ORDERS_WORKER__QUEUES"])
    assert set(queues) == {"orders", "events", "users", "reconciliation"}


async def test_an_order_and_a_reconciliation(deployment: Deployment, worker: Container, edge: Gateway) -> None:
    order = api_order()
    headers = [("Authorization", f"Bearer {deployment.stack.api_key}"), ("Content-Type", "application/json")]
    accepted = await asyncio.to_thread(edge.ask, "POST", "/orders", json.dumps(order).encode(), headers)
    assert accepted.status == 202, accepted

    def completed() -> Order | None:
        found = read(worker, order["order_id"])
        return found if found is not None and found.state == OrderState.COMPLETED else None

    done = await asyncio.to_thread(until, "the order to be completed", completed, 60)
    assert done.captured_minor == order["total_minor"]
    assert deployment.control(f"/provider/ledger?order_id={order['order_id']}")["captured_count"] == 1

    await asyncio.sleep(GRACE.total_seconds())  # the graces of a payment and of an order are real time
    now = datetime.now(UTC).replace(microsecond=0)
    window = {"start": (now - timedelta(hours=1)).isoformat(), "end": now.isoformat()}
    wish = json.dumps({"provider": "stripe", "window": window}).encode()
    signed = [*OPERATOR.items(), ("Content-Type", "application/json")]
    asked = await asyncio.to_thread(edge.ask, "POST", "/reconciliations", wish, signed)
    assert asked.status == 202, asked
    client = await client_of(worker)
    handle = client.get_workflow_handle(asked.json["workflow_id"], result_type=ReconciliationResult)
    result = await asyncio.wait_for(handle.result(), 60)
    assert (result.verdict, result.breaks_open) == ("reconciled", 0)
    assert result.matched >= 1
    stored = deployment.fake.client("s3").get_object(Bucket=worker.settings["ORDERS_STORE__BUCKET"], Key=result.report)
    assert b"<html" in stored["Body"].read()


def test_it_is_held_to_its_roles(deployment: Deployment, worker: Container) -> None:
    assert deployment.fake.denied() == []


def test_it_ends_by_itself_when_it_is_told_to(worker: Container) -> None:
    assert worker.stop() == 0
