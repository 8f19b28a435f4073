"""Signature vectors that were published by others. The folder that holds them is not part of the project."""

import json
from pathlib import Path
from typing import Any

import pytest

from functions.signatures import SCHEMES, Clock, Rejection, Verified


@pytest.fixture(scope="module")
def vectors(fixtures_dir: Path) -> list[dict[str, Any]]:
    loaded: list[dict[str, Any]] = json.loads((fixtures_dir / "webhooks/vectors/vectors.json").read_text("utf-8"))
    return loaded


def of(vectors: list[dict[str, Any]], scheme: str) -> list[dict[str, Any]]:
    found = [vector for vector in vectors if vector["scheme"] == scheme]
    assert found
    return found


def headers_of(vector: dict[str, Any]) -> dict[str, str]:
    return {
        "webhook-id": vector["id"],
        "webhook-timestamp": str(vector["timestamp"]),
        "webhook-signature": vector["signature"],
    }


@pytest.mark.parametrize(
    ("label", "believed"), [("standard-webhooks v1", True), ("standard-webhooks NEGATIVE v1", False)]
)
def test_standard_webhooks(vectors: list[dict[str, Any]], label: str, believed: bool) -> None:
    scheme = SCHEMES["standard_webhooks"]
    for vector in of(vectors, label):
        keys, clock = [scheme.key(vector["secret"])], Clock(vector["timestamp"], 300)
        verdict = scheme.verify(headers_of(vector), vector["body"].encode(), keys, clock)
        assert isinstance(verdict, Verified) is believed


def test_standard_webhooks_asymmetric_is_refused_not_believed(vectors: list[dict[str, Any]]) -> None:
    scheme = SCHEMES["standard_webhooks"]
    for vector in of(vectors, "standard-webhooks v1a (ed25519)"):
        verdict = scheme.verify(
            headers_of(vector), vector["body"].encode(), [bytes(32)], Clock(vector["timestamp"], 300)
        )
        assert verdict is Rejection.MALFORMED


def test_stripe(vectors: list[dict[str, Any]], fixtures_dir: Path) -> None:
    scheme = SCHEMES["stripe"]
    for vector in of(vectors, "stripe"):
        body = (fixtures_dir / "webhooks/vectors" / vector["body_file"]).read_bytes()
        keys, clock = [scheme.key(vector["secret"])], Clock(vector["timestamp"], 300)
        assert scheme.verify({"stripe-signature": vector["header"]}, body, keys, clock) == Verified(0)
        assert scheme.verify({"stripe-signature": vector["header"]}, body + b" ", keys, clock) is Rejection.MISMATCH


def test_stripe_malformed_headers(vectors: list[dict[str, Any]]) -> None:
    scheme = SCHEMES["stripe"]
    for vector in of(vectors, "stripe NEGATIVE headers"):
        for header in vector["headers"]:
            verdict = scheme.verify({"stripe-signature": header}, b"{}", [b"webhook_secret"], Clock(1533204620, 300))
            assert verdict is Rejection.MALFORMED, header


def test_shopify(vectors: list[dict[str, Any]]) -> None:
    scheme = SCHEMES["shopify"]
    for vector in of(vectors, "shopify"):
        headers = {"x-shopify-hmac-sha256": vector["header"]}
        keys, clock = [scheme.key(vector["secret"])], Clock(0, 300)
        assert scheme.verify(headers, vector["body"].encode(), keys, clock) == Verified(0)
        assert scheme.verify(headers, b"another body", keys, clock) is Rejection.MISMATCH
