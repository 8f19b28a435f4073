"""Shopify: `X-Shopify-Hmac-SHA256: <base64>`, HMAC-SHA256 over the raw body, key = the app's client secret.

Source: Shopify's documentation, "Verify webhook deliveries"; newer deliveries also spell the header
`shopify-hmac-sha256`. No time, no id and no topic is signed: a captured body can be sent again under another
X-Shopify-Webhook-Id or topic, so the worker must treat a Shopify event as a hint about the order it names
and decide by the order's own state. The tolerance of settings therefore does not apply here.
"""

from collections.abc import Mapping, Sequence

from functions.signatures.digests import from_base64, match, text_key
from functions.signatures.verdict import Clock, Rejection, Verdict


class Shopify:
    """Scheme `shopify`."""

    # The webhook id stays the same over retries; X-Shopify-Event-Id is shared by several topics.
    event_id = "header:x-shopify-webhook-id|shopify-webhook-id"
    topic = "header:x-shopify-topic|shopify-topic"

    def key(self, secret: str) -> bytes:
        """Return the secret's own bytes. Raises ValueError when it is empty."""
        return text_key(secret)

    def verify(self, headers: Mapping[str, str], body: bytes, keys: Sequence[bytes], clock: Clock) -> Verdict:  # noqa: ARG002
        """Judge the header x-shopify-hmac-sha256 (or shopify-hmac-sha256). Never raises."""
        header = headers.get("x-shopify-hmac-sha256") or headers.get("shopify-hmac-sha256")
        if not header:
            return Rejection.MISSING
        signature = from_base64(header)
        return Rejection.MALFORMED if signature is None else match(body, [signature], keys)
