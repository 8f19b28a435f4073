"""The deployed API answers: every route, through the zip that was deployed, acting as the role that was deployed."""

import hmac
import json
import time
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import pytest

from tests.e2e.scene import api_order
from tests.infra.configuration import PROJECT
from tests.infra.deployment import Deployment
from tests.infra.lambda_gateway import Gateway
from tests.integration.api_gateway import event_of

pytestmark = pytest.mark.infra

TABLE = json.loads((PROJECT / "functions" / "routes.json").read_text("utf-8"))
OPERATOR = {"Authorization": "AWS4-HMAC-SHA256 Credential=ASIAOPERATOR/20261123/eu-west-1/execute-api/aws4_request"}


@dataclass(frozen=True)
class Sent:
    """A request to one route, and the status that it must get."""

    target: str
    status: int
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    code: str | None = None
    """Of a refusal: the function's own word for it, which the gateway would not use."""


def requests(deployment: Deployment) -> dict[str, Sent]:
    """Return a request for every route that this file knows, by route key."""
    bearer = {"Authorization": f"Bearer {deployment.stack.api_key}"}
    order, nobody = api_order(), uuid4().hex
    window = {"start": "2026-01-01T00:00:00+00:00", "end": "2026-01-01T01:00:00+00:00"}
    event = json.dumps({"id": f"evt_{nobody}", "type": "payment_intent.succeeded"}).encode()
    at = int(time.time())
    secret = deployment.stack.stack.layout.credentials.stripe_webhook_secret
    signature = hmac.new(secret.encode(), f"{at}.".encode() + event, "sha256").hexdigest()
    return {
        "POST /orders": Sent("/orders", 202, order, bearer),
        "POST /orders/{order_id}/cancel": Sent(
            f"/orders/{nobody}/cancel", 404, {"reason": "late"}, bearer, "not_found"
        ),
        # Refunded is what a worker says, and none is there yet: test_deployed_worker.py gives money back.
        "POST /orders/{order_id}/refund": Sent(f"/orders/{nobody}/refund", 503, REFUND, bearer, "temporal_unavailable"),
        "POST /orders/{order_id}/payment": Sent(
            f"/orders/{nobody}/payment",
            404,
            {"request_id": "r-1", "payment_method": "pm_card_visa"},
            bearer,
            "not_found",
        ),
        "POST /orders/{order_id}/address": Sent(
            f"/orders/{nobody}/address",
            404,
            {
                "request_id": "a-1",
                "ship_to": {"recipient": "Ann", "lines": ["Quay 1"], "city": "Ghent", "country": "BE"},
            },
            bearer,
            "not_found",
        ),
        "POST /users": Sent("/users", 202, {"user_id": f"u-{nobody}", "email": "a@shop.example"}, bearer),
        "POST /users/{user_id}/resend": Sent(f"/users/{nobody}/resend", 404, {}, bearer, code="not_found"),
        "POST /users/{user_id}/address": Sent(
            f"/users/{nobody}/address", 202, {"change_id": "c-1", "email": "b@shop.example"}, bearer
        ),
        "POST /users/{user_id}/address/{change_id}/confirm": Sent(
            f"/users/{nobody}/address/{nobody}/confirm", 404, {"token": "no.such.token"}, code="not_found"
        ),
        "POST /users/{user_id}/confirm": Sent(
            f"/users/{nobody}/confirm", 404, {"token": "no.such.token"}, code="not_found"
        ),
        "POST /reconciliations": Sent("/reconciliations", 202, {"provider": "stripe", "window": window}, OPERATOR),
        "POST /webhooks/{source}": Sent("/webhooks/stripe", 202, event, {"Stripe-Signature": f"t={at},v1={signature}"}),
        "GET /health/live": Sent("/health/live", 200),
        "GET /health/ready": Sent("/health/ready", 200),
        "GET /openapi.json": Sent("/openapi.json", 200),
    }


REFUND = {"request_id": "r-1", "amount_minor": 100, "reason": "late"}


def ask(gateway: Gateway, method: str, sent: Sent, **headers: str) -> Any:
    body = sent.body if isinstance(sent.body, bytes | None) else json.dumps(sent.body).encode()
    told = {"Content-Type": "application/json", **sent.headers, **headers}
    return gateway.ask(method, sent.target, body, list(told.items()))


def test_the_deployed_routes_are_those_of_the_table(gateway: Gateway) -> None:
    deployed = {(route.method, route.path): route.authorization for route in gateway.routes}
    table = {(r["method"], r["path"]): "AWS_IAM" if r.get("operator") else "NONE" for r in TABLE}
    assert deployed == table


@pytest.mark.parametrize("route", [f"{route['method']} {route['path']}" for route in TABLE])
def test_every_route_is_answered(gateway: Gateway, deployment: Deployment, route: str) -> None:
    sent = requests(deployment)[route]
    answer = ask(gateway, route.partition(" ")[0], sent)
    assert answer.status == sent.status, answer
    assert (answer.code if answer.status >= 400 else None) == sent.code, "the function's answer, not the gateway's"


def test_an_operator_s_route_is_closed_to_everybody_else(gateway: Gateway, deployment: Deployment) -> None:
    sent = requests(deployment)["POST /reconciliations"]
    assert ask(gateway, "POST", sent, Authorization=f"Bearer {deployment.stack.api_key}").status == 403


def test_an_unsigned_webhook_is_refused(gateway: Gateway, deployment: Deployment) -> None:
    sent = requests(deployment)["POST /webhooks/{source}"]
    assert ask(gateway, "POST", sent, **{"Stripe-Signature": "t=1,v1=00"}).status == 401


def test_a_function_serves_its_own_routes_only(gateway: Gateway, deployment: Deployment) -> None:
    """Even for an event that reaches it past the gateway."""
    owner = {(route.method, route.path): route.function for route in gateway.routes}
    sent = requests(deployment)["POST /orders"]
    headers = [("Content-Type", "application/json"), *sent.headers.items()]
    event = event_of("POST", "/orders", json.dumps(sent.body).encode(), headers)
    (other,) = set(gateway.functions) - {owner["POST", "/orders"]}
    assert gateway.functions[other].invoke(event)["statusCode"] == 404


def test_every_function_is_held_to_its_role(gateway: Gateway, deployment: Deployment) -> None:
    assert [line for line in deployment.fake.denied() if "-function " in line] == []
    assert len(gateway.functions) == 2
