"""How the outside world signs what it sends: Stripe, Shopify, and Standard Webhooks v1.

Written from the senders' published schemes, on purpose without the receiving side's code, so that the two check
each other. The text `whsec_...` is a key as it stands for Stripe and base64 for Standard Webhooks.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence

API_VERSION_SHOPIFY = "2026-10"


def stripe_headers(body: bytes, secrets: Sequence[str], *, timestamp: int) -> dict[str, str]:
    """Return `Stripe-Signature: t=...,v1=...` with one v1 a secret (several while a secret is being rolled)."""
    signed = str(timestamp).encode() + b"." + body
    digests = [hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest() for secret in secrets]
    return {"Stripe-Signature": ",".join([f"t={timestamp}", *(f"v1={digest}" for digest in digests)])}


def shopify_headers(
    body: bytes, secret: str, *, topic: str, webhook_id: str, event_id: str, shop_domain: str, triggered_at: str
) -> dict[str, str]:
    """Return a Shopify delivery's headers; only the body is signed, and the time is not."""
    digest = hmac.new(secret.encode(), body, hashlib.sha256).digest()
    return {
        "X-Shopify-Hmac-SHA256": base64.b64encode(digest).decode(),
        "X-Shopify-Topic": topic,
        "X-Shopify-Webhook-Id": webhook_id,
        "X-Shopify-Event-Id": event_id,
        "X-Shopify-Shop-Domain": shop_domain,
        "X-Shopify-Triggered-At": triggered_at,
        "X-Shopify-API-Version": API_VERSION_SHOPIFY,
    }


def standard_headers(body: bytes, secrets: Sequence[str], *, message_id: str, timestamp: int) -> dict[str, str]:
    """Return the three Standard Webhooks headers, one `v1,` signature a secret. ValueError for a bad secret."""
    signatures = [f"v1,{standard_signature(body, secret, message_id, str(timestamp))}" for secret in secrets]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(signatures),
    }


def standard_signature(body: bytes, secret: str, message_id: str, timestamp: str) -> str:
    """Return the base64 HMAC-SHA256 of `id.timestamp.body`. ValueError when the secret is not `whsec_` + base64."""
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except binascii.Error:
        raise ValueError("a Standard Webhooks secret is whsec_ and base64") from None
    signed = f"{message_id}.{timestamp}.".encode() + body
    return base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
