"""Signature vectors that were published by others. The folder that holds them is not part of the project.

Each vector verifies, and stops to verify with any one bit flipped in its body or in a header that was signed.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from functions.signatures import HmacRule, Rejection, Verified
from functions.signatures.verdict import Clock
from tests.unit.signed_deliveries import Delivery, notification

Vector = Mapping[str, Any]


@pytest.fixture(scope="module")
def vectors(fixtures_dir: Path) -> list[Vector]:
    loaded: list[Vector] = json.loads((fixtures_dir / "webhooks/vectors/vectors.json").read_text("utf-8"))
    return loaded


SEEN = {
    "standard-webhooks v1",
    "standard-webhooks v1a (ed25519)",
    "standard-webhooks NEGATIVE v1",
    "stripe",
    "stripe NEGATIVE headers",
    "github",
    "shopify",
    "generic hmac sha512 hex",
    "adyen item hmac",
    "adyen item hmac files",
}
"""Kinds of vectors that the tests below take, each with all of its kind."""


def test_no_vector_is_left_out(vectors: list[Vector], fixtures_dir: Path) -> None:
    assert {vector["scheme"] for vector in vectors} == SEEN
    named = {
        (fixtures_dir / "webhooks/vectors" / file).resolve()
        for vector in vectors
        for file in [*vector.get("files", ()), *([vector["body_file"]] if "body_file" in vector else ())]
    }
    signed_files = {file.resolve() for file in (fixtures_dir / "webhooks/adyen").glob("*.json")}
    assert signed_files <= named, "a payload that came with a signature is verified too"


def of(vectors: list[Vector], scheme: str) -> list[Vector]:
    assert scheme in SEEN
    found = [vector for vector in vectors if vector["scheme"] == scheme]
    assert found
    return found


def message_headers(vector: Vector, family: str = "webhook") -> dict[str, str]:
    texts = {"id": vector["id"], "timestamp": str(vector["timestamp"]), "signature": vector["signature"]}
    return {f"{family}-{name}": text for name, text in texts.items()}


def standard(vector: Vector) -> Delivery:
    return Delivery("standard_webhooks", vector["secret"], message_headers(vector), vector["body"].encode())


def svix(vector: Vector) -> Delivery:
    return Delivery("svix", vector["secret"], message_headers(vector, "svix"), vector["body"].encode())


def asymmetric(vector: Vector) -> Delivery:
    return Delivery("standard_webhooks_v1a", vector["public"], message_headers(vector), vector["body"].encode())


def in_header(scheme: str, header: str, rule: HmacRule | None = None) -> Callable[[Vector], Delivery]:
    def delivery(vector: Vector) -> Delivery:
        return Delivery(scheme, vector["secret"], {header: vector["header"]}, vector["body"].encode(), rule)

    return delivery


SHA512 = HmacRule(header="x-sign", algorithm="sha512")
HUB, SHOP = "x-hub-signature-256", "x-shopify-hmac-sha256"


def clock_of(vector: Vector) -> Clock:
    return Clock(vector.get("timestamp", 0), 300)


def one_bit_off(text: str) -> Iterator[str]:
    for position, letter in enumerate(text):
        for bit in range(7):
            yield text[:position] + chr(ord(letter) ^ 1 << bit) + text[position + 1 :]


@pytest.mark.parametrize(
    ("label", "delivered"),
    [
        pytest.param("standard-webhooks v1", standard, id="standard_webhooks"),
        pytest.param("standard-webhooks v1", svix, id="svix"),
        pytest.param("standard-webhooks v1a (ed25519)", asymmetric, id="standard_webhooks_v1a"),
        pytest.param("github", in_header("github", HUB), id="github"),
        pytest.param("shopify", in_header("shopify", SHOP), id="shopify"),
        pytest.param("shopify", in_header("shopify", "shopify-hmac-sha256"), id="shopify-new-header"),
        pytest.param("generic hmac sha512 hex", in_header("hmac", "x-sign", SHA512), id="hmac-sha512"),
        pytest.param(
            "github", in_header("hmac", HUB, HmacRule(header=HUB, prefix="sha256=")), id="hmac-described-as-github"
        ),
    ],
)
def test_it_verifies_and_no_flipped_bit_does(
    vectors: list[Vector], label: str, delivered: Callable[[Vector], Delivery]
) -> None:
    for vector in of(vectors, label):
        delivery, clock = delivered(vector), clock_of(vector)
        assert delivery.judge(clock=clock) == Verified(0)
        for bit in range(len(delivery.body) * 8):
            body = bytearray(delivery.body)
            body[bit // 8] ^= 1 << bit % 8
            assert replace(delivery, body=bytes(body)).judge(clock=clock) is Rejection.MISMATCH
        for name, value in delivery.headers.items():
            for other in one_bit_off(value):
                assert isinstance(delivery.with_header(name, other).judge(clock=clock), Rejection), (name, other)


def test_standard_webhooks_with_a_wrong_signature(vectors: list[Vector]) -> None:
    for vector in of(vectors, "standard-webhooks NEGATIVE v1"):
        assert isinstance(standard(vector).judge(clock=clock_of(vector)), Rejection)


def test_standard_webhooks_asymmetric_is_not_believed_by_the_symmetric_scheme(vectors: list[Vector]) -> None:
    (secret, *_) = [vector["secret"] for vector in of(vectors, "standard-webhooks v1")]
    for vector in of(vectors, "standard-webhooks v1a (ed25519)"):
        delivery = replace(asymmetric(vector), scheme="standard_webhooks", secret=secret)
        assert delivery.judge(clock=clock_of(vector)) is Rejection.MALFORMED


def test_the_private_key_of_a_pair_is_no_setting_of_ours(vectors: list[Vector]) -> None:
    for vector in of(vectors, "standard-webhooks v1a (ed25519)"):
        with pytest.raises(ValueError, match="private key"):
            asymmetric(vector).judge(vector["secret"])


def test_stripe(vectors: list[Vector], fixtures_dir: Path) -> None:
    for vector in of(vectors, "stripe"):
        body = (fixtures_dir / "webhooks/vectors" / vector["body_file"]).read_bytes()
        delivery = Delivery("stripe", vector["secret"], {"stripe-signature": vector["header"]}, body)
        clock = clock_of(vector)
        assert delivery.judge(clock=clock) == Verified(0)
        for bit in range(len(body) * 8):
            flipped = bytearray(body)
            flipped[bit // 8] ^= 1 << bit % 8
            assert replace(delivery, body=bytes(flipped)).judge(clock=clock) is Rejection.MISMATCH
        signed, _, ignored = vector["header"].partition(",v0=")
        for other in one_bit_off(signed):
            delivered = delivery.with_header("stripe-signature", f"{other},v0={ignored}")
            assert isinstance(delivered.judge(clock=clock), Rejection), other


def test_stripe_malformed_headers(vectors: list[Vector]) -> None:
    for vector in of(vectors, "stripe NEGATIVE headers"):
        for header in vector["headers"]:
            delivery = Delivery("stripe", vector["secret"], {"stripe-signature": header}, b"{}")
            assert delivery.judge(clock=Clock(1533204620, 300)) is Rejection.MALFORMED, header


def adyen(item: dict[str, Any], secret: str) -> Delivery:
    return Delivery("adyen", secret, {}, notification(item))


def test_adyen_item_by_its_fields(vectors: list[Vector]) -> None:
    for vector in of(vectors, "adyen item hmac"):
        psp, original, account, reference, value, currency, code, success = vector["signing_string"].split(":")
        item = {
            "pspReference": psp,
            "originalReference": original,
            "merchantAccountCode": account,
            "merchantReference": reference,
            "amount": {"value": int(value), "currency": currency},
            "eventCode": code,
            "success": success,
            "additionalData": {"hmacSignature": vector["signature"]},
        }
        assert adyen(item, vector["secret_hex"]).judge() == Verified(0)
        for other in one_bit_off(vector["signature"]):
            changed = {**item, "additionalData": {"hmacSignature": other}}
            assert isinstance(adyen(changed, vector["secret_hex"]).judge(), Rejection), other


def test_adyen_notifications_with_odd_characters(vectors: list[Vector], fixtures_dir: Path) -> None:
    for vector in of(vectors, "adyen item hmac files"):
        for file in vector["files"]:
            item = json.loads((fixtures_dir / "webhooks/vectors" / file).read_text("utf-8"))
            assert adyen(item, vector["secret_hex"]).judge() == Verified(0), file
            for name in ("pspReference", "merchantAccountCode", "merchantReference", "eventCode"):
                for other in one_bit_off(item[name]):
                    verdict = adyen({**item, name: other}, vector["secret_hex"]).judge()
                    assert isinstance(verdict, Rejection), (file, name)
