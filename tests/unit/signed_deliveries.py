"""The senders' side: deliveries signed as each scheme asks. A test holds them against the senders' own libraries."""

import base64
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from functions.signatures import SCHEMES, Clock, HmacRule, Scheme, Verdict, scheme_named

NOW = 1_795_380_000
CLOCK = Clock(NOW, 300)
BODY = '{"id":"evt_1","type":"payment_intent.succeeded","note":"Zürich"}'.encode()
WHSEC = "whsec_" + base64.b64encode(bytes(range(32))).decode()
OLDER = "whsec_" + base64.b64encode(bytes(range(32, 64))).decode()
TIMED = HmacRule(
    header="x-acme-signature",
    prefix="v0=",
    separator=",",
    signed="v0:{id}:{timestamp}:{body}",
    timestamp_header="x-acme-time",
    id_header="x-acme-id",
)
"""A rule that uses most of what rules can say."""


@dataclass(frozen=True)
class Delivery:
    """A delivery and the text of the secret that it was signed with, as our settings would hold it."""

    scheme: str
    secret: str
    headers: Mapping[str, str]
    body: bytes
    rule: HmacRule | None = None

    @property
    def verifier(self) -> Scheme:
        return scheme_named(self.scheme, self.rule)

    def judge(self, *secrets_: str, clock: Clock = CLOCK) -> Verdict:
        keys = [self.verifier.key(secret) for secret in secrets_ or (self.secret,)]
        return self.verifier.verify(self.headers, self.body, keys, clock)

    def with_header(self, name: str, value: str) -> "Delivery":
        return replace(self, headers={**self.headers, name: value})


def standard(body: bytes = BODY, secret: str = WHSEC, at: int = NOW, message: str = "msg_1") -> Delivery:
    digest = hmac.digest(base64.b64decode(secret[6:]), f"{message}.{at}.".encode() + body, "sha256")
    signature = "v1," + base64.b64encode(digest).decode()
    headers = {"webhook-id": message, "webhook-timestamp": str(at), "webhook-signature": signature}
    return Delivery("standard_webhooks", secret, headers, body)


def svix(body: bytes = BODY, secret: str = WHSEC, at: int = NOW) -> Delivery:
    signed = standard(body, secret, at)
    headers = {name.replace("webhook-", "svix-"): value for name, value in signed.headers.items()}
    return replace(signed, scheme="svix", headers=headers)


def asymmetric(body: bytes = BODY, secret: str = WHSEC, at: int = NOW) -> Delivery:
    """`secret` is where the private key is made from; settings hold the public one."""
    private = Ed25519PrivateKey.from_private_bytes(SCHEMES["standard_webhooks"].key(secret))
    signature = base64.b64encode(private.sign(f"msg_1.{at}.".encode() + body)).decode()
    headers = {"webhook-id": "msg_1", "webhook-timestamp": str(at), "webhook-signature": f"v1a,{signature}"}
    return Delivery("standard_webhooks_v1a", public_of(secret), headers, body)


def public_of(secret: str) -> str:
    private = Ed25519PrivateKey.from_private_bytes(SCHEMES["standard_webhooks"].key(secret))
    return "whpk_" + base64.b64encode(private.public_key().public_bytes_raw()).decode()


def striped(body: bytes = BODY, secret: str = WHSEC, at: int = NOW) -> Delivery:
    digest = hmac.digest(secret.encode(), f"{at}.".encode() + body, "sha256").hex()
    return Delivery("stripe", secret, {"stripe-signature": f"t={at},v1={digest}"}, body)


def shopified(body: bytes = BODY, secret: str = WHSEC, at: int = NOW) -> Delivery:
    del at  # nothing in the delivery is dated, here and in some below
    digest = base64.b64encode(hmac.digest(secret.encode(), body, "sha256")).decode()
    return Delivery("shopify", secret, {"x-shopify-hmac-sha256": digest}, body)


def githubbed(body: bytes = BODY, secret: str = WHSEC, at: int = NOW) -> Delivery:
    del at
    digest = hmac.digest(secret.encode(), body, "sha256").hex()
    return Delivery("github", secret, {"x-hub-signature-256": f"sha256={digest}"}, body)


def adyen_key(secret: str) -> str:
    return SCHEMES["standard_webhooks"].key(secret).hex().upper()


def adyen_platform(body: bytes = BODY, secret: str = WHSEC, at: int = NOW) -> Delivery:
    del at
    key = adyen_key(secret)
    digest = base64.b64encode(hmac.digest(bytes.fromhex(key), body, "sha256")).decode()
    return Delivery("adyen_platform", key, {"hmacsignature": digest}, body)


def described(body: bytes = BODY, secret: str = WHSEC, at: int = NOW, rule: HmacRule = TIMED) -> Delivery:
    """Sign by a rule of settings, written out again for the sender."""
    signed = rule.signed.replace("{id}", "msg_1").replace("{timestamp}", str(at)).removesuffix("{body}").encode() + body
    key = base64.b64decode(secret[6:]) if rule.key_encoding == "base64" else secret.encode()
    digest = hmac.digest(key, signed, rule.algorithm)
    text = digest.hex() if rule.encoding == "hex" else base64.b64encode(digest).decode()
    headers = {rule.header: rule.prefix + text}
    if rule.id_header:
        headers[rule.id_header] = "msg_1"
    if rule.timestamp_header:
        headers[rule.timestamp_header] = str(at)
    return Delivery("hmac", secret[6:] if rule.key_encoding == "base64" else secret, headers, body, rule)


def adyen_item(secret: str = WHSEC, **changes: Any) -> Delivery:
    """Sign a classic notification; `changes` are made to its fields before."""
    item: dict[str, Any] = {
        "pspReference": "NC6HT9CRT65ZGN82",
        "merchantAccountCode": "ShopDE",
        "merchantReference": "main/1001:a",
        "amount": {"value": 4288, "currency": "EUR"},
        "eventCode": "AUTHORISATION",
        "success": "true",
        "eventDate": "2026-11-22T17:00:00+01:00",
        **changes,
    }
    amount = item["amount"]
    signed = ":".join(
        [
            item["pspReference"],
            item.get("originalReference") or "",
            item["merchantAccountCode"],
            item.get("merchantReference") or "",
            str(amount["value"]),
            amount["currency"],
            item["eventCode"],
            item["success"],
        ]
    )
    digest = hmac.digest(bytes.fromhex(adyen_key(secret)), signed.encode(), "sha256")
    item["additionalData"] = {"hmacSignature": base64.b64encode(digest).decode()}
    return Delivery("adyen", adyen_key(secret), {}, notification(item))


def notification(*items: dict[str, Any]) -> bytes:
    wrapped = [{"NotificationRequestItem": item} for item in items]
    return json.dumps({"live": "false", "notificationItems": wrapped}).encode()


SIGNERS: dict[str, Callable[..., Delivery]] = {
    "standard_webhooks": standard,
    "svix": svix,
    "standard_webhooks_v1a": asymmetric,
    "stripe": striped,
    "shopify": shopified,
    "github": githubbed,
    "adyen_platform": adyen_platform,
    "hmac": described,
}
"""Every scheme that signs the whole body."""

DATED = {name: SIGNERS[name] for name in ("standard_webhooks", "svix", "standard_webhooks_v1a", "stripe", "hmac")}
"""Those that sign a time too."""

SIGNATURE_HEADER = {
    "standard_webhooks": "webhook-signature",
    "svix": "svix-signature",
    "standard_webhooks_v1a": "webhook-signature",
    "stripe": "stripe-signature",
    "shopify": "x-shopify-hmac-sha256",
    "github": "x-hub-signature-256",
    "adyen_platform": "hmacsignature",
    "hmac": TIMED.header,
}
