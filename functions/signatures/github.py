"""GitHub: `X-Hub-Signature-256: sha256=<hex>`, HMAC-SHA256 over the raw body.

Source: GitHub's documentation, "Validating webhook deliveries". The older X-Hub-Signature (SHA-1) is not read.
Neither a time nor X-GitHub-Delivery nor X-GitHub-Event is signed: a captured body can be sent again under
another id or event name, so what it says is a hint, to be checked against the thing it names. GitHub does not
repeat a failed delivery by itself; one redelivered by hand keeps its X-GitHub-Delivery.
"""

from collections.abc import Mapping, Sequence

from functions.signatures.digests import from_hex, match, text_key
from functions.signatures.verdict import Clock, Rejection, Verdict

_PREFIX = "sha256="


class GitHub:
    """Scheme `github`."""

    event_id = "header:x-github-delivery"
    topic = "header:x-github-event"

    def key(self, secret: str) -> bytes:
        """Return the secret's own bytes. Raises ValueError when it is empty."""
        return text_key(secret)

    def verify(self, headers: Mapping[str, str], body: bytes, keys: Sequence[bytes], clock: Clock) -> Verdict:  # noqa: ARG002
        """Judge the header x-hub-signature-256. Never raises."""
        header = headers.get("x-hub-signature-256")
        if not header:
            return Rejection.MISSING
        signature = from_hex(header.removeprefix(_PREFIX)) if header.startswith(_PREFIX) else None
        return Rejection.MALFORMED if signature is None else match(body, [signature], keys)
