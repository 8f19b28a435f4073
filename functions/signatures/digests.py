"""Strict reading and constant-time comparing of HMAC-SHA256 digests, shared by all schemes.

Strict because a lax reader accepts many texts for one signature (whitespace, trailing junk, spare bits),
and because the library readers raise on some of them; here every unreadable text is simply None.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Sequence

from functions.signatures.verdict import Rejection, Verdict, Verified

MAX_SIGNATURES = 16
"""More signatures than any rotation needs: beyond it the header is somebody's attempt to make us work."""

_HEX = re.compile(r"[0-9a-f]{64}", re.ASCII)
_SECONDS = re.compile(r"[1-9][0-9]{0,11}", re.ASCII)


def from_base64(text: str) -> bytes | None:
    """Read the one canonical base64 text of a SHA-256 digest; None for anything else."""
    try:
        digest = base64.b64decode(text.encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error, ValueError):
        return None
    canonical = len(digest) == 32 and base64.b64encode(digest).decode("ascii") == text
    return digest if canonical else None


def from_hex(text: str) -> bytes | None:
    """Read 64 lower-case hex digits; None for anything else."""
    return bytes.fromhex(text) if _HEX.fullmatch(text) else None


def seconds(text: str) -> int | None:
    """Read whole seconds since 1970: digits only, no sign, no blank, no leading zero; None for anything else."""
    return int(text) if _SECONDS.fullmatch(text) else None


def match(signed: bytes, signatures: Sequence[bytes], keys: Sequence[bytes]) -> Verdict:
    """Compare every signature with every key's digest of `signed`, each in constant time."""
    for index, key in enumerate(keys):
        expected = hmac.new(key, signed, hashlib.sha256).digest()
        if any(hmac.compare_digest(expected, signature) for signature in signatures):
            return Verified(index)
    return Rejection.MISMATCH
