"""The proof of the infrastructure: what is marked `infra` runs with `make infra-test` and is skipped, aloud, elsewhere."""

import pytest

from tests.infra import terraform
from tests.infra.tools import FAKE_AWS, POLICY_SCAN


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip the long part unless it was asked for by its marker; run what ends an environment last."""
    asked = "infra" in (config.getoption("markexpr") or "")
    for item in items:
        if item.get_closest_marker("infra") and not asked:
            item.add_marker(pytest.mark.skip(reason="run make infra-test"))
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
