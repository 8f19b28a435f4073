"""The deployed worker works: started as its task definition says, it registers, runs an order and a reconciliation."""

import asyncio
import io
import json
import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import boto3
import pytest
from boto3.s3.transfer import TransferConfig
from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.client import Client

from infra.local import freeports
from tests.e2e.scene import api_order
from tests.infra import cloud_database
from tests.infra.configuration import AWS
from tests.infra.container import Container, ended, started
from tests.infra.deployment import Deployment, master_user
from tests.infra.fake_aws.containers import REGION, acting_as
from tests.infra.lambda_gateway import Gateway
from tests.infra.test_deployed_functions import OPERATOR
from tests.infra.waiting import until
from worker.cli.complaints import EXIT_REFUSED
from worker.connections import reading
from worker.contract.names import SEARCH_ATTRIBUTE_TYPES
from worker.contract.reconciliation import ReconciliationResult
from worker.domain.order import Order, OrderState
from worker.temporal.client import connect
from worker.temporal.codec import converter_of

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
    with reading(worker.config) as database:
        return database.transact(lambda tx: tx.orders.get("main", order_id))


async def client_of(worker: Container) -> Client:
    return await connect(worker.config.temporal, converter_of(worker.config.encryption))


async def test_the_deploy_task_converged_schedules_and_search_attributes(worker: Container) -> None:
    client = await client_of(worker)
    declared = sorted(each.id for each in worker.config.schedules.values())
    async with asyncio.timeout(60):
        # The server's list follows what it knows.
        while sorted([each.id async for each in await client.list_schedules()]) != declared:
            await asyncio.sleep(0.1)
    known = await client.operator_service.list_search_attributes(ListSearchAttributesRequest(namespace="default"))
    assert set(SEARCH_ATTRIBUTE_TYPES) <= set(known.custom_attributes)


async def test_it_registers_on_every_queue(worker: Container) -> None:
    queues = json.loads(worker.settings["ORDERS_WORKER__QUEUES"])
    assert set(queues) == {"orders", "events", "users", "outbound", "reconciliation"}


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

    back = json.dumps({"request_id": "r-1", "amount_minor": 100, "reason": "late"}).encode()
    refunded = await asyncio.to_thread(edge.ask, "POST", f"/orders/{order['order_id']}/refund", back, headers)
    assert (refunded.status, refunded.json["refunded_minor"]) == (200, 100), refunded

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


def reported(log: Path) -> set[tuple[str, str, frozenset[tuple[str, str]]]]:
    """Return namespace, name and dimensions of every figure in the embedded metric format of a log."""
    found = set()
    for line in log.read_text("utf-8").splitlines():
        document = json.loads(line) if line.startswith('{"_aws"') else {"_aws": {"CloudWatchMetrics": []}}
        for told in document["_aws"]["CloudWatchMetrics"]:
            for keys in told["Dimensions"]:
                dimensions = frozenset((key, document[key]) for key in keys)
                found |= {(told["Namespace"], metric["Name"], dimensions) for metric in told["Metrics"]}
    return found


def test_every_alarm_on_its_figures_is_on_one_that_it_reports(deployment: Deployment, worker: Container) -> None:
    """Also those that this environment does without: what a production watches is what the same worker reports."""
    namespace = worker.settings["ORDERS_METRICS__EMF_NAMESPACE"]
    text = (AWS / "modules" / "observability" / "alarms.tf").read_text("utf-8")
    declared = re.findall(r'= var\.metrics_namespace, metric = "(\w+)", dimensions = \{ ?(\w*)', text)
    things = {"": [""], "Queue": json.loads(worker.settings["ORDERS_WORKER__QUEUES"]), "Shop": ["main"]}
    watched = {
        (namespace, metric, frozenset([(dimension, thing)] if dimension else []))
        for metric, dimension in declared
        for thing in things[dimension]
    }
    assert {name for _, name, _ in watched} == {
        *(
            "BacklogAgeSeconds",
            "BreaksAtRisk",
            "SchedulesMissed",
            "ReconciliationRunsFailed",
            "DeadLetters",
            "StuckWork",
            "DeadWebhooks",
        )
    }
    until("the worker to report every figure that is watched", lambda: watched <= reported(worker.log) or None, 90)


def test_it_may_file_under_any_prefix_and_in_parts(deployment: Deployment, worker: Container) -> None:
    keys = acting_as(worker.definition["taskRoleArn"], deployment.fake.endpoint)
    s3 = boto3.client(
        "s3",
        endpoint_url=deployment.fake.endpoint,
        region_name=REGION,
        aws_access_key_id=keys["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=keys["AWS_SECRET_ACCESS_KEY"],
    )
    bucket, content = worker.settings["ORDERS_STORE__BUCKET"], os.urandom(6 << 20)
    in_parts = TransferConfig(multipart_threshold=1 << 20, multipart_chunksize=5 << 20)
    for prefix in ("statements", "reports", "lake/2026"):
        s3.upload_fileobj(io.BytesIO(content), bucket, f"{prefix}/large.parquet", Config=in_parts)
        assert s3.get_object(Bucket=bucket, Key=f"{prefix}/large.parquet")["Body"].read() == content
    administrator = deployment.fake.client("s3")
    rules = administrator.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    (ageing,) = (rule for rule in rules if rule["Filter"] in ({}, {"Prefix": ""}))
    assert "Expiration" not in ageing, "what is filed is aged by one rule, whatever its prefix"
    # Statements and reports stay; what runs were gathered with goes after its time.
    expiring = {rule["Filter"]["Prefix"]: rule["Expiration"]["Days"] for rule in rules if rule is not ageing}
    assert expiring == {"lake/reading/": 7, "lake/runs/": 400, "lake/read/": 400, "lake/lasting/": 400}


def test_on_an_older_schema_it_does_not_start(deployment: Deployment, worker: Container, tmp_path: Path) -> None:
    layout = deployment.stack.stack.layout
    database = urlsplit(worker.config.database.url.reveal()).path.strip("/")
    with cloud_database.connect(layout, master_user(), cloud_database.PASSWORD, database) as connection:
        cursor = connection.cursor()
        cursor.execute("SELECT version_num FROM schema_version")
        (current,) = cursor.fetchone() or ("",)
        cursor.execute("DELETE FROM schema_version")  # as it is before the first migration
        connection.commit()
        try:
            instead = {**deployment.instead(), "ORDERS_WORKER__HEALTH_PORT": str(freeports.free_port())}
            status, told = ended(deployment.fake, worker.definition["taskDefinitionArn"], tmp_path, instead, 60)
        finally:
            cursor.execute("INSERT INTO schema_version (version_num) VALUES (%s)", (current,))
            connection.commit()
    assert current >= "0001"
    assert status == EXIT_REFUSED
    assert f"the database has schema none, this code needs {current}: run `orders db migrate`" in told
    assert "Traceback" not in told


def test_it_is_held_to_its_roles(deployment: Deployment, worker: Container) -> None:
    assert deployment.fake.denied() == []


def test_it_ends_by_itself_when_it_is_told_to(worker: Container) -> None:
    assert worker.stop() == 0
