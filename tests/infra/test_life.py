"""The life of an environment: applied twice it does not change; upgraded, spoilt, rolled back, destroyed without a trace.

The steps follow one another and are the last to run: they end what the other tests look at.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.infra.deployment import FIRST, SECOND, Deployment
from tests.infra.inventory import everything

pytestmark = pytest.mark.infra

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


def test_a_rollback_is_the_same_variable(deployment: Deployment) -> None:
    deployment.configure(FIRST)
    deployment.apply().ok()
    images = {name: value for name, value in running(deployment).items() if not value.startswith("version")}
    assert set(images.values()) == {FIRST}
    assert {a: c for a, c in changes(deployment.planned()).items() if a not in QUIRKS} == {}


def test_destroyed_it_leaves_nothing(deployment: Deployment, before_apply: set[str]) -> None:
    done = deployment.dev.run("destroy", "-input=false", "-auto-approve", "-parallelism=20", seconds=420)
    deployment.said.append(done.output)
    done.ok()
    left = everything(deployment.fake) - before_apply
    # Task definitions are kept on purpose: a rollback needs the old revisions to be active, and they cost nothing.
    assert {each for each in left if not each.startswith("task definition ")} == set()


def test_no_role_lacked_a_permission(deployment: Deployment) -> None:
    assert deployment.fake.denied() == []
