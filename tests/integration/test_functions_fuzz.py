"""The API fuzzed from its own document: without a signature nothing but 4xx and no workflow; with one, as documented."""

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)
from temporalio.client import Client

from functions.app import create_app
from functions.auth import BearerKey
from functions.config import ApiConfig, FunctionsConfig, LoggingConfig
from functions.openapi import document
from functions.routes import table
from functions.source_settings import SourceConfig, SourceSecret
from tests.integration.answering_worker import answering
from tests.integration.temporal_namespace import fresh_namespace
from worker.contract.encryption import EncryptionConfig
from worker.contract.settings import Secret
from worker.contract.temporal_tls import TemporalConfig

KEY, SECRET = "ok_fuzz", "whsec_fuzz"
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
SCHEMA = schemathesis.pytest.from_fixture("documented")
"""Cases are made when they are asked for: whoever only collects this file would spend four seconds on them."""
bounded = settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
unread = settings(bounded, max_examples=8, phases=[Phase.generate])
"""Without the document's own cases, each bound of each field in turn: fifteen hundred, most of them made at the cost of
an example. Who is nobody is refused before anybody reads a field, and with a key they are all sent."""


@pytest.fixture
def documented(request: pytest.FixtureRequest) -> Any:
    # schemathesis names its subtests by an attribute that pytest 9 has renamed.
    request.node._nodeid = request.node.nodeid
    return schemathesis.openapi.from_dict(document())


async def registered(temporal: str) -> str:
    async with fresh_namespace(temporal) as admin:
        return admin.namespace


@contextmanager
def application(temporal: str, namespace: str) -> Iterator[Flask]:
    stripe = SourceConfig(
        scheme="stripe",
        dialect="stripe",
        shop="main",
        secrets=(SourceSecret(value=Secret(SECRET)),),
        tolerance_seconds=300,
        topics=("charge.refunded",),
    )
    app = create_app(
        FunctionsConfig(
            temporal=TemporalConfig(address=temporal, namespace=namespace, tls=False),
            encryption=EncryptionConfig(enabled=False, accept_clear=True, keys=()),
            api=ApiConfig(
                deadline_ms=10_000,
                max_in_flight=8,
                max_body_bytes=65_536,
                keys={"fuzz": BearerKey(sha256=Secret(hashlib.sha256(KEY.encode()).hexdigest()))},
                shop="main",
                functions=tuple({route.function for route in table()}),
                operator_auth="bearer",
            ),
            webhooks={"stripe": stripe},
            logging=LoggingConfig(level="ERROR", json=True),
        )
    )
    yield app
    app.extensions["temporal"].close()


@pytest.fixture(scope="module")
def unsigned(temporal_server: str) -> Iterator[Flask]:
    """An application nobody has shown a key or a signature to; in the end its namespace holds no workflow."""
    namespace = asyncio.run(registered(temporal_server))
    with application(temporal_server, namespace) as app:
        yield app

    async def listed_but_the_last() -> int:
        client = await Client.connect(temporal_server, namespace=namespace)
        # The list follows with a delay: once it knows of one that is started now, it knows of all before.
        await client.start_workflow("Last", id="last", task_queue="nobody")
        async with asyncio.timeout(60):
            while not (found := (await client.count_workflows("")).count):
                await asyncio.sleep(0.1)
        return found - 1

    assert asyncio.run(listed_but_the_last()) == 0


@pytest.fixture(scope="module")
def signed(temporal_server: str) -> Iterator[Flask]:
    """An application with somebody behind it who answers."""
    namespace = asyncio.run(registered(temporal_server))
    with answering(temporal_server, namespace), application(temporal_server, namespace) as app:
        yield app


@SCHEMA.include(method="POST").parametrize()
@unread
def test_without_key_or_signature_everything_is_refused(case: schemathesis.Case[Any], unsigned: Flask) -> None:
    case.headers.pop("Authorization", None)
    response = case.call(app=unsigned)
    assert 400 <= response.status_code < 500
    case.validate_response(response, checks=CHECKS)


@SCHEMA.exclude(path="/webhooks/{source}").parametrize()
@bounded
def test_with_a_key_everything_is_answered_as_documented(case: schemathesis.Case[Any], signed: Flask) -> None:
    response = case.call(app=signed, headers={"Authorization": f"Bearer {KEY}"})
    # A body that is too large is refused before anybody looks for what else is wrong with it.
    refusals = [] if response.status_code == 413 else [negative_data_rejection]
    case.validate_response(response, checks=[*CHECKS, *refusals, unsupported_method])


@SCHEMA.include(path="/webhooks/{source}").parametrize()
@bounded
def test_with_a_signature_everything_is_answered_as_documented(case: schemathesis.Case[Any], signed: Flask) -> None:
    body = case.body if isinstance(case.body, dict) else {"body": str(case.body)}
    raw = json.dumps({"id": f"evt-{len(body)}", "type": "charge.refunded", **body}).encode()
    at = int(time.time())
    digest = hmac.new(SECRET.encode(), f"{at}.".encode() + raw, "sha256").hexdigest()
    headers = {"Stripe-Signature": f"t={at},v1={digest}", "Content-Type": "application/json"}
    case.path_parameters["source"] = "stripe"
    response = case.call(app=signed, data=raw, headers=headers)
    assert response.status_code in ({200, 202, 400} if case.method == "POST" else {405})
    case.validate_response(response, checks=CHECKS)
