"""The Lambda handler with API Gateway events, against a real Temporal server."""

import base64
import importlib
import json
import sys
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.integration.served_functions import KEY, STRIPE_SECRET, functions_env, stripe_headers
from tests.unit.secrets_service import secrets_service

Handler = Callable[[dict[str, Any], Any], dict[str, Any]]


@pytest.fixture
def handler(temporal_server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Handler]:
    for name, value in functions_env(temporal_server).items():
        monkeypatch.setenv(name, value)
    # The module builds its application at import, as Lambda's init phase does.
    monkeypatch.delitem(sys.modules, "functions.lambda_handler", raising=False)
    module = importlib.import_module("functions.lambda_handler")
    yield module.handler
    module.app.extensions["temporal"].close()


def event(method: str, path: str, body: bytes, headers: dict[str, str], *, as_base64: bool = False) -> dict[str, Any]:
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {name.lower(): value for name, value in headers.items()},
        "requestContext": {
            "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1"},
            "requestId": "r1",
            "stage": "$default",
        },
        "body": base64.b64encode(body).decode() if as_base64 else body.decode(),
        "isBase64Encoded": as_base64,
    }


@pytest.mark.parametrize("as_base64", [False, True], ids=["text", "base64"])
def test_a_signed_event_is_recorded_and_known_again(handler: Handler, as_base64: bool) -> None:
    event_id = f"evt-{uuid4().hex}"
    body = json.dumps({"id": event_id, "type": "charge.refunded", "note": "Zürich"}, ensure_ascii=False).encode()
    delivery = event("POST", "/webhooks/stripe", body, stripe_headers(body), as_base64=as_base64)
    first, again = handler(delivery, None), handler(delivery, None)
    assert (first["statusCode"], json.loads(first["body"])["status"]) == (202, "accepted")
    assert (again["statusCode"], json.loads(again["body"])["status"]) == (200, "duplicate")


def test_bytes_that_are_no_text_reach_the_signature_check(handler: Handler) -> None:
    body = b"\xff\xfe\x00"
    digest = stripe_headers(body)
    answer = handler(event("POST", "/webhooks/stripe", body, digest, as_base64=True), None)
    assert (answer["statusCode"], json.loads(answer["body"])["code"]) == (400, "malformed")


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("GET", "/nowhere", b"", 404, "not_found"),
        ("POST", "/orders", b"x" * 300_000, 413, "too_large"),
        ("POST", "/orders", b"{}", 422, "invalid"),
        ("PUT", "/orders", b"{}", 405, "method_not_allowed"),
    ],
)
def test_refusals_are_problem_documents(
    handler: Handler, method: str, path: str, body: bytes, status: int, code: str
) -> None:
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
    answer = handler(event(method, path, body, headers), None)
    assert answer["statusCode"] == status
    assert answer["headers"]["content-type"] == "application/problem+json"
    assert json.loads(answer["body"])["code"] == code


def test_a_connection_is_not_trusted_after_a_long_sleep(handler: Handler, monkeypatch: pytest.MonkeyPatch) -> None:
    module = sys.modules["functions.lambda_handler"]
    temporal = module.app.extensions["temporal"]
    now = time.time()
    monkeypatch.setattr(module, "time", SimpleNamespace(time=lambda: now))

    def connection_after(sleep: float) -> object:
        nonlocal now
        now += sleep
        body = json.dumps({"id": f"evt-{uuid4().hex}", "type": "charge.refunded"}).encode()
        assert handler(event("POST", "/webhooks/stripe", body, stripe_headers(body)), None)["statusCode"] == 202
        return temporal._loop.held

    first = connection_after(0)
    assert connection_after(module.LONGEST_SLEEP - 1) is first
    assert connection_after(module.LONGEST_SLEEP + 1) is not first


def test_a_changed_secret_is_in_use_soon_and_a_broken_one_never(
    temporal_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    arn, name = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:webhooks-1", "ORDERS_WEBHOOKS__STRIPE__SECRETS"
    for variable, value in functions_env(temporal_server).items():
        monkeypatch.setenv(variable, value)
    monkeypatch.setenv("SECRETS_MANAGER_ARNS", arn)
    monkeypatch.delitem(sys.modules, "functions.lambda_handler", raising=False)

    def delivered(handler: Handler) -> int:
        body = json.dumps({"id": f"evt-{uuid4().hex}", "type": "charge.refunded"}).encode()
        return int(handler(event("POST", "/webhooks/stripe", body, stripe_headers(body)), None)["statusCode"])

    with secrets_service() as service:
        monkeypatch.setenv("AWS_ENDPOINT_URL", service.url)
        service.put(arn, {name: '["whsec_older"]'})
        module = importlib.import_module("functions.lambda_handler")
        now = time.time()
        monkeypatch.setattr(module, "time", SimpleNamespace(time=lambda: now))
        assert delivered(module.handler) == 401
        service.put(arn, {name: json.dumps(["whsec_older", STRIPE_SECRET])})
        assert delivered(module.handler) == 401, "it is not asked for with every request"
        for broken in (None, {name: "[]"}, "no object"):
            now += module.REFRESH_SECONDS + 1
            assert delivered(module.handler) == 202
            service.put(arn, broken or {name: json.dumps([STRIPE_SECRET])})
        service.down = 1
        now += module.REFRESH_SECONDS + 1
        assert delivered(module.handler) == 202
        module.handler._app.extensions["temporal"].close()


def test_health(handler: Handler) -> None:
    assert handler(event("GET", "/health/ready", b"", {}), None)["statusCode"] == 200


ANYTHING = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
HEADER_NAMES = st.sampled_from(
    [
        *("host", "content-type", "content-encoding", "content-length", "transfer-encoding", "authorization", "cookie"),
        *("stripe-signature", "x-request-id", "x-forwarded-for", "x-forwarded-port", "x-forwarded-proto"),
        *("traceparent", "idempotency-key"),
    ]
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    method=st.sampled_from(["GET", "POST", "PUT", "HEAD", "OPTIONS", "PATCH", "WHAT"]),
    path=st.one_of(
        ANYTHING,
        ANYTHING.map("/webhooks/{}".format),
        ANYTHING.map(quote),
        st.sampled_from(["/orders", "/webhooks/stripe"]),
    ),
    query=ANYTHING,
    headers=st.dictionaries(HEADER_NAMES, ANYTHING, max_size=4),
    body=st.binary(max_size=20),
)
def test_no_unsigned_request_whatever_it_holds_makes_an_invocation_fail(
    handler: Handler, method: str, path: str, query: str, headers: dict[str, str], body: bytes
) -> None:
    request = {**event(method, path, body, headers, as_base64=True), "rawQueryString": query, "cookies": [query]}
    assert (
        400 <= handler(request, None)["statusCode"] < 500
        or path.startswith(("/health", "/openapi"))
        or method == "OPTIONS"
    )


@pytest.mark.parametrize("path", ["/webhooks/café", "/webhooks/caf%C3%A9", "/webhooks/☂", "/webhooks/\ufffd"])
def test_a_path_is_read_the_same_with_its_escapes_resolved(handler: Handler, path: str) -> None:
    answer = handler(event("POST", path, b"{}", {"X-Note": "☂"}), None)
    assert (answer["statusCode"], json.loads(answer["body"])["code"]) == (404, "not_found")
