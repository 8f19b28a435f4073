"""The application without a Temporal server: routes, keys, signatures, limits, and the shape of every error."""

import base64
import hmac
import json
import logging
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from functions.admission import Admission
from functions.app import create_app
from functions.routes import Auth, table
from infra.local.freeports import free_port
from tests.pressure import Stopwatch
from tests.unit.functions_settings import BEARER, KEY, config

STATUSES = {200, 202, 400, 401, 403, 404, 405, 409, 413, 415, 422, 429, 503}


@pytest.fixture(scope="module")
def app() -> Iterator[Flask]:
    port = free_port()
    app = create_app(config(f"127.0.0.1:{port}"))
    yield app
    app.extensions["temporal"].close()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


class Keeper(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.kept: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.kept.append(record)


@pytest.fixture
def records(app: Flask) -> Iterator[list[logging.LogRecord]]:
    keeper = Keeper()
    logging.getLogger("functions").addHandler(keeper)
    yield keeper.kept
    logging.getLogger("functions").removeHandler(keeper)


def problem_of(response: TestResponse) -> dict[str, Any]:
    assert response.status_code in STATUSES, response.status_code
    assert response.content_type == "application/problem+json"
    document: dict[str, Any] = json.loads(response.data)
    assert document["status"] == response.status_code
    assert document["request_id"] == response.headers["X-Request-Id"]
    return document


def shopify_headers(body: bytes, **more: str) -> dict[str, str]:
    digest = base64.b64encode(hmac.digest(b"shop-secret", body, "sha256")).decode()
    return {
        "Content-Type": "application/json",
        "X-Shopify-Hmac-SHA256": digest,
        "X-Shopify-Webhook-Id": "wh-1",
        "X-Shopify-Topic": "orders/create",
        **more,
    }


class TestRoutes:
    def test_the_app_serves_exactly_the_table(self, app: Flask) -> None:
        served = {
            (method, rule.rule, rule.endpoint)
            for rule in app.url_map.iter_rules()
            for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        }
        assert served == {(route.method, route.rule, f"{route.function}.{route.operation}") for route in table()}

    def test_what_opens_each_route_is_as_agreed(self) -> None:
        assert {f"{route.method} {route.path}": route.auth for route in table()} == {
            "POST /orders": Auth.BEARER,
            "POST /orders/{order_id}/cancel": Auth.BEARER,
            "POST /orders/{order_id}/refund": Auth.BEARER,
            "POST /orders/{order_id}/payment": Auth.BEARER,
            "POST /orders/{order_id}/address": Auth.BEARER,
            "POST /orders/{order_id}/cancel-lines": Auth.BEARER,
            "POST /users": Auth.BEARER,
            "POST /users/{user_id}/confirm": Auth.TOKEN,
            "POST /users/{user_id}/resend": Auth.BEARER,
            "POST /users/{user_id}/address": Auth.BEARER,
            "POST /users/{user_id}/address/{change_id}/confirm": Auth.TOKEN,
            "POST /reconciliations": Auth.BEARER,
            "POST /webhooks/{source}": Auth.SIGNATURE,
            "GET /health/live": Auth.NONE,
            "GET /health/ready": Auth.NONE,
            "GET /openapi.json": Auth.NONE,
        }

    @pytest.mark.parametrize("route", [route for route in table() if route.auth is Auth.BEARER], ids=lambda r: r.path)
    @pytest.mark.parametrize(
        "authorization", [None, "", "Bearer", "Bearer ", "Bearer wrong", f"Basic {KEY}", KEY, "Bearer \xe9\xff"]
    )
    def test_without_an_accepted_key_nothing_is_read(
        self, client: FlaskClient, route: Any, authorization: str | None
    ) -> None:
        headers = {} if authorization is None else {"Authorization": authorization}
        response = client.open(route.path, method=route.method, headers=headers, data=b"[" * 5000)
        assert problem_of(response)["code"] == "unauthorized"
        assert response.headers["WWW-Authenticate"].startswith("Bearer")

    @pytest.mark.parametrize("path", ["/", "/nope", "//orders", "/orders//", "/webhooks/unknown", "/health", "/%00"])
    def test_unknown_paths_are_not_found_and_never_redirected(self, client: FlaskClient, path: str) -> None:
        assert problem_of(client.post(path))["code"] == "not_found"

    def test_a_slash_at_the_end_is_the_same_route(self, client: FlaskClient) -> None:
        assert problem_of(client.post("/orders/"))["code"] == "unauthorized"

    def test_other_methods_are_told_which_are_offered(self, client: FlaskClient) -> None:
        response = client.put("/orders")
        assert problem_of(response)["code"] == "method_not_allowed"
        assert "POST" in response.headers["Allow"]


class TestWebhooks:
    BODY = b'{"id": 820982911946154508}'

    def test_an_unsigned_delivery_is_refused_before_it_is_parsed(self, client: FlaskClient) -> None:
        for body in (self.BODY, b"[" * 4000, b"\xff"):
            response = client.post("/webhooks/shopify", data=body, content_type="application/json")
            assert problem_of(response)["code"] == "signature_invalid"

    def test_another_sources_secret_opens_nothing(self, client: FlaskClient) -> None:
        response = client.post("/webhooks/stripe", data=self.BODY, headers=shopify_headers(self.BODY))
        assert problem_of(response)["code"] == "signature_invalid"

    def test_a_topic_of_no_interest_is_ignored_without_temporal(self, client: FlaskClient) -> None:
        headers = shopify_headers(self.BODY, **{"X-Shopify-Topic": "products/update"})
        response = client.post("/webhooks/shopify", data=self.BODY, headers=headers)
        assert (response.status_code, response.json) == (200, {"event_id": "wh-1", "status": "ignored"})

    @pytest.mark.parametrize("event_id", ["", "a/b", "a,b", "x" * 129, "é"])
    def test_an_unusable_event_id_is_malformed(self, client: FlaskClient, event_id: str) -> None:
        headers = shopify_headers(self.BODY, **{"X-Shopify-Webhook-Id": event_id})
        assert problem_of(client.post("/webhooks/shopify", data=self.BODY, headers=headers))["code"] == "malformed"

    @pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff\xfe", b'{"a":NaN}', b"[" * 4000])
    def test_a_signed_body_that_is_no_json_object_is_malformed(self, client: FlaskClient, body: bytes) -> None:
        response = client.post("/webhooks/shopify", data=body, headers=shopify_headers(body))
        assert problem_of(response)["code"] == "malformed"

    @pytest.mark.parametrize("body", [b'{"type":"charge.refunded"}', b'{"id":true,"type":"x"}', b'{"id":"evt_1"}'])
    def test_a_stripe_body_names_id_and_type(self, client: FlaskClient, body: bytes) -> None:
        at = int(time.time())
        digest = hmac.new(b"whsec_x", f"{at}.".encode() + body, "sha256").hexdigest()
        headers = {"Content-Type": "application/json", "Stripe-Signature": f"t={at},v1={digest}"}
        assert problem_of(client.post("/webhooks/stripe", data=body, headers=headers))["code"] == "malformed"

    def test_a_signed_form_is_not_json(self, client: FlaskClient) -> None:
        headers = shopify_headers(b"a=1", **{"Content-Type": "application/x-www-form-urlencoded"})
        response = client.post("/webhooks/shopify", data=b"a=1", headers=headers)
        assert problem_of(response)["code"] == "unsupported_media_type"

    def test_a_body_above_the_limit_is_too_large(self, client: FlaskClient) -> None:
        body = b'{"a": "' + b"x" * 5000 + b'"}'
        response = client.post("/webhooks/shopify", data=body, headers=shopify_headers(body))
        assert problem_of(response)["code"] == "too_large"

    def test_while_temporal_is_away_the_sender_is_asked_to_try_again(self, client: FlaskClient) -> None:
        watch = Stopwatch()
        response = client.post("/webhooks/shopify", data=self.BODY, headers=shopify_headers(self.BODY))
        assert problem_of(response)["code"] == "temporal_unavailable"
        assert response.headers["Retry-After"] == "1"
        assert watch.seconds < 3


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    path=st.sampled_from(["/webhooks/stripe", "/webhooks/shopify", "/users/u1/confirm", "/orders", "/orders/x/cancel"]),
    method=st.sampled_from(["POST", "GET", "PUT", "DELETE", "PATCH"]),
    body=st.binary(max_size=200),
    content_type=st.sampled_from(
        ["application/json", "text/plain", "multipart/form-data", "application/json; charset=x"]
    ),
    signature=st.text(alphabet=st.characters(max_codepoint=255, exclude_categories=["Cc"]), max_size=80),
)
def test_nothing_unsigned_gets_more_than_a_refusal(
    client: FlaskClient, path: str, method: str, body: bytes, content_type: str, signature: str
) -> None:
    headers = {"Stripe-Signature": signature, "X-Shopify-Hmac-SHA256": signature, "Authorization": signature}
    response = client.open(path, method=method, data=body, content_type=content_type, headers=headers)
    assert 400 <= response.status_code < 500
    problem_of(response)


def test_the_order_schema_is_enforced_with_paths_only(client: FlaskClient) -> None:
    response = client.post("/orders", headers=BEARER, json={"order_id": "1/2", "secret-name": "jane@example.com"})
    document = problem_of(response)
    assert document["code"] == "invalid"
    assert {"path": "total_minor", "problem": "is needed"} in document["errors"]
    assert b"jane" not in response.data
    assert b"secret-name" not in response.data


MARK = "jane.doe-7f3a"
MARKED = st.sampled_from([MARK, f"{MARK}@example.com", f" {MARK}", f"{MARK}\u00e9", f"{MARK}/../x", f"<b>{MARK}</b>"])
_VALUES = st.recursive(
    MARKED | st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(MARKED | st.sampled_from(["sku"]), inner, max_size=3),
    max_leaves=6,
)
_FIELDS = [
    "order_id",
    "shop",
    "currency",
    "lines",
    "payment_mode",
    "placed_at",
    "email",
    "token",
    "window",
    "reason",
    "payment_method",
    "ship_to",
]


@settings(
    max_examples=250,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    path=st.sampled_from(
        [
            "/orders",
            "/orders/o-1/refund",
            "/orders/{}/refund",
            "/orders/o-1/payment",
            "/orders/{}/payment",
            "/orders/o-1/address",
            "/orders/{}/address",
            "/orders/{}/cancel-lines",
            "/orders/{}/cancel",
            "/users",
            "/users/{}/confirm",
            "/reconciliations",
        ]
    ),
    query=MARKED,
    headers=st.dictionaries(
        st.sampled_from(["Idempotency-Key", "traceparent", "tracestate", "User-Agent", "Cookie", "X-Shopify-Topic"]),
        st.sampled_from([f" {MARK}", f"{MARK} {MARK}", f"<{MARK}>"]),
    ),
    body=st.dictionaries(st.sampled_from(_FIELDS) | MARKED, _VALUES, min_size=1, max_size=5).map(json.dumps)
    | st.just(f'{{"{MARK}": ')
    | st.just(f'{{"a": 1, "{MARK}": 2, "{MARK}": 3}}'),
)
def test_no_refusal_and_no_line_repeats_what_was_sent(
    client: FlaskClient,
    records: list[logging.LogRecord],
    path: str,
    query: str,
    headers: dict[str, str],
    body: str,
) -> None:
    target = path.format(f"<{MARK}>")
    given = {**BEARER, "Content-Type": "application/json", **headers}
    response = client.post(target, query_string={"q": query}, data=body.encode(), headers=given)
    # A null is as good as nothing: a few of these are in order, and find nobody behind the functions.
    refused = problem_of(response)
    assert 400 <= response.status_code < 500 or refused["code"] == "temporal_unavailable", refused
    assert MARK not in str(response.headers)
    assert MARK.encode() not in response.data
    assert MARK not in repr([(record.getMessage(), record.__dict__.get("fields")) for record in records])


def test_an_unknown_order_id_shape_is_not_found(client: FlaskClient) -> None:
    assert problem_of(client.post("/orders/a%20b/cancel", headers=BEARER))["code"] == "not_found"


def test_an_unusable_idempotency_key_is_malformed(client: FlaskClient) -> None:
    headers = {**BEARER, "Idempotency-Key": "two words"}
    assert problem_of(client.post("/orders/1/cancel", headers=headers))["code"] == "malformed"


def test_a_defect_is_told_as_try_again_and_logged_without_its_message(
    client: FlaskClient, app: Flask, monkeypatch: pytest.MonkeyPatch, records: list[logging.LogRecord]
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise KeyError("4242424242424242")

    monkeypatch.setattr(app.extensions["temporal"], "start", broken)
    body = TestWebhooks.BODY
    response = client.post("/webhooks/shopify", data=body, headers=shopify_headers(body))
    assert problem_of(response)["code"] == "internal"
    (defect,) = [record for record in records if record.levelname == "ERROR"]
    fields: dict[str, Any] = defect.__dict__["fields"]
    assert fields["error"] == "KeyError"
    assert any("webhooks.py" in place for place in fields["places"])
    assert "42424242" not in str([record.__dict__ for record in records])


class TestRequestIds:
    def test_a_given_id_is_kept_and_an_odd_one_replaced(self, client: FlaskClient) -> None:
        kept = client.get("/health/live", headers={"X-Request-Id": "abcdef-1234"})
        assert kept.headers["X-Request-Id"] == "abcdef-1234"
        for odd in ("short", "with blank in it", "x" * 65):
            assert client.get("/health/live", headers={"X-Request-Id": odd}).headers["X-Request-Id"] != odd

    def test_the_line_names_the_route_and_not_the_path(
        self, client: FlaskClient, records: list[logging.LogRecord]
    ) -> None:
        client.post("/users/jane.doe/confirm?token=abc", json={"token": ""})
        (line,) = [record.__dict__["fields"] for record in records]
        assert line["route"] == "/users/{user_id}/confirm"
        assert (line["method"], line["status"], line["problem"]) == ("POST", 422, "invalid")
        assert "jane" not in str(line)


class TestAdmission:
    def test_above_the_bound_requests_are_shed_at_once_and_health_is_not_counted(self) -> None:
        inside, leave = threading.Semaphore(0), threading.Event()

        def slow(environ: dict[str, Any], start_response: Any) -> list[bytes]:
            if environ["PATH_INFO"] != "/health/live":
                inside.release()
                leave.wait(60)
            start_response("200 OK", [])
            return [b"served"]

        admission = Admission(slow, limit=2)
        statuses: list[str] = []

        def call(path: str) -> list[bytes]:
            return list(admission({"PATH_INFO": path}, note_status))

        def note_status(status: str, *_: Any) -> Any:
            statuses.append(status)

        busy = [threading.Thread(target=call, args=("/orders",)) for _ in range(2)]
        for thread in busy:
            thread.start()
            assert inside.acquire(timeout=60)
        assert json.loads(call("/orders")[0])["code"] == "overloaded"
        assert call("/health/live") == [b"served"]
        leave.set()
        for thread in busy:
            thread.join(60)
        assert call("/orders") == [b"served"]
        assert statuses[0] == "503 Service Unavailable"

    def test_a_place_is_given_back_after_a_failure(self) -> None:
        def broken(_environ: dict[str, Any], _start_response: Any) -> list[bytes]:
            raise ValueError("broken")

        admission = Admission(broken, limit=1)
        for _ in range(3):
            with pytest.raises(ValueError, match="broken"):
                admission({"PATH_INFO": "/orders"}, lambda *_: None)  # type: ignore[arg-type]
