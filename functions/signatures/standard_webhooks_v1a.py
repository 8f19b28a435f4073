"""Standard Webhooks, scheme v1a: an ed25519 signature over `id.timestamp.body`.

Source: the Standard Webhooks specification, "Signature scheme"; the public key is `whpk_` and base64 of 32 bytes.
We hold no secret: whoever reads our settings can forge nothing. Only `v1a` entries count, whatever else is in the
list, so a public key is never taken for the key of an HMAC. One check costs about as much as 30 HMACs, hence
the lower bound on signatures in one header.
"""

import base64
import binascii
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from functions.signatures.digests import from_base64
from functions.signatures.standard_webhooks import read
from functions.signatures.verdict import Clock, Rejection, Verdict, Verified

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

MAX_SIGNATURES = 6
"""Both versions with three keys each; every one beyond is work for nothing."""

_PREFIX = "whpk_"
_SIGNATURE_BYTES = 64
_KEY_BYTES = 32


class StandardWebhooksV1a:
    """Scheme `standard_webhooks_v1a`."""

    event_id = "header:webhook-id"
    topic = "body:type"

    def key(self, secret: str) -> bytes:
        """Decode the public key `whpk_<base64>`. Raises ValueError for anything else, a private key above all."""
        if secret.startswith("whsk_"):
            raise ValueError("is the sender's private key; give its public key, whpk_")
        if not secret.startswith(_PREFIX):
            raise ValueError("must start with whpk_")
        text = secret.removeprefix(_PREFIX)
        try:
            key = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
        except (binascii.Error, ValueError):
            raise ValueError("is not base64 after whpk_") from None
        if len(key) != _KEY_BYTES or _public(key) is None:
            raise ValueError("must hold the 32 bytes of an ed25519 key")
        return key

    def verify(self, headers: Mapping[str, str], body: bytes, keys: Sequence[bytes], clock: Clock) -> Verdict:
        """Judge the headers webhook-id, webhook-timestamp and webhook-signature. Never raises."""
        message = read(headers, body, "webhook", MAX_SIGNATURES)
        if isinstance(message, Rejection):
            return message
        listed = (entry.removeprefix("v1a,") for entry in message.entries if entry.startswith("v1a,"))
        signatures = [value for text in listed if (value := from_base64(text, _SIGNATURE_BYTES)) is not None]
        if not signatures:
            return Rejection.MALFORMED
        late = clock.judge(message.timestamp)
        if late is not None:
            return late
        for index, key in enumerate(keys):
            if any(_signed_by(key, signature, message.signed) for signature in signatures):
                return Verified(index)
        return Rejection.MISMATCH


@lru_cache(maxsize=64)
def _public(key: bytes) -> "Ed25519PublicKey | None":
    # Imported by the first source that needs it: it is dear to load, and most deployments have none.
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415

    try:
        return Ed25519PublicKey.from_public_bytes(key)
    except ValueError:
        return None


def _signed_by(key: bytes, signature: bytes, signed: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - see _public

    public = _public(key)
    if public is None:
        return False
    try:
        public.verify(signature, signed)
    except InvalidSignature:
        return False
    return True
