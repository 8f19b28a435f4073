"""The life of an environment: applied twice it does not change; spoilt, upgraded, rolled back, destroyed without a trace.

Between upgrade and rollback it is given what the example leaves out: workers that announce their release, and a reader of
alarms. The steps follow one another and are the last to run: they end what the other tests look at.
"""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.scene import api_order
from tests.infra.container import Container, started
from tests.infra.deployment import FIRST, PREFIX, SECOND, Deployment
from tests.infra.inventory import everything
from tests.infra.lambda_gateway import Gateway
from tests.infra.lambda_gateway import running as running_function
from tests.infra.test_deployed_worker import client_of, read
from tests.infra.test_deployed_worker_sleeps import MOMENT, SERVICE, desired, lie_down, target
from tests.infra.waiting import until
from worker.contract.ids import order_workflow_id
from worker.domain.order import Order, OrderState
from worker.temporal import versions

pytestmark = pytest.mark.infra

WITH_VERSIONS: dict[str, Any] = {"worker_versions_enabled": True, "alarm_email": "on-call@example.com"}
ORDERED: list[str] = []
"""What was ordered between the upgrade and the rollback, when nobody worked."""
QUIRKS: dict[str, str] = json.loads(Path(__file__).with_name("quirks.json").read_text("utf-8"))


def changes(plan: dict[str, Any]) -> dict[str, list[str]]:
    """Return what a plan would do, by address."""
    quiet = (["no-op"], ["read"])
    found = {each["address"]: each["change"]["actions"] for each in plan.get("resource_changes", [])}
    return {address: actions for address, actions in found.items() if actions not in quiet}


def running(deployment: Deployment) -> dict[str, str]:
    """Return the image of every service, and the code of every function."""
    ecs, functions = deployment.fake.client("ecs"), deployment.fake.client("lambda")
    (cluster,) = ecs.list_clusters()["clusterArns"]
    services = ecs.describe_services(cluster=cluster, services=ecs.list_services(cluster=cluster)["serviceArns"])
    found = {}
    for service in services["services"]:
        definition = ecs.describe_task_definition(taskDefinition=service["taskDefinition"])["taskDefinition"]
        found[service["serviceName"]] = definition["containerDefinitions"][0]["image"].rpartition(":")[2]
    for function in functions.list_functions()["Functions"]:
        (alias,) = functions.list_aliases(FunctionName=function["FunctionName"])["Aliases"]
        found[function["FunctionName"]] = f"version {alias['FunctionVersion']}"
    return found


def test_applied_again_it_does_not_change(deployment: Deployment) -> None:
    planned = changes(deployment.planned("-refresh=true"))
    assert {address: actions for address, actions in planned.items() if address not in QUIRKS} == {}
    assert set(QUIRKS) <= set(planned), "a quirk that is no more"


def test_a_deploy_task_that_fails_fails_the_apply_and_changes_no_service(deployment: Deployment) -> None:
    before = running(deployment)
    right = deployment.instead()
    deployment.fake.instead(**right, ORDERS_DEPLOY__DATABASE_MASTER_PASSWORD="wrong")
    deployment.configure(SECOND)
    done = deployment.apply()
    assert done.status != 0, "an apply whose deploy task failed must fail"
    assert "Access denied" in done.output or "database" in done.output.lower(), done.output[-3000:]
    after = running(deployment)
    assert {k: v for k, v in after.items() if not v.startswith("version")} == {
        k: v for k, v in before.items() if not v.startswith("version")
    }


def test_an_upgrade_is_one_variable(deployment: Deployment) -> None:
    deployment.fake.instead(**deployment.instead())
    deployment.configure(SECOND)
    deployment.apply().ok()
    images = {name: value for name, value in running(deployment).items() if not value.startswith("version")}
    assert set(images.values()) == {SECOND}


def definition(deployment: Deployment) -> str:
    """Return the task definition of the one service."""
    (service,) = deployment.fake.client("ecs").describe_services(cluster=PREFIX, services=[SERVICE])["services"]
    return str(service["taskDefinition"])


def ordered(deployment: Deployment, edge: Gateway) -> str:
    """Place an order at the deployed API and return its id."""
    order = api_order()
    headers = [("Authorization", f"Bearer {deployment.stack.api_key}"), ("Content-Type", "application/json")]
    assert edge.ask("POST", "/orders", json.dumps(order).encode(), headers).status == 202
    return str(order["order_id"])


def has_the_work(worker: Container, release: str) -> None:
    """Wait until a release's worker has made itself the current version."""

    async def current() -> str:
        return (await versions.listed(await client_of(worker))).current

    assert worker.settings["ORDERS_WORKER__RELEASE"] == release
    until(f"{release} to be the current version", lambda: asyncio.run(current()) == release or None, 120)


def completes(worker: Container, order_id: str) -> set[str]:
    """Wait until an order is completed; return the versions that worked on it."""

    async def worked() -> set[str]:
        handle = (await client_of(worker)).get_workflow_handle(order_workflow_id("main", order_id))
        events = [each.workflow_task_completed_event_attributes for each in (await handle.fetch_history()).events]
        return {each.deployment_version.build_id for each in events if each.scheduled_event_id}

    def completed() -> Order | None:
        found = read(worker, order_id)
        return found if found is not None and found.state == OrderState.COMPLETED else None

    until("the order to be completed", completed, 120)
    return asyncio.run(worked())


def test_workers_announce_their_release_where_that_is_switched_on(
    deployment: Deployment, edge: Gateway, tmp_path: Path
) -> None:
    deployment.configure(SECOND, **WITH_VERSIONS)
    deployment.apply().ok()
    with started(deployment.fake, definition(deployment), tmp_path, deployment.instead()) as worker:
        has_the_work(worker, SECOND)
        assert completes(worker, ordered(deployment, edge)) == {SECOND}
        assert worker.stop() == 0


def test_work_for_a_version_wakes_its_worker(deployment: Deployment, edge: Gateway, tmp_path: Path) -> None:
    invoked = target(deployment)
    with running_function(deployment.fake, invoked["function"], invoked["alias"], tmp_path) as waker:
        ORDERED.append(ordered(deployment, edge))

        def told() -> dict[str, Any] | None:
            lie_down(deployment)
            found: dict[str, Any] = waker.invoke(MOMENT)[SERVICE]
            return found if found["because"].endswith("tasks wait") else None

        assert until("the order to be seen", told, 60)["tasks"] == 1
    assert desired(deployment) == 1


def test_alarms_are_for_who_reads_them(deployment: Deployment) -> None:
    found = {each["AlarmName"]: each for each in deployment.fake.client("cloudwatch").describe_alarms()["MetricAlarms"]}
    assert set(found) == {f"{PREFIX}-api-5xx", f"{PREFIX}-waker"}
    alarm = found[f"{PREFIX}-waker"]
    assert alarm["Dimensions"] == [{"Name": "FunctionName", "Value": target(deployment)["function"]}]
    assert (alarm["MetricName"], alarm["TreatMissingData"]) == ("Errors", "breaching")
    subscribed = deployment.fake.client("sns").list_subscriptions()["Subscriptions"]
    (topic,) = {topic for each in found.values() for topic in (*each["AlarmActions"], *each["OKActions"])}
    assert [(each["TopicArn"], each["Endpoint"]) for each in subscribed] == [(topic, WITH_VERSIONS["alarm_email"])]


def test_a_rollback_is_the_same_variable(deployment: Deployment) -> None:
    deployment.configure(FIRST, **WITH_VERSIONS)
    deployment.apply().ok()
    images = {name: value for name, value in running(deployment).items() if not value.startswith("version")}
    assert set(images.values()) == {FIRST}
    assert {a: c for a, c in changes(deployment.planned()).items() if a not in QUIRKS} == {}


def test_what_was_ordered_meanwhile_goes_on_with_the_release_of_before(deployment: Deployment, tmp_path: Path) -> None:
    (order_id,) = ORDERED
    with started(deployment.fake, definition(deployment), tmp_path, deployment.instead()) as worker:
        has_the_work(worker, FIRST)
        assert completes(worker, order_id) == {FIRST}
        assert worker.stop() == 0


def test_destroyed_it_leaves_nothing(deployment: Deployment, before_apply: set[str]) -> None:
    done = deployment.dev.run("destroy", "-input=false", "-auto-approve", "-parallelism=20", seconds=420)
    deployment.said.append(done.output)
    done.ok()
    left = everything(deployment.fake) - before_apply
    # Task definitions are kept on purpose: a rollback needs the old revisions to be active, and they cost nothing.
    assert {each for each in left if not each.startswith("task definition ")} == set()


def test_no_role_lacked_a_permission(deployment: Deployment) -> None:
    assert deployment.fake.denied() == []
