"""Sources that only settings know: what they believe, whom they let in, how they call what came."""

import base64
import hashlib
import hmac
import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from functions.app import create_app
from functions.config import load
from functions.source import Source
from functions.source_settings import SourceConfig, SourceSecret
from functions.temporal import Start, Started
from tests.unit.signed_deliveries import (
    OLDER,
    WHSEC,
    Delivery,
    adyen_item,
    adyen_platform,
    asymmetric,
    githubbed,
    shopified,
    standard,
    striped,
    svix,
)
from tests.unit.source_settings_text import SETTINGS, only_these_variables, settings_with
from worker.contract.events import ProviderEvent
from worker.contract.settings import Secret


@pytest.fixture(scope="module")
def records() -> Iterator[list[Mapping[str, Any]]]:
    """The fields of every line that the functions logged."""
    kept: list[Mapping[str, Any]] = []

    class Keeper(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            kept.append({"event": record.getMessage(), **record.__dict__.get("fields", {})})

    keeper = Keeper()
    logging.getLogger("functions.source").addHandler(keeper)
    logging.getLogger("functions.access").addHandler(keeper)
    yield kept
    logging.getLogger("functions.source").removeHandler(keeper)
    logging.getLogger("functions.access").removeHandler(keeper)


@pytest.fixture(scope="module")
def variables() -> Iterator[pytest.MonkeyPatch]:
    with only_these_variables() as patch:
        yield patch


@pytest.fixture(scope="module")
def app(
    variables: pytest.MonkeyPatch, records: list[Mapping[str, Any]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Flask]:
    app = create_app(load(root=settings_with(tmp_path_factory.mktemp("settings"), SETTINGS)))
    logging.getLogger("functions").setLevel("INFO")
    yield app
    app.extensions["temporal"].close()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def starts(app: Flask, monkeypatch: pytest.MonkeyPatch) -> list[Start]:
    """What would have been started: each id once, as Temporal does."""
    starts: list[Start] = []

    def start(asked: Start) -> Started:
        known = any(earlier.workflow_id == asked.workflow_id for earlier in starts)
        starts.append(asked)
        return Started(duplicate=known, existing_fingerprint=asked.fingerprint if known else None)

    monkeypatch.setattr(app.extensions["temporal"], "start", start)
    return starts


def post(client: FlaskClient, source: str, delivery: Delivery, **headers: str) -> TestResponse:
    given = {"Content-Type": "application/json", **delivery.headers, **headers}
    return client.post(f"/webhooks/{source}", data=delivery.body, headers=given)


def now() -> int:
    return int(time.time())


def chat(body: bytes, at: int | None = None) -> Delivery:
    at = at or now()
    digest = hmac.digest(b"chat-secret", f"v0:{at}:".encode() + body, "sha256").hex()
    return Delivery("hmac", "chat-secret", {"x-chat-signature": f"v0={digest}", "x-chat-time": str(at)}, body)


HUB = {"X-GitHub-Delivery": "72d3162e-cc78-11e3", "X-GitHub-Event": "push"}


SHOP = {"X-Shopify-Webhook-Id": "w1", "X-Shopify-Topic": "orders/create"}


class TestBySettingsAlone:
    @pytest.mark.parametrize(
        ("source", "delivery", "headers", "event_id", "topic"),
        [
            ("code", githubbed, HUB, "72d3162e-cc78-11e3", "push"),
            ("gemini", lambda: asymmetric(at=now()), {}, "msg_1", "payment_intent.succeeded"),
            ("hooks", lambda: svix(at=now()), {}, "msg_1", "payment_intent.succeeded"),
            ("adyen", adyen_item, {}, "NC6HT9CRT65ZGN82:AUTHORISATION:true", "AUTHORISATION"),
            (
                "platform",
                lambda: adyen_platform(b'{"type":"x.y"}'),
                {},
                hashlib.sha256(b'{"type":"x.y"}').hexdigest(),
                "x.y",
            ),
            ("bench", lambda: Delivery("unsigned", "", {}, b'{"id":"e1","type":"t"}'), {}, "e1", "t"),
        ],
    )
    def test_a_source_of_a_known_scheme_takes_no_code(
        self,
        client: FlaskClient,
        starts: list[Start],
        source: str,
        delivery: Callable[[], Delivery],
        headers: dict[str, str],
        event_id: str,
        topic: str,
    ) -> None:
        sent = delivery()
        answer = post(client, source, sent, **headers)
        assert (answer.status_code, answer.json) == (
            202,
            {"workflow_id": f"event/{source}/{event_id}", "event_id": event_id, "status": "accepted"},
        )
        (start,) = starts
        assert isinstance(start.argument, ProviderEvent)
        assert (start.argument.source, start.argument.event_id, start.argument.topic) == (source, event_id, topic)
        assert start.argument.body.encode() == sent.body
        again = post(client, source, delivery(), **headers)
        assert (again.status_code, again.json["status"] if again.json else None) == (200, "duplicate")
        if source != "bench":
            forged = post(client, source, Delivery(sent.scheme, "", sent.headers, sent.body + b" "), **headers)
            assert forged.status_code == (200 if source == "adyen" else 401)  # blanks are no part of a notification

    def test_a_described_sender_with_a_rule_of_its_own(self, client: FlaskClient, starts: list[Start]) -> None:
        assert post(client, "chat", chat(b'{"channel":"c1","sequence":7}')).status_code == 202
        assert starts[0].workflow_id == "event/chat/c1:7"
        assert starts[0].argument.topic == "message"
        old = post(client, "chat", chat(b'{"channel":"c1","sequence":8}', at=now() - 90))
        assert (old.status_code, old.json["code"] if old.json else None) == (401, "signature_invalid")
        assert len(starts) == 1

    def test_variables_alone_make_a_source_too(self, variables: pytest.MonkeyPatch) -> None:
        given = {
            "SCHEME": "hmac",
            "DIALECT": "acme",
            "SHOP": "main",
            "SECRETS": '[{"value": "s1", "not_after": "2999-01-01T00:00:00Z"}, "s2"]',
            "TOLERANCE_SECONDS": "300",
            "TOPICS": '["*"]',
            "HMAC__HEADER": "x-acme",
            "HMAC__SIGNED": "{body}",
            "RATE__PER_MINUTE": "60",
            "RATE__BURST": "5",
            "NETWORKS": '["203.0.113.0/24"]',
        }
        with pytest.MonkeyPatch.context() as patch:
            for name, value in given.items():
                patch.setenv(f"ORDERS_WEBHOOKS__ACME__{name}", value)
            acme = load().webhooks["acme"]
        assert [secret.value.reveal() for secret in acme.secrets] == ["s1", "s2"]
        assert acme.secrets[0].not_after == datetime(2999, 1, 1, tzinfo=UTC)
        assert (acme.hmac is not None, acme.rate is not None, acme.networks) == (True, True, ("203.0.113.0/24",))

    def test_a_topic_that_is_no_name_cannot_pass_even_where_all_are_taken(
        self, client: FlaskClient, starts: list[Start]
    ) -> None:
        for topic in ("two words", "x" * 200, "\ud800"):
            body = json.dumps({"id": "e9", "type": topic}).encode()
            assert post(client, "bench", Delivery("unsigned", "", {}, body)).status_code == 400
        assert starts == []

    def test_both_spellings_of_shopifys_headers(self, client: FlaskClient, starts: list[Start]) -> None:
        body = b'{"id":1}'
        digest = base64.b64encode(hmac.digest(b"shop-secret", body, "sha256")).decode()
        for prefix, webhook_id in (("X-Shopify-", "wh-1"), ("Shopify-", "wh-2")):
            headers = {"Hmac-Sha256": digest, "Webhook-Id": webhook_id, "Topic": "orders/create"}
            given = {f"{prefix}{name}": value for name, value in headers.items()}
            assert post(client, "shopify", Delivery("shopify", "", given, body)).status_code == 202
        assert [start.workflow_id for start in starts] == ["event/shopify/wh-1", "event/shopify/wh-2"]


HOSTILE = st.text(alphabet=st.characters(max_codepoint=255, exclude_categories=["Cc"]), max_size=80)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    source=st.sampled_from(["code", "gemini", "hooks", "adyen", "platform", "chat", "eager", "rotated"]),
    body=st.one_of(
        st.binary(max_size=200),
        st.sampled_from(
            [b"[" * 50_000, adyen_item(OLDER).body, b'{"notificationItems":[{"NotificationRequestItem":{}}]}']
        ),
    ),
    headers=st.dictionaries(
        st.sampled_from(
            [
                *("x-hub-signature-256", "x-shopify-hmac-sha256", "hmacsignature", "stripe-signature"),
                *("webhook-id", "webhook-timestamp", "webhook-signature", "svix-id", "svix-timestamp"),
                *("svix-signature", "x-chat-signature", "x-chat-time", "content-type", "x-forwarded-for"),
            ]
        ),
        HOSTILE,
    ),
)
def test_nothing_unsigned_gets_more_than_a_refusal_from_any_source(
    client: FlaskClient, starts: list[Start], source: str, body: bytes, headers: dict[str, str]
) -> None:
    answer = client.post(f"/webhooks/{source}", data=body, headers=headers)
    assert answer.status_code in {401, 413}
    assert answer.content_type == "application/problem+json"
    assert starts == []


class TestRotation:
    BODY = b'{"id":"evt_r","type":"payment_intent.succeeded"}'

    def test_new_and_old_are_accepted_and_the_log_says_which(
        self, client: FlaskClient, starts: list[Start], records: list[Mapping[str, Any]]
    ) -> None:
        for secret, name in ((WHSEC, "0"), (OLDER, "spring")):
            assert post(client, "rotated", striped(self.BODY, secret, now())).status_code in {200, 202}
            assert records[-1]["secret"] == name

    def test_past_its_end_a_secret_is_refused_and_the_log_says_why(
        self, client: FlaskClient, starts: list[Start], records: list[Mapping[str, Any]]
    ) -> None:
        refused = post(client, "rotated", striped(self.BODY, "long-gone", now()))
        assert (refused.status_code, refused.json["code"] if refused.json else None) == (401, "signature_invalid")
        assert records[-1]["rejection"] == "secret_ended"
        assert post(client, "rotated", striped(self.BODY, "never-ours", now())).status_code == 401
        assert records[-1]["rejection"] == "mismatch"
        assert starts == []

    def test_the_end_comes_to_the_second_while_the_process_runs(self, app: Flask) -> None:
        end = datetime(2026, 12, 1, tzinfo=UTC)
        config = SourceConfig(
            scheme="standard_webhooks",
            dialect="warehouse",
            shop="main",
            secrets=(SourceSecret(value=Secret(WHSEC)), SourceSecret(value=Secret(OLDER), not_after=end)),
            tolerance_seconds=300,
            topics=("*",),
        )
        moment = [end.timestamp() - 1]
        source = Source("warehouse", config, max_body_bytes=1024, now=lambda: moment[0])
        old, new = (standard(b"{}", secret, int(end.timestamp())) for secret in (OLDER, WHSEC))
        with app.test_request_context():
            source.believe(old.headers, old.body)
            moment[0] += 1
            with pytest.raises(Exception, match="not signed"):
                source.believe(old.headers, old.body)
            source.believe(new.headers, new.body)

    def test_what_is_past_its_end_is_told_at_the_start(self, app: Flask, records: list[Mapping[str, Any]]) -> None:
        told = [line for line in records if line["event"] == "a secret is past its end and can be removed"]
        assert [(line["source"], line["secret"]) for line in told] == [("rotated", "winter")]

    def test_no_log_line_holds_a_secret(self, app: Flask, records: list[Mapping[str, Any]]) -> None:
        assert records
        for secret in (WHSEC, OLDER, "long-gone", "chat-secret"):
            assert secret not in repr(records)


class TestLimits:
    def test_a_source_has_its_own_size_in_both_directions(self, client: FlaskClient, starts: list[Start]) -> None:
        large = b'{"channel":"c2","sequence":1,"x":"' + b"x" * 2048 + b'"}'
        assert post(client, "chat", chat(large)).status_code == 413
        assert (
            post(
                client, "bench", Delivery("", "", {}, b'{"id":"e2","type":"t","x":"' + b"x" * 9000 + b'"}')
            ).status_code
            == 202
        )

    def test_above_its_rate_a_source_is_told_when_to_come_again(
        self, client: FlaskClient, starts: list[Start], records: list[Mapping[str, Any]]
    ) -> None:
        forged = shopified(b"{}", OLDER)
        for _ in range(5):
            assert post(client, "eager", forged).status_code == 401, "who cannot sign spends nothing"
        answers = [
            post(client, "eager", shopified(b"{}"), **{**SHOP, "X-Shopify-Webhook-Id": f"w{n}"}) for n in range(3)
        ]
        assert [answer.status_code for answer in answers] == [202, 202, 429]
        assert answers[2].json is not None
        assert answers[2].json["code"] == "rate_limited"
        assert 50 <= int(answers[2].headers["Retry-After"]) <= 60
        assert records[-1]["problem"] == "rate_limited"
        assert len(starts) == 2
        assert post(client, "shopify", shopified(b"{}", "shop-secret"), **SHOP).status_code == 202, "others go on"

    @pytest.mark.parametrize(
        ("remote", "forwarded", "status"),
        [
            ("10.0.0.1", "203.0.113.9", 202),
            ("10.0.0.1", "192.0.2.1, 2001:db8::9", 202),
            ("203.0.113.9", None, 403),
            ("10.0.0.1", "203.0.113.9, 192.0.2.1", 403),
            ("203.0.113.9", "nonsense", 403),
        ],
    )
    def test_only_known_networks_may_deliver(
        self,
        client: FlaskClient,
        starts: list[Start],
        records: list[Mapping[str, Any]],
        remote: str,
        forwarded: str | None,
        status: int,
    ) -> None:
        delivery = shopified(b"{}")
        headers = {"Content-Type": "application/json", **delivery.headers, **SHOP}
        if forwarded is not None:
            headers["X-Forwarded-For"] = forwarded
        answer = client.post(
            "/webhooks/fenced", data=delivery.body, headers=headers, environ_overrides={"REMOTE_ADDR": remote}
        )
        assert answer.status_code == status
        assert len(starts) == (1 if status == 202 else 0)
        if status == 403:
            assert answer.json is not None
            assert answer.json["code"] == "address_refused"
            assert records[-1]["rejection"] == "address"
            assert remote not in repr(records[-1])


def test_an_unsigned_source_warns(app: Flask, records: list[Mapping[str, Any]]) -> None:
    told = [line for line in records if line["event"] == "a source believes anybody"]
    assert [line["source"] for line in told] == ["bench"]
