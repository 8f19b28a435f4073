"""Strict reading and constant-time comparing of HMAC digests, shared by all schemes.

Strict because a lax reader accepts many texts for one signature (whitespace, trailing junk, spare bits),
and because the library readers raise on some of them; here every unreadable text is simply None.
"""

import base64
import binascii
import hmac
import re
from collections.abc import Sequence

from functions.signatures.verdict import Rejection, Verdict, Verified

MAX_SIGNATURES = 16
"""More signatures than any rotation needs: beyond it the header is somebody's attempt to make us work."""

SHA256_BYTES = 32

_HEX = re.compile(r"(?:[0-9a-f]{2})+", re.ASCII)
_SECONDS = re.compile(r"[1-9][0-9]{0,11}", re.ASCII)


def text_key(secret: str) -> bytes:
    """Return the secret's own bytes. Raises ValueError when it is empty."""
    if not secret:
        raise ValueError("must not be empty")
    return secret.encode()


def from_base64(text: str, size: int = SHA256_BYTES) -> bytes | None:
    """Read the one canonical base64 text of `size` bytes; None for anything else."""
    try:
        digest = base64.b64decode(text.encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error, ValueError):
        return None
    canonical = len(digest) == size and base64.b64encode(digest).decode("ascii") == text
    return digest if canonical else None


def from_hex(text: str, size: int = SHA256_BYTES) -> bytes | None:
    """Read `size` bytes as lower-case hex digits; None for anything else."""
    return bytes.fromhex(text) if len(text) == 2 * size and _HEX.fullmatch(text) else None


def seconds(text: str) -> int | None:
    """Read whole seconds since 1970: digits only, no sign, no blank, no leading zero; None for anything else."""
    return int(text) if _SECONDS.fullmatch(text) else None


def match(signed: bytes, signatures: Sequence[bytes], keys: Sequence[bytes], algorithm: str = "sha256") -> Verdict:
    """Compare every signature with every key's digest of `signed`, each in constant time."""
    for index, key in enumerate(keys):
        expected = hmac.digest(key, signed, algorithm)
        if any(hmac.compare_digest(expected, signature) for signature in signatures):
            return Verified(index)
    return Rejection.MISMATCH
