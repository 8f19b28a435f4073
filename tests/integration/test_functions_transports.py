"""One contract, two transports: the same requests to gunicorn and to the bundle in Lambda get the same answers.

Each transport has a Temporal namespace of its own, so that the same ids can be used everywhere and answers compared
whole. Lambda is asked in every form in which a gateway may put a request.
"""

import asyncio
import gzip
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from infra.bundle.build import HANDLER
from tests.integration.api_gateway import answer_of, event_of
from tests.integration.execution_environment import executing
from tests.integration.served_functions import (
    BEARER,
    Answer,
    functions_env,
    served,
    shopify_headers,
    stripe_headers,
    warehouse_headers,
)
from tests.integration.temporal_namespace import fresh_namespace

pytestmark = pytest.mark.timeout(600)  # the first makes the bundle: minutes on a busy machine

FORMS: dict[str, dict[str, bool]] = {
    "text": {},
    "base64": {"as_base64": True},
    "without a length": {"with_length": False},
    "path decoded": {"decoded_path": True},
}
COMPARED_HEADERS = ("Content-Type", "Allow", "Retry-After", "Www-Authenticate", "Location")


@dataclass(frozen=True, kw_only=True)
class Case:
    """One request and the status it must get; the name says what it is about."""

    name: str
    status: int
    method: str = "POST"
    target: str
    body: bytes | None = None
    headers: Mapping[str, str]


def cases() -> list[Case]:
    """Return the script, in order: some requests are about an earlier one."""
    order = {
        "order_id": "o-1",
        "currency": "EUR",
        "total_minor": 1200,
        "customer_id": "cust-7",
        "payment_mode": "charge",
        "payment_method": "pm_card_visa",
        "lines": [{"sku": "MUG", "quantity": 2, "unit_price_minor": 600}],
    }
    event = json.dumps({"id": "evt-1", "type": "payment_intent.succeeded", "note": "Zürich ☂"}, ensure_ascii=False)
    return [*_orders(order), *_webhooks(event.encode()), *_edges()]


def _api(name: str, status: int, target: str, body: object, **headers: str) -> Case:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Case(name=name, status=status, target=target, body=raw, headers={**BEARER, **headers})


def _orders(order: dict[str, Any]) -> list[Case]:
    return [
        _api("an order", 202, "/orders", order),
        _api("the same order", 200, "/orders", order),
        _api("another order under its id", 409, "/orders", {**order, "customer_id": "cust-8"}),
        _api("no order that adds up", 422, "/orders", {**order, "order_id": "o-2", "total_minor": "12"}),
        _api("an unknown field", 422, "/orders", {**order, "order_id": "o-3", "colour": "red"}),
        _api("a wrong key", 401, "/orders", order, Authorization="Bearer wrong"),
        _api("cancelling what is not there", 404, "/orders/o-none/cancel", {"request_id": "r-1", "reason": "late"}),
        _api("no user", 422, "/users", {"user_id": "u-1", "email": "not an address"}),
        _api("a user", 202, "/users", {"user_id": "u-2", "email": "u2@shop.example"}),
        _api("no JSON", 400, "/orders", b"{"),
        _api("too deep", 400, "/orders", b"[" * 100_000),
        _api("not UTF-8", 400, "/orders", b'{"order_id": "\xff"}'),
        _api("a byte order mark", 400, "/orders", b"\xef\xbb\xbf{}"),
        _api("nothing", 400, "/orders", b""),
        _api("too large", 413, "/orders", b"x" * 700_000),
        _api("another type", 415, "/orders", b"a=1", **{"Content-Type": "application/x-www-form-urlencoded"}),
        _api("compressed", 415, "/orders", gzip.compress(b"{}"), **{"Content-Encoding": "gzip"}),
    ]


def _webhooks(event: bytes) -> list[Case]:
    stripe, unreadable = stripe_headers(event), b'{"id": "\xff\xfe"}'
    ignored = json.dumps({"id": "evt-2", "type": "radar.early_fraud_warning.created"}).encode()
    paid = json.dumps({"id": 820982911946154508, "name": "#9999"}).encode()
    shipped = json.dumps({"type": "shipment.shipped", "data": {"order_id": "o-1"}}).encode()
    other = json.dumps({"id": "evt-3", "type": "payment_intent.succeeded"}).encode()

    def hook(name: str, status: int, body: bytes, headers: Mapping[str, str], path: str = "stripe") -> Case:
        return Case(name=name, status=status, target=f"/webhooks/{path}", body=body, headers=headers)

    return [
        hook("an event", 202, event, stripe),
        hook("the same event", 200, event, stripe),
        hook(
            "an event with a query", 202, other, {**stripe_headers(other), "Cookie": "a=1; b=2"}, "stripe?a=1&a=2&b=%2F"
        ),
        hook("an event of no interest", 200, ignored, stripe_headers(ignored)),
        hook("a signed event that is no text", 400, unreadable, stripe_headers(unreadable)),
        hook("an unsigned event", 401, event, {"Content-Type": "application/json"}),
        hook("a changed event", 401, event + b" ", stripe),
        hook("a hostile signature", 401, event, {**stripe, "Stripe-Signature": "t=1,v1=\xe9,,=,t="}),
        hook("a shop's event", 202, paid, shopify_headers(paid, "b54557e4", "orders/paid"), "shopify"),
        hook("a warehouse's event", 202, shipped, warehouse_headers(shipped, "msg_1"), "warehouse"),
        hook("a source that is not there", 404, event, stripe, "nobody"),
        hook("a source with a slash in its name", 404, event, stripe, "stripe%2Fx"),
        hook("a source with an escaped escape", 404, event, stripe, "stripe%252F"),
        hook("a source that is no ASCII", 404, event, stripe, "%C3%A9t%C3%A9"),
        hook("a path that is no UTF-8", 404, event, stripe, "%FF%FE"),
    ]


def _edges() -> list[Case]:
    def ask(name: str, status: int, method: str, target: str) -> Case:
        return Case(name=name, status=status, method=method, target=target, headers={})

    return [
        ask("live", 200, "GET", "/health/live"),
        ask("ready", 200, "GET", "/health/ready"),
        ask("ready, with a query", 200, "GET", "/health/ready?deep=1&deep=2"),
        ask("nowhere", 404, "GET", "/nowhere"),
        ask("the root", 404, "GET", "/"),
        ask("a doubled slash", 404, "GET", "//health//live"),
        ask("a path upwards", 404, "GET", "/webhooks/%2e%2e/health/live"),
        ask("a method that is not offered", 405, "GET", "/orders"),
        ask("another one", 405, "DELETE", "/webhooks/stripe"),
    ]


@pytest.fixture(scope="module")
def script() -> list[Case]:
    """The requests, signed now; every transport gets the very same bytes."""
    return cases()


@pytest.fixture(scope="module")
def gunicorn(
    temporal_server: str, script: list[Case], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Answer]]:
    namespace = asyncio.run(registered(temporal_server))
    folder = tmp_path_factory.mktemp("gunicorn")
    with served(temporal_server, folder, ORDERS_TEMPORAL__NAMESPACE=namespace) as edge:
        yield {case.name: edge.request(case.method, case.target, case.body, case.headers) for case in script}


@pytest.fixture(scope="module", params=FORMS)
def in_lambda(
    request: pytest.FixtureRequest,
    temporal_server: str,
    task_root: Path,
    script: list[Case],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[dict[str, Answer]]:
    namespace = asyncio.run(registered(temporal_server))
    env = functions_env(temporal_server, ORDERS_TEMPORAL__NAMESPACE=namespace)
    with executing(task_root, HANDLER, tmp_path_factory.mktemp("lambda"), env) as environment:

        def ask(case: Case) -> Answer:
            headers = list(case.headers.items())
            # An escaped escape, resolved, cannot be told from an escape.
            form = {} if "%25" in case.target else FORMS[request.param]
            return answer_of(environment.invoke(event_of(case.method, case.target, case.body, headers, **form)), 0)

        yield {case.name: ask(case) for case in script}


async def registered(address: str) -> str:
    async with fresh_namespace(address) as client:
        return client.namespace


def told(answer: Answer) -> tuple[int, dict[str, str], Any]:
    """Return what a client is told, without what differs from request to request."""
    headers = {name.title(): value for name, value in answer.headers.items() if name.title() in COMPARED_HEADERS}
    body = answer.json
    if "request_id" in body:
        assert body.pop("request_id") == answer.headers["X-Request-Id"]
    return answer.status, headers, body


@pytest.mark.parametrize("name", [case.name for case in cases()])
def test_both_transports_give_the_promised_answer(
    name: str, script: list[Case], gunicorn: dict[str, Answer], in_lambda: dict[str, Answer]
) -> None:
    (case,) = (case for case in script if case.name == name)
    assert gunicorn[name].status == case.status, gunicorn[name]
    assert told(in_lambda[name]) == told(gunicorn[name])
