"""The deployed waker: its zip as the fake AWS gives it back, acting as its role, with a real Temporal and the fake ECS.

Runs after the worker's own tests: what it starts here, nobody does.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.infra.deployment import PREFIX, Deployment
from tests.infra.lambda_gateway import Function, Gateway, running
from tests.infra.test_deployed_functions import ask, requests
from tests.infra.waiting import until
from tests.integration.execution_environment import FunctionError

pytestmark = pytest.mark.infra

SERVICE = f"{PREFIX}-all"
MOMENT = {"time": "2026-11-28T12:00:00Z", "detail-type": "Scheduled Event", "source": "aws.events"}


@pytest.fixture(scope="module")
def waker(deployment: Deployment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Function]:
    """The function that the clock invokes."""
    invoked = target(deployment)
    folder = tmp_path_factory.mktemp("waker")
    with running(deployment.fake, invoked["function"], invoked["alias"], folder) as function:
        yield function


def target(deployment: Deployment) -> dict[str, str]:
    """Return what the rule of every minute invokes."""
    events = deployment.fake.client("events")
    (rule,) = (each for each in events.list_rules()["Rules"] if each.get("ScheduleExpression"))
    assert (rule["ScheduleExpression"], rule["State"]) == ("rate(1 minute)", "ENABLED")
    (found,) = events.list_targets_by_rule(Rule=rule["Name"])["Targets"]
    name, alias = found["Arn"].split(":")[6:8]
    return {"function": name, "alias": alias}


def desired(deployment: Deployment) -> int:
    found = deployment.fake.client("ecs").describe_services(cluster=PREFIX, services=[SERVICE])["services"]
    return int(found[0]["desiredCount"])


def lie_down(deployment: Deployment) -> None:
    deployment.fake.client("ecs").update_service(cluster=PREFIX, service=SERVICE, desiredCount=0)


def test_work_wakes_the_worker(deployment: Deployment, gateway: Gateway, waker: Function) -> None:
    lie_down(deployment)
    assert ask(gateway, "POST", requests(deployment)["POST /orders"]).status == 202

    def told() -> dict[str, Any] | None:
        lie_down(deployment)
        found: dict[str, Any] = waker.invoke(MOMENT)[SERVICE]
        return found if found["because"].endswith("tasks wait") else None

    assert until("the order to be seen", told, 30)["tasks"] == 1
    assert desired(deployment) == 1


def test_without_work_it_sleeps_and_terraform_does_not_mind(
    deployment: Deployment, waker: Function, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """With a queue that nobody uses, and a minute instead of a quarter of an hour."""
    told = json.loads(waker.configuration["Environment"]["Variables"]["WAKER"])
    assert told == {
        "cluster": PREFIX,
        "after_minutes": 15,
        "services": {
            SERVICE: {"queues": ["orders", "events", "users", "outbound", "reconciliation"], "tasks": 1},
        },
    }
    quiet = {**told, "after_minutes": 1, "services": {SERVICE: {"queues": ["quiet"], "tasks": 1}}}
    invoked, folder = target(deployment), tmp_path_factory.mktemp("quiet")
    instead = {"WAKER": json.dumps(quiet)}
    deployment.fake.client("ecs").update_service(cluster=PREFIX, service=SERVICE, desiredCount=1)
    with running(deployment.fake, invoked["function"], invoked["alias"], folder, instead) as function:
        decided = until(
            "the service to sleep",
            lambda: found if (found := function.invoke(MOMENT)[SERVICE])["tasks"] == 0 else None,
            100,
        )
        assert decided["because"] == "nothing to do for 1 minutes"
        assert desired(deployment) == 0
        assert function.invoke(MOMENT)[SERVICE] == {"tasks": None, "because": "asleep"}
    planned = deployment.planned("-refresh=true")["resource_changes"]
    sizes = [each["address"] for each in planned if each["change"]["actions"] == ["update"]]
    assert not [address for address in sizes if "aws_ecs_service" in address]


def test_when_temporal_is_away_nothing_changes_and_the_invocation_fails(
    deployment: Deployment, tmp_path_factory: pytest.TempPathFactory
) -> None:
    deployment.fake.client("ecs").update_service(cluster=PREFIX, service=SERVICE, desiredCount=1)
    invoked, folder = target(deployment), tmp_path_factory.mktemp("away")
    instead = {"ORDERS_TEMPORAL__ADDRESS": "127.0.0.1:1"}
    with (
        running(deployment.fake, invoked["function"], invoked["alias"], folder, instead) as function,
        pytest.raises(FunctionError),
    ):
        function.invoke(MOMENT)
    assert desired(deployment) == 1


def test_nobody_is_written_to_so_there_are_no_alarms(deployment: Deployment) -> None:
    """With an address there are: test_life.py gives one."""
    assert deployment.fake.client("cloudwatch").describe_alarms()["MetricAlarms"] == []
    assert deployment.outputs.get("alarm_topic_arn") is None


def test_it_is_held_to_its_role(deployment: Deployment) -> None:
    assert [line for line in deployment.fake.denied() if "-waker-" in line] == []
