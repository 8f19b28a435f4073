"""The sender's side of webhook signatures: what functions/signatures verifies, made.

For samples that are sent on purpose: a first delivery by hand, a rehearsal, a load test. A scheme's own document is
the source of each rule; tests hold every scheme against the verifiers.
"""

import base64
import hmac
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from worker.domain.errors import InvalidInput


@dataclass(frozen=True, slots=True, kw_only=True)
class HmacDescription:
    """How a sender of scheme `hmac` signs: the table of that name in settings."""

    header: str
    algorithm: str = "sha256"
    encoding: str = "hex"
    prefix: str = ""
    separator: str = ""
    key_encoding: str = "text"
    signed: str = "{body}"
    timestamp_header: str = ""
    id_header: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """What is signed besides the body. `at` is a Unix time in seconds; senders without a place for one ignore it."""

    event_id: str
    topic: str
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """A delivery: what goes over the wire. The body is another than the given one where a scheme signs inside it."""

    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


_ED25519_BYTES = 32

Signer = Callable[[bytes, str, Envelope], Signed]


def signer_of(scheme: str, description: HmacDescription | None = None) -> Signer:
    """Return what signs for a scheme of settings. Raises InvalidInput when there is none by that name."""
    if scheme == "hmac" and description is not None:
        return _described(description)
    found = _SIGNERS.get(scheme)
    if found is None:
        raise InvalidInput(f"cannot sign for scheme {scheme!r}; there are hmac, {', '.join(sorted(_SIGNERS))}")
    return found


def signed_by_all(body: bytes, secrets: Sequence[str], envelope: Envelope) -> dict[str, str]:
    """Return the headers of Standard Webhooks, signed with each secret: while one is replaced, receivers know either.

    Raises InvalidInput without a secret, or for one that is not base64.
    """
    if not secrets:
        raise InvalidInput("there is no secret to sign with")
    sign = signer_of("standard_webhooks")
    signed = [sign(body, secret, envelope).headers for secret in secrets]
    return {**signed[0], "webhook-signature": " ".join(headers["webhook-signature"] for headers in signed)}


def _standard(family: str) -> Signer:
    def sign(body: bytes, secret: str, envelope: Envelope) -> Signed:
        signed = f"{envelope.event_id}.{envelope.at}.".encode() + body
        return _enveloped(family, body, envelope, "v1," + _base64(hmac.digest(_whsec(secret), signed, "sha256")))

    return sign


def _asymmetric(body: bytes, secret: str, envelope: Envelope) -> Signed:
    """`secret` is the private key, `whsk_` or `whsec_` and 32 bytes in base64; settings hold only the public one."""
    try:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import (  # noqa: PLC0415 - for this scheme alone
            Ed25519PrivateKey,
        )
    except ImportError as error:
        raise InvalidInput("signing for standard_webhooks_v1a needs the package cryptography") from error
    if secret.startswith("whpk_"):
        raise InvalidInput("settings hold the sender's public key; give the private one with --secret-file")
    key = _whsec(secret.replace("whsk_", "whsec_", 1))
    if len(key) < _ED25519_BYTES:
        raise InvalidInput("a private key of ed25519 has 32 bytes, in base64 after whsk_")
    private = Ed25519PrivateKey.from_private_bytes(key[:_ED25519_BYTES])
    signature = private.sign(f"{envelope.event_id}.{envelope.at}.".encode() + body)
    return _enveloped("webhook", body, envelope, "v1a," + _base64(signature))


def _enveloped(family: str, body: bytes, envelope: Envelope, signature: str) -> Signed:
    headers = {
        f"{family}-id": envelope.event_id,
        f"{family}-timestamp": str(envelope.at),
        f"{family}-signature": signature,
    }
    return Signed(body=body, headers=headers)


def _stripe(body: bytes, secret: str, envelope: Envelope) -> Signed:
    digest = hmac.digest(secret.encode(), f"{envelope.at}.".encode() + body, "sha256").hex()
    return Signed(body=body, headers={"Stripe-Signature": f"t={envelope.at},v1={digest}"})


def _shopify(body: bytes, secret: str, envelope: Envelope) -> Signed:
    headers = {
        "X-Shopify-Hmac-SHA256": _base64(hmac.digest(secret.encode(), body, "sha256")),
        "X-Shopify-Webhook-Id": envelope.event_id,
        "X-Shopify-Topic": envelope.topic,
    }
    return Signed(body=body, headers=headers)


def _github(body: bytes, secret: str, envelope: Envelope) -> Signed:
    headers = {
        "X-Hub-Signature-256": "sha256=" + hmac.digest(secret.encode(), body, "sha256").hex(),
        "X-GitHub-Delivery": envelope.event_id,
        "X-GitHub-Event": envelope.topic,
    }
    return Signed(body=body, headers=headers)


def _adyen(body: bytes, secret: str, envelope: Envelope) -> Signed:
    """Sign each item, in the item: PSP reference, original reference, account, reference, amount, code, success."""
    del envelope
    key = _hex(secret)
    try:
        document: dict[str, Any] = json.loads(body)
        for each in document["notificationItems"]:
            item: dict[str, Any] = each["NotificationRequestItem"]
            amount = item.get("amount") or {}
            parts = (
                item.get("pspReference"),
                item.get("originalReference"),
                item.get("merchantAccountCode"),
                item.get("merchantReference"),
                amount.get("value"),
                amount.get("currency"),
                item.get("eventCode"),
                item.get("success"),
            )
            text = ":".join("" if part is None else str(part) for part in parts)
            item["additionalData"] = {
                **(item.get("additionalData") or {}),
                "hmacSignature": _base64(hmac.digest(key, text.encode(), "sha256")),
            }
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidInput("an Adyen notification is JSON with notificationItems") from error
    return Signed(body=json.dumps(document, ensure_ascii=False).encode())


def _adyen_platform(body: bytes, secret: str, envelope: Envelope) -> Signed:
    del envelope
    return Signed(body=body, headers={"HmacSignature": _base64(hmac.digest(_hex(secret), body, "sha256"))})


def _unsigned(body: bytes, secret: str, envelope: Envelope) -> Signed:
    del secret, envelope
    return Signed(body=body)


def _described(rule: HmacDescription) -> Signer:
    def sign(body: bytes, secret: str, envelope: Envelope) -> Signed:
        lead = rule.signed.removesuffix("{body}").replace("{id}", envelope.event_id)
        signed = lead.replace("{timestamp}", str(envelope.at)).encode() + body
        key = {"hex": _hex, "base64": _from_base64}.get(rule.key_encoding, str.encode)(secret)
        try:
            digest = hmac.digest(key, signed, rule.algorithm)
        except ValueError as error:
            raise InvalidInput(f"there is no algorithm {rule.algorithm} to sign with") from error
        headers = {rule.header: rule.prefix + (digest.hex() if rule.encoding == "hex" else _base64(digest))}
        if rule.id_header:
            headers[rule.id_header] = envelope.event_id
        if rule.timestamp_header:
            headers[rule.timestamp_header] = str(envelope.at)
        return Signed(body=body, headers=headers)

    return sign


def _whsec(secret: str) -> bytes:
    text = secret.removeprefix("whsec_")
    return _from_base64(text + "=" * (-len(text) % 4))  # some leave the padding away, and the functions forgive it


def _from_base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError as error:
        raise InvalidInput("the secret is not base64, as its scheme writes it") from error


def _hex(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError as error:
        raise InvalidInput("the secret is not hexadecimal, as its scheme writes it") from error


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


_SIGNERS: dict[str, Signer] = {
    "adyen": _adyen,
    "adyen_platform": _adyen_platform,
    "github": _github,
    "shopify": _shopify,
    "standard_webhooks": _standard("webhook"),
    "standard_webhooks_v1a": _asymmetric,
    "stripe": _stripe,
    "svix": _standard("svix"),
    "unsigned": _unsigned,
}
