"""Standard Webhooks, scheme v1: HMAC-SHA256 over `id.timestamp.body`, base64, a list of signatures.

Source: the Standard Webhooks specification, "Signature scheme". The secret is `whsec_` and base64 of 24 to 64
bytes. An id with a full stop is refused, because it could be split into another id and timestamp. Versions
other than v1 in the list are skipped, so a sender that also signs with ed25519 (v1a) is understood.
"""

import base64
import binascii
import re
from collections.abc import Mapping, Sequence

from functions.signatures.digests import MAX_SIGNATURES, from_base64, match, seconds
from functions.signatures.verdict import Clock, Rejection, Verdict

ID_HEADER = "webhook-id"
_ID = re.compile(r"[!-+\--~]{1,256}", re.ASCII)
_PREFIX = "whsec_"


class StandardWebhooks:
    """Scheme `standard_webhooks`."""

    def key(self, secret: str) -> bytes:
        """Decode `whsec_<base64>`. Raises ValueError when it is not, or not 24 to 64 bytes."""
        if not secret.startswith(_PREFIX):
            raise ValueError("must start with whsec_")
        text = secret.removeprefix(_PREFIX)
        try:
            # Some senders leave the padding away; nothing else is forgiven.
            key = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
        except (binascii.Error, ValueError):
            raise ValueError("is not base64 after whsec_") from None
        if not 24 <= len(key) <= 64:
            raise ValueError("must hold 24 to 64 bytes")
        return key

    def verify(self, headers: Mapping[str, str], body: bytes, keys: Sequence[bytes], clock: Clock) -> Verdict:
        """Judge the headers webhook-id, webhook-timestamp and webhook-signature. Never raises."""
        message, time, listed = (headers.get(name) for name in (ID_HEADER, "webhook-timestamp", "webhook-signature"))
        if not (message and time and listed):
            return Rejection.MISSING
        timestamp = seconds(time)
        if timestamp is None or not _ID.fullmatch(message) or "." in message:
            return Rejection.MALFORMED
        signatures = _signatures(listed)
        if not signatures:
            return Rejection.MALFORMED
        return clock.judge(timestamp) or match(f"{message}.{time}.".encode("ascii") + body, signatures, keys)


def _signatures(listed: str) -> list[bytes]:
    entries = listed.split(" ")
    if len(entries) > MAX_SIGNATURES:
        return []
    digests = (from_base64(entry.removeprefix("v1,")) for entry in entries if entry.startswith("v1,"))
    return [digest for digest in digests if digest is not None]
