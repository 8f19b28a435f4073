"""What the waker asks of ECS, and what it is told: whole clusters, half answers, refusals; and its settings."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from functions.aws_call import AwsUnavailable
from infra.waker import services
from infra.waker.decision import Service
from infra.waker.services import EcsRefused
from infra.waker.settings import load
from tests.unit.ecs_service import KEYS, EcsService, ecs_service
from worker.contract.settings import ConfigurationError

LONG_AGO = datetime(2026, 7, 1, tzinfo=UTC)
TOLD = {"cluster": "c", "after_minutes": 15, "services": {"c-all": {"queues": ["orders"], "tasks": 1}}}


@pytest.fixture
def ecs(monkeypatch: pytest.MonkeyPatch) -> Iterator[EcsService]:
    with ecs_service() as running:
        for name, value in {**KEYS, "AWS_ENDPOINT_URL": running.url}.items():
            monkeypatch.setenv(name, value)
        yield running


def test_more_services_than_one_question_may_name(ecs: EcsService) -> None:
    names = [f"s{number}" for number in range(23)]
    for number, name in enumerate(names):
        ecs.has(name, desired=number, running=number, deployed_at=LONG_AGO)
    assert {name: each.desired for name, each in services.described("c", names).items()} == dict(
        zip(names, range(23), strict=True)
    )


def test_a_deployment_that_is_not_through_is_seen(ecs: EcsService) -> None:
    ecs.has("a", desired=1, running=1, deployed_at=LONG_AGO, state="IN_PROGRESS")
    ecs.has("b", desired=1, running=1, deployed_at=LONG_AGO)
    ecs.services["b"]["deployments"].append({"status": "ACTIVE", "createdAt": 0})
    ecs.has("c", desired=1, running=1, deployed_at=LONG_AGO)
    found = services.described("c", ["a", "b", "c"])
    assert {name: each.rolling for name, each in found.items()} == {"a": True, "b": True, "c": False}
    assert found["c"] == Service(desired=1, running=1, rolling=False, deployed_at=LONG_AGO)


def test_a_service_that_is_not_there_is_named(ecs: EcsService) -> None:
    ecs.has("a", desired=1, running=1, deployed_at=LONG_AGO)
    ecs.has("gone", desired=0, running=0, deployed_at=LONG_AGO)
    ecs.services["gone"]["status"] = "INACTIVE"
    with pytest.raises(EcsRefused, match="no service gone, never: apply"):
        services.described("c", ["a", "gone", "never"])


def test_a_refusal_is_told_by_its_kind(ecs: EcsService) -> None:
    ecs.has("a", desired=0, running=0, deployed_at=LONG_AGO)
    ecs.refuses = True
    with pytest.raises(EcsRefused, match="UpdateService: ECS answers 400 AccessDeniedException"):
        services.resize("c", "a", 1)


def test_silence_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**KEYS, "AWS_ENDPOINT_URL": "http://127.0.0.1:1"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(AwsUnavailable, match="ECS does not answer"):
        services.described("c", ["a"])


def test_settings_are_what_terraform_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAKER", json.dumps(TOLD))
    config = load()
    assert (config.cluster, config.after_minutes, config.queues) == ("c", 15, ["orders"])
    assert config.services["c-all"].tasks == 1


@pytest.mark.parametrize(
    ("told", "problem"),
    [
        ("", "WAKER: must be a JSON object"),
        ("[]", "WAKER: must be a JSON object"),
        (json.dumps({**TOLD, "more": 1}), "more: unknown setting"),
        (json.dumps({**TOLD, "after_minutes": 0}), "after_minutes: must be 1 or more"),
        (json.dumps({**TOLD, "services": {"x": {"queues": [], "tasks": 1}}}), "services.x: has a queue at least"),
        (json.dumps({**TOLD, "services": {"x": {"queues": ["q"], "tasks": 0}}}), "services.x: has a queue at least"),
    ],
)
def test_settings_that_cannot_be_are_refused(monkeypatch: pytest.MonkeyPatch, told: str, problem: str) -> None:
    monkeypatch.setenv("WAKER", told)
    with pytest.raises(ConfigurationError, match=problem):
        load()
