"""No value of a secret leaves the place it was put: not into state, plans, definitions, variables or logs."""

import json
from pathlib import Path

import pytest

from tests.infra import cloud_database
from tests.infra.deployment import ENVIRONMENT, NAME, Deployment

pytestmark = pytest.mark.infra


def held(deployment: Deployment, container: str) -> str:
    """Return what a container of secrets holds, which in dev is a parameter."""
    found = deployment.fake.client("ssm").get_parameter(Name=f"/{NAME}/{ENVIRONMENT}/{container}", WithDecryption=True)
    return str(found["Parameter"]["Value"])


@pytest.fixture(scope="module")
def canaries(deployment: Deployment) -> dict[str, str]:
    """Every value that must not be seen, by the name it has."""
    found = {"master password": cloud_database.PASSWORD, "api key": deployment.stack.api_key}
    for values in deployment.secrets.values():
        for name, value in values.items():
            parsed = json.loads(value) if value[:1] in "[{" else [value]
            for number, each in enumerate(parsed.values() if isinstance(parsed, dict) else parsed):
                found[f"{name} {number}"] = each["key"] if isinstance(each, dict) else each
    url = json.loads(held(deployment, "database"))["ORDERS_DATABASE__URL"]
    found["application's password"] = url.partition("://")[2].rpartition("@")[0].partition(":")[2]
    assert len(found) > 9
    assert all(len(value) >= 12 for value in found.values())
    return found


def seen(canaries: dict[str, str], text: str) -> list[str]:
    return [name for name, value in canaries.items() if value in text]


def test_the_canaries_would_be_found(deployment: Deployment, canaries: dict[str, str]) -> None:
    put = "".join(held(deployment, container) for container in (*deployment.secrets, "database"))
    unescaped = put.replace('\\"', '"')
    assert set(seen(canaries, unescaped)) == set(canaries) - {"master password", "api key"}


def test_neither_state_nor_plan_holds_one(deployment: Deployment, canaries: dict[str, str]) -> None:
    files = [
        file
        for configuration in (deployment.bootstrap, deployment.dev)
        for file in configuration.folder.glob("*.tfstate*")
    ]
    assert len(files) >= 2
    for file in files:
        assert seen(canaries, file.read_text("utf-8")) == [], file.name
    plan = Path(deployment.dev.folder / "plan")
    assert seen(canaries, json.dumps(deployment.dev.json("show", "-json", str(plan)))) == []


def test_what_was_put_stays_under_its_key_when_the_bootstrap_is_applied_again(deployment: Deployment) -> None:
    """Also when a description is another: the provider would write the whole parameter, with the empty value it knows."""
    before = {container: held(deployment, container) for container in (*deployment.secrets, "database")}
    module = deployment.bootstrap.folder.parent / "modules" / "secrets" / "variables.tf"
    text = module.read_text("utf-8")
    module.write_text(text.replace("Digests of the keys of API clients", "Another description"), encoding="utf-8")
    try:
        deployment.make_bootstrap()
    finally:
        module.write_text(text, encoding="utf-8")
    assert {container: held(deployment, container) for container in before} == before
    state = json.loads((deployment.bootstrap.folder / "terraform.tfstate").read_text("utf-8"))
    (made,) = (each for each in state["resources"] if each["type"] == "aws_ssm_parameter")
    assert len(made["instances"]) == 6
    # The provider refreshed them when they held their values, and what it keeps of these is nothing.
    assert [each["attributes"]["value"] for each in made["instances"] if each["attributes"]["value"]] == []
    keys = {each["KeyId"] for each in deployment.fake.client("ssm").describe_parameters()["Parameters"]}
    assert len(keys) == 1
    assert "alias/aws" not in keys.pop()


def test_terraform_never_printed_one(deployment: Deployment, canaries: dict[str, str]) -> None:
    assert seen(canaries, "\n".join(deployment.said)) == []


def test_no_definition_holds_one(deployment: Deployment, canaries: dict[str, str]) -> None:
    ecs, functions = deployment.fake.client("ecs"), deployment.fake.client("lambda")
    definitions = [
        ecs.describe_task_definition(taskDefinition=arn)["taskDefinition"]
        for arn in ecs.list_task_definitions()["taskDefinitionArns"]
    ]
    assert len(definitions) >= 2
    configurations = functions.list_functions()["Functions"]
    assert len(configurations) >= 2
    assert seen(canaries, json.dumps([definitions, configurations], default=str)) == []


def test_no_log_holds_one(deployment: Deployment, canaries: dict[str, str]) -> None:
    logs, told = deployment.fake.client("logs"), []
    for group in logs.describe_log_groups()["logGroups"]:
        for stream in logs.describe_log_streams(logGroupName=group["logGroupName"])["logStreams"]:
            events = logs.get_log_events(
                logGroupName=group["logGroupName"], logStreamName=stream["logStreamName"], startFromHead=True
            )
            told += [event["message"] for event in events["events"]]
    assert told, "the deploy task logged nothing"
    assert seen(canaries, "\n".join(told)) == []
    assert seen(canaries, deployment.fake.task_outputs()) == []
