"""Every resource of an environment is named after it and tagged: one can see whose it is, and what it costs."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.infra.configuration import AWS
from tests.infra.deployment import ENVIRONMENT, NAME, PREFIX, Deployment

pytestmark = pytest.mark.infra

NAMING = (
    *("name", "identifier", "cluster_identifier", "bucket", "family", "function_name", "alarm_name"),
    *("dashboard_name", "role_name"),
)
REFERENCES = {
    # Resources that have no name of their own: these attributes name another resource.
    "aws_lambda_alias": "the alias of a function, named by its purpose within it",
    "aws_apigatewayv2_stage": "the stage $default has this name at AWS",
    "aws_iam_role_policy": "a statement's name within its role",
    "aws_ecs_service": "a service's name is within its cluster",
    "aws_ecs_cluster_capacity_providers": "belongs to a cluster",
}
FAMILIES = {"aws_ecs_task_definition"}
"""Whose `family` is a name of ours; that of a group of database parameters is AWS's word for an engine."""
EXPECTED = re.compile(rf"^(/[\w/-]*/|alias/)?({PREFIX}|{NAME}/{ENVIRONMENT})\b")


def resources(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield what the plan creates."""
    for change in plan["resource_changes"]:
        if change["mode"] == "managed" and "create" in change["change"]["actions"]:
            yield change


def test_every_name_begins_with_the_environment(first_plan: dict[str, Any]) -> None:
    wrong = []
    for change in resources(first_plan):
        values = change["change"]["after"]
        if change["type"] in REFERENCES:
            continue
        named = {name: values[name] for name in NAMING if isinstance(values.get(name), str)}
        if change["type"] not in FAMILIES:
            named.pop("family", None)
        wrong += [f"{change['address']}: {n} = {v}" for n, v in named.items() if not EXPECTED.search(v)]
    assert wrong == []


def test_what_can_be_tagged_is_tagged(first_plan: dict[str, Any], deployment: Deployment) -> None:
    wanted = {"Project": NAME, "Environment": ENVIRONMENT, "ManagedBy": "terraform"}
    taggable = [each for each in resources(first_plan) if "tags_all" in each["change"]["after"]]
    assert len(taggable) > 20
    untagged = []
    for change in taggable:
        tags = change["change"]["after"]["tags_all"] or {}
        if {key: str(tags.get(key)).lower() for key in wanted} != {k: v.lower() for k, v in wanted.items()}:
            untagged.append(f"{change['address']}: {tags}")
    assert untagged == []


def test_the_readme_counts_what_is_made(first_plan: dict[str, Any]) -> None:
    readme = (AWS / "examples" / "dev" / "README.md").read_text("utf-8")
    made = [change["type"] for change in resources(first_plan)]
    assert f"Resources: {len(made)} added, 0 changed, 0 destroyed." in readme
    assert f"| alarms | {made.count('aws_cloudwatch_metric_alarm')} x 0.10 |" in readme


def test_no_name_is_left_to_chance(first_plan: dict[str, Any]) -> None:
    """A name that AWS draws cannot be found by a person or granted to a role."""
    drawn = [
        change["address"]
        for change in resources(first_plan)
        if change["change"]["after"].get("name_prefix") or change["change"]["after"].get("bucket_prefix")
    ]
    assert drawn == []
