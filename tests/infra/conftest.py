"""The proof of the infrastructure: what is marked `infra` runs with `make infra-test` and is skipped, aloud, elsewhere."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from infra.local import outside
from tests.infra import terraform
from tests.infra.deployment import FIRST, PREFIX, SECOND, Deployment, prepared
from tests.infra.inventory import everything
from tests.infra.lambda_gateway import Gateway, deployed, serving
from tests.infra.locked_environments import FAKE_AWS, POLICY_SCAN

_MAKING_AN_ENVIRONMENT = 900


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip the long part unless it was asked for by its marker; run what ends an environment last."""
    asked = "infra" in (config.getoption("markexpr") or "")
    for item in items:
        if item.get_closest_marker("infra") and not asked:
            item.add_marker(pytest.mark.skip(reason="run make infra-test"))
        if "environment" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.timeout(_MAKING_AN_ENVIRONMENT))
    items.sort(key=lambda item: "test_life" in item.nodeid)


@pytest.fixture(scope="session")
def has_terraform() -> None:
    """Skip without Terraform or its provider, with the one reason."""
    reason = terraform.why_not()
    if reason is not None:
        pytest.skip(reason)


@pytest.fixture(scope="session")
def tools() -> None:
    """Make the locked environments, which `make infra-test` has done already."""
    if not all(tool.is_ready for tool in (FAKE_AWS, POLICY_SCAN)):
        pytest.skip("the tools are not installed: run make infra-test")


@pytest.fixture(scope="session")
def environment(
    has_terraform: None, tools: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Deployment, set[str], dict[str, Any]]]:
    """Make the dev environment from nothing: with it, what the account held before, and the plan."""
    with prepared(tmp_path_factory.mktemp("environment")) as deployment:
        deployment.make_bootstrap()
        deployment.put_secrets()
        for release in (FIRST, SECOND):
            deployment.publish(release)
        deployment.configure(FIRST)
        deployment.dev.init()
        before = everything(deployment.fake)
        plan = deployment.planned()
        deployment.apply().ok()
        deployment.read_outputs()
        yield deployment, before, plan


@pytest.fixture(scope="session")
def deployment(environment: tuple[Deployment, set[str], dict[str, Any]]) -> Deployment:
    """The applied environment."""
    return environment[0]


@pytest.fixture(scope="session")
def before_apply(environment: tuple[Deployment, set[str], dict[str, Any]]) -> set[str]:
    """What the account held before the environment was applied: what the bootstrap made."""
    return environment[1]


@pytest.fixture(scope="session")
def first_plan(environment: tuple[Deployment, set[str], dict[str, Any]]) -> dict[str, Any]:
    """The plan of the first apply."""
    return environment[2]


@pytest.fixture(scope="session")
def gateway(deployment: Deployment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """The deployed API, running."""
    with deployed(deployment.fake, PREFIX, tmp_path_factory.mktemp("functions")) as gateway:
        yield gateway


@pytest.fixture(scope="session")
def edge(deployment: Deployment, gateway: Gateway) -> Iterator[Gateway]:
    """The deployed API behind real HTTP, and known to the senders of webhooks."""
    layout = deployment.stack.stack.layout
    layout.ports["functions"] = deployment.gateway_port
    with serving(gateway, deployment.gateway_port):
        asyncio.run(outside.introduce(layout))
        yield gateway
