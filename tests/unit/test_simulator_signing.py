"""The simulator's signatures, checked by the official verifiers and by recorded vectors."""

import base64
import hashlib
import hmac
import json
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
import stripe
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from infra.local.simulator.signing import shopify_headers, standard_headers, standard_signature, stripe_headers

STANDARD = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
EVENT = b'{"id": "evt_1", "object": "event", "type": "payout.paid"}'


def verify_stripe(body: bytes, header: str, secret: str) -> stripe.Event:
    event = stripe.Webhook.construct_event(body, header, secret)
    assert isinstance(event, stripe.Event)
    return event


def test_stripe_accepts_our_stripe_signature() -> None:
    header = stripe_headers(EVENT, ["whsec_a"], timestamp=int(time.time()))["Stripe-Signature"]
    assert verify_stripe(EVENT, header, "whsec_a").id == "evt_1"


def test_stripe_accepts_either_secret_while_one_is_rolled() -> None:
    header = stripe_headers(EVENT, ["new", "old"], timestamp=int(time.time()))["Stripe-Signature"]
    assert {verify_stripe(EVENT, header, secret).id for secret in ("new", "old")} == {"evt_1"}


@pytest.mark.parametrize(("body", "secret", "age"), [(EVENT + b" ", "a", 0), (EVENT, "b", 0), (EVENT, "a", 301)])
def test_stripe_refuses_another_body_secret_or_hour(body: bytes, secret: str, age: int) -> None:
    header = stripe_headers(EVENT, ["a"], timestamp=int(time.time()) - age)["Stripe-Signature"]
    with pytest.raises(stripe.SignatureVerificationError):
        verify_stripe(body, header, secret)


@given(
    document=st.dictionaries(st.text(), st.text() | st.integers() | st.none()), message_id=st.from_regex(r"[a-z_]+\Z")
)
def test_the_official_library_accepts_our_standard_signature(
    document: dict[str, str | int | None], message_id: str
) -> None:
    body = json.dumps(document).encode()
    headers = standard_headers(body, [STANDARD], message_id=message_id, timestamp=int(time.time()))
    assert Webhook(STANDARD).verify(body, headers) == document


def test_our_standard_signature_is_the_official_librarys() -> None:
    moment = datetime(2026, 3, 1, tzinfo=UTC)
    ours = standard_headers(EVENT, [STANDARD], message_id="msg_1", timestamp=int(moment.timestamp()))
    assert ours["webhook-signature"] == Webhook(STANDARD).sign("msg_1", moment, EVENT.decode())


def test_a_standard_delivery_signed_with_two_secrets_satisfies_holders_of_either() -> None:
    headers = standard_headers(EVENT, [STANDARD, OTHER], message_id="m", timestamp=int(time.time()))
    assert Webhook(STANDARD).verify(EVENT, headers) == Webhook(OTHER).verify(EVENT, headers)
    single = standard_headers(EVENT, [STANDARD], message_id="m", timestamp=int(time.time()))
    with pytest.raises(WebhookVerificationError):
        Webhook(OTHER).verify(EVENT, single)


def test_a_standard_secret_that_is_not_base64_is_refused() -> None:
    with pytest.raises(ValueError, match="whsec_"):
        standard_signature(b"", "whsec_not base64!", "m", "1")


def test_shopify_signs_the_body_alone() -> None:
    headers = shopify_headers(
        EVENT,
        "key",
        topic="orders/paid",
        webhook_id="w",
        event_id="e",
        shop_domain="main.myshopify.test",
        triggered_at="2026-03-01T00:00:00+00:00",
    )
    expected = base64.b64encode(hmac.digest(b"key", EVENT, hashlib.sha256)).decode()
    assert headers["X-Shopify-Hmac-SHA256"] == expected
    assert {headers["X-Shopify-Topic"], headers["X-Shopify-Webhook-Id"], headers["X-Shopify-Event-Id"]} == {
        "orders/paid",
        "w",
        "e",
    }


def test_recorded_vectors_come_out_the_same(fixtures_dir: Path) -> None:
    folder = fixtures_dir / "webhooks" / "vectors"
    compared = 0
    for vector in json.loads((folder / "vectors.json").read_text()):
        scheme, secret = vector["scheme"], vector.get("secret", "")
        body = vector.get("body", "").encode()
        if scheme == "standard-webhooks v1":
            headers = standard_headers(body, [secret], message_id=vector["id"], timestamp=vector["timestamp"])
            assert headers["webhook-signature"] == vector["signature"]
        elif scheme == "stripe":
            body = (folder / vector["body_file"]).read_bytes()
            header = stripe_headers(body, [secret], timestamp=vector["timestamp"])["Stripe-Signature"]
            assert vector["header"].startswith(header + ",")
        elif scheme == "shopify":
            fields = dict.fromkeys(("topic", "webhook_id", "event_id", "shop_domain", "triggered_at"), "")
            assert shopify_headers(body, secret, **fields)["X-Shopify-Hmac-SHA256"] == vector["header"]
        else:
            continue
        compared += 1
    assert compared >= 4
