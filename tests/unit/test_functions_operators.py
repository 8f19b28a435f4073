"""Routes of the people who run the shop, where a gateway in front knows them."""

import dataclasses
import json
from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient

from functions.app import create_app
from functions.auth import operator_of
from infra.local.freeports import free_port
from tests.unit.functions_settings import KEY, config

WINDOW = {"provider": "stripe", "window": {"start": "2026-01-01T00:00:00Z", "end": "2026-01-01T01:00:00Z"}}
IAM = {"iam": {"userArn": "arn:aws:sts::123456789012:assumed-role/finance/jo@shop.example", "accessKey": "ASIA"}}
JWT = {"jwt": {"claims": {"sub": "auth0|42", "email": "jo@shop.example"}, "scopes": None}}


class TestOperators:
    @pytest.fixture
    def gated(self) -> Iterator[FlaskClient]:
        plain = config(f"127.0.0.1:{free_port()}")
        app = create_app(dataclasses.replace(plain, api=dataclasses.replace(plain.api, operator_auth="gateway")))
        yield app.test_client()
        app.extensions["temporal"].close()

    def ask(self, client: FlaskClient, context: object, **headers: str) -> Any:
        environ = {} if context is None else {"apig_wsgi.request_context": context}
        return client.post("/reconciliations", json=WINDOW, headers=headers, environ_overrides=environ)

    @pytest.mark.parametrize("authorizer", [IAM, JWT])
    def test_whom_the_gateway_knows_gets_through(self, gated: FlaskClient, authorizer: object) -> None:
        answer = self.ask(gated, {"authorizer": authorizer})
        assert answer.status_code == 503, "let through, to a Temporal that is not there"

    @pytest.mark.parametrize(
        "context",
        [
            None,
            "text",
            {},
            {"authorizer": None},
            {"authorizer": {"iam": None}},
            {"authorizer": {"iam": {"userArn": 7}}},
            {"authorizer": {"jwt": {"claims": {}}}},
            {"authorizer": {"jwt": {"claims": {"sub": ""}}}},
            {"authorizer": {"lambda": {"sub": "me"}}},
        ],
    )
    def test_nobody_else_does_whatever_they_say(self, gated: FlaskClient, context: object) -> None:
        claimed = json.dumps({"authorizer": IAM})
        answer = self.ask(
            gated,
            context,
            **{
                "Authorization": f"Bearer {KEY}",
                "Apig-Wsgi.Request-Context": claimed,
                "X-Amzn-Request-Context": claimed,
            },
        )
        assert answer.status_code == 403

    def test_a_key_still_opens_the_clients_routes(self, gated: FlaskClient) -> None:
        answer = gated.post("/orders", json={}, headers={"Authorization": f"Bearer {KEY}"})
        assert answer.status_code == 422

    def test_a_person_s_address_is_not_kept(self) -> None:
        assert operator_of({"authorizer": IAM}, "main").holder == "assumed-role/finance"
        assert operator_of({"authorizer": JWT}, "main").holder == "operator/auth0|42"
