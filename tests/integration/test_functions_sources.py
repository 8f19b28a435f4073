"""Sources that only variables describe, served by gunicorn, against a real Temporal server."""

import asyncio
import base64
import hmac
import json
import time
from collections.abc import Callable, Iterator
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from temporalio.client import Client

from functions.source_settings import MAX_BODY_BYTES
from tests.integration.served_functions import Answer, Edge, served
from tests.integration.temporal_namespace import fresh_namespace

PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = "whpk_" + base64.b64encode(PRIVATE.public_key().public_bytes_raw()).decode()


def described(name: str, **keys: object) -> dict[str, str]:
    """Return a source as the variables that make it."""
    common = {"dialect": name, "shop": "main", "tolerance_seconds": 300, "topics": ["*"]}
    return {
        f"ORDERS_WEBHOOKS__{name}__{key}".upper(): value if isinstance(value, str) else json.dumps(value)
        for key, value in {**common, **keys}.items()
    }


SOURCES = {
    **described(
        "code",
        scheme="github",
        secrets=[
            {"value": "hub-new", "name": "new"},
            {"value": "hub-old", "not_after": "2999-01-01T00:00:00Z"},
            {"value": "hub-gone", "not_after": "2026-01-01T00:00:00Z"},
        ],
        max_body_bytes=MAX_BODY_BYTES,
    ),
    **described("gemini", scheme="standard_webhooks_v1a", secrets=[PUBLIC]),
    **described(
        "chat",
        scheme="hmac",
        secrets=["chat-secret"],
        hmac__header="x-chat-signature",
        hmac__prefix="v0=",
        hmac__signed="v0:{timestamp}:{body}",
        hmac__timestamp_header="x-chat-time",
        event_id_from="digest",
        rate__per_minute=1,
        rate__burst=3,
    ),
    **described("fenced", scheme="github", secrets=["hub-new"], networks=["203.0.113.0/24"]),
}


@pytest.fixture(scope="module")
def namespace(temporal_server: str) -> str:
    async def registered() -> str:
        async with fresh_namespace(temporal_server) as admin:
            return admin.namespace

    return asyncio.run(registered())


@pytest.fixture(scope="module")
def edge(temporal_server: str, namespace: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    folder = tmp_path_factory.mktemp("sources")
    with served(temporal_server, folder, ORDERS_TEMPORAL__NAMESPACE=namespace, **SOURCES) as running:
        yield running


def pushed(edge: Edge, secret: str, body: bytes = b"{}", source: str = "code", event_id: str | None = None) -> Answer:
    headers = {
        "Content-Type": "application/json",
        "X-Hub-Signature-256": "sha256=" + hmac.digest(secret.encode(), body, "sha256").hex(),
        "X-GitHub-Delivery": event_id or str(uuid4()),
        "X-GitHub-Event": "push",
    }
    return edge.request("POST", f"/webhooks/{source}", body, headers)


def asymmetric(edge: Edge, body: bytes, message: str) -> Answer:
    at = int(time.time())
    signature = base64.b64encode(PRIVATE.sign(f"{message}.{at}.".encode() + body)).decode()
    headers = {
        "Content-Type": "application/json",
        "webhook-id": message,
        "webhook-timestamp": str(at),
        "webhook-signature": f"v1a,{signature}",
    }
    return edge.request("POST", "/webhooks/gemini", body, headers)


def chatted(edge: Edge, body: bytes) -> Answer:
    at = int(time.time())
    digest = hmac.digest(b"chat-secret", f"v0:{at}:".encode() + body, "sha256").hex()
    headers = {"Content-Type": "application/json", "x-chat-signature": f"v0={digest}", "x-chat-time": str(at)}
    return edge.request("POST", "/webhooks/chat", body, headers)


async def test_each_event_of_a_new_source_is_one_run(edge: Edge, temporal_server: str, namespace: str) -> None:
    client = await Client.connect(temporal_server, namespace=namespace)
    push, message = str(uuid4()), f"msg_{uuid4().hex}"
    deliver: dict[str, Callable[[], Answer]] = {
        f"event/code/{push}": lambda: pushed(edge, "hub-new", event_id=push),
        f"event/gemini/{message}": lambda: asymmetric(edge, b'{"type":"batch.succeeded"}', message),
    }
    for workflow_id, again in deliver.items():
        first, second = again(), again()
        assert (first.status, first.json["workflow_id"]) == (202, workflow_id)
        assert (second.status, second.json["status"]) == (200, "duplicate")
        described = await client.get_workflow_handle(workflow_id).describe()
        assert described.workflow_type == "ProviderEventWorkflow"


def test_while_a_secret_is_rotated_both_are_accepted_until_the_old_ones_end(edge: Edge) -> None:
    assert [pushed(edge, secret).status for secret in ("hub-new", "hub-old", "hub-gone", "never")] == [
        202,
        202,
        401,
        401,
    ]


def test_the_largest_body_that_settings_allow_is_one_that_temporal_takes(edge: Edge) -> None:
    """Letters that JSON makes three times as long; one byte more is refused here, not by Temporal for ever."""
    text = "é" * ((MAX_BODY_BYTES - 8) // 2)
    body = f'{{"x":"{text}"}}'.encode()
    assert len(body) == MAX_BODY_BYTES
    assert pushed(edge, "hub-new", body).status == 202
    assert pushed(edge, "hub-new", body + b" ").code == "too_large"


def test_above_its_rate_a_source_gets_429_and_a_time(edge: Edge) -> None:
    answers = [chatted(edge, json.dumps({"type": "message", "n": n}).encode()) for n in range(4)]
    assert [answer.status for answer in answers] == [202, 202, 202, 429]
    assert answers[3].code == "rate_limited"
    assert 1 <= int(answers[3].headers["Retry-After"]) <= 60


def test_from_elsewhere_nobody_delivers_however_well_signed(edge: Edge) -> None:
    answer = pushed(edge, "hub-new", source="fenced")
    assert (answer.status, answer.code) == (403, "address_refused")
    headers = {"X-Forwarded-For": "203.0.113.9", "Content-Type": "application/json"}
    assert edge.request("POST", "/webhooks/fenced", b"{}", headers).code == "address_refused"
