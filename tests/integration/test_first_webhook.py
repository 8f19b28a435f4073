"""The first webhook of infra/docs/deploying.md, typed as it stands there, at real functions and a real Temporal; it answers as it says."""

import asyncio
import os
import re
import subprocess
from pathlib import Path

import pytest
from temporalio.client import Client

from tests.integration.served_functions import SHOPIFY_SECRET, served
from tests.integration.temporal_namespace import fresh_namespace

PAGE = (Path(__file__).resolve().parents[2] / "infra" / "docs" / "deploying.md").read_text("utf-8")
STEP = PAGE[PAGE.index("## 5. The first webhook") :]
SCRIPT, SAID = (
    match[1]
    for match in re.finditer(r"```(?:sh|text)\n(.*?)```", STEP[: STEP.index("The worker has filed")], re.DOTALL)
)


@pytest.fixture(scope="module")
def namespace(temporal_server: str) -> str:
    async def registered() -> str:
        async with fresh_namespace(temporal_server) as admin:
            return admin.namespace

    return asyncio.run(registered())


@pytest.fixture(scope="module")
def typed(temporal_server: str, namespace: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """What the terminal shows."""
    folder = tmp_path_factory.mktemp("first_webhook")
    with served(temporal_server, folder, ORDERS_TEMPORAL__NAMESPACE=namespace) as edge:
        terraform = folder / "terraform"
        terraform.write_text(
            f'#!/bin/sh\ntest "$*" = "output -raw url" && printf http://127.0.0.1:{edge.port}\n', "utf-8"
        )
        terraform.chmod(0o755)
        path = f"{folder}:{os.environ['PATH']}"
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", SCRIPT],
            env={**os.environ, "PATH": path, "SHOPIFY_SECRET": SHOPIFY_SECRET},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def test_the_answer_is_the_pages(typed: str) -> None:
    assert typed == SAID


async def test_the_event_is_recorded(typed: str, temporal_server: str, namespace: str) -> None:
    client = await Client.connect(temporal_server, namespace=namespace)
    recorded = await client.get_workflow_handle("event/shopify/first").describe()
    assert recorded.workflow_type == "ProviderEventWorkflow"
