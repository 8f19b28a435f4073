"""Standard Webhooks, scheme v1: HMAC-SHA256 over `id.timestamp.body`, base64, a list of signatures.

Source: the Standard Webhooks specification, "Signature scheme". The secret is `whsec_` and base64 of 24 to 64
bytes. An id with a full stop is refused, because it could be split into another id and timestamp. Versions
other than v1 in the list are skipped, so a sender that also signs with ed25519 (v1a) is understood.

Scheme `svix` is the same under the older header names svix-id, svix-timestamp and svix-signature. It is a name
of its own because only the id under the verified names is signed: whoever accepts either set and then reads
the id from the other one lets a captured delivery in again under a new id.
"""

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from functions.signatures.digests import MAX_SIGNATURES, from_base64, match, seconds
from functions.signatures.verdict import Clock, Rejection, Verdict

_ID = re.compile(r"[!-+\--~]{1,256}", re.ASCII)
_PREFIX = "whsec_"


@dataclass(frozen=True, slots=True)
class Message:
    """The readable headers of a delivery: what was signed, when, and the entries of the signature list."""

    signed: bytes
    timestamp: int
    entries: list[str]


def read(headers: Mapping[str, str], body: bytes, family: str, most: int = MAX_SIGNATURES) -> Message | Rejection:
    """Read the headers `family`-id, -timestamp and -signature; more than `most` signatures are malformed."""
    message, time, listed = (headers.get(f"{family}-{name}") for name in ("id", "timestamp", "signature"))
    if not (message and time and listed):
        return Rejection.MISSING
    timestamp = seconds(time)
    if timestamp is None or not _ID.fullmatch(message) or "." in message:
        return Rejection.MALFORMED
    entries = listed.split(" ")
    if len(entries) > most:
        return Rejection.MALFORMED
    return Message(f"{message}.{time}.".encode("ascii") + body, timestamp, entries)


class StandardWebhooks:
    """Schemes `standard_webhooks` and `svix`, which differ in the `family` of their headers' names."""

    topic = "body:type"

    def __init__(self, family: str = "webhook") -> None:
        self._family = family
        self.event_id = f"header:{family}-id"

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
        """Judge the three headers of the family. Never raises."""
        message = read(headers, body, self._family)
        if isinstance(message, Rejection):
            return message
        digests = (from_base64(entry.removeprefix("v1,")) for entry in message.entries if entry.startswith("v1,"))
        signatures = [digest for digest in digests if digest is not None]
        if not signatures:
            return Rejection.MALFORMED
        return clock.judge(message.timestamp) or match(message.signed, signatures, keys)
