"""Stripe: `Stripe-Signature: t=<seconds>,v1=<hex>[,v1=<hex>...]`, HMAC-SHA256 over `t.body`.

Source: Stripe's documentation, "Verify webhook signatures manually". The whole `whsec_...` text is the key (it
is not base64, unlike Standard Webhooks' secrets of the same look: the scheme is named in settings, never
guessed). While a secret is rolled Stripe sends several v1 entries. Other schemes (v0) are ignored, as Stripe
asks. Both sides of the tolerance are checked; Stripe's own library checks only the past.
"""

from collections.abc import Mapping, Sequence

from functions.signatures.digests import MAX_SIGNATURES, from_hex, match, seconds, text_key
from functions.signatures.verdict import Clock, Rejection, Verdict


class Stripe:
    """Scheme `stripe`."""

    event_id = "body:id"
    topic = "body:type"

    def key(self, secret: str) -> bytes:
        """Return the secret's own bytes. Raises ValueError when it is empty."""
        return text_key(secret)

    def verify(self, headers: Mapping[str, str], body: bytes, keys: Sequence[bytes], clock: Clock) -> Verdict:
        """Judge the header stripe-signature. Never raises."""
        header = headers.get("stripe-signature")
        if not header:
            return Rejection.MISSING
        entries = [entry.partition("=") for entry in header.split(",")]
        times = [value for name, _, value in entries if name == "t"]
        digests = [from_hex(value) for name, _, value in entries if name == "v1"]
        signatures = [digest for digest in digests if digest is not None]
        # Two times would leave open which one was signed.
        timestamp = seconds(times[0]) if len(times) == 1 else None
        if timestamp is None or not signatures or len(digests) > MAX_SIGNATURES:
            return Rejection.MALFORMED
        return clock.judge(timestamp) or match(f"{timestamp}.".encode("ascii") + body, signatures, keys)
