"""Who may call the warehouse: requests that change something are signed (Standard Webhooks v1), reads need a token.

The time in a signature is compared with real time, not with the simulated clock: the callers live in real time.
"""

import hmac
import re
import time
from collections.abc import Mapping

from infra.local.simulator import signing

TOLERANCE_SECONDS = 300


def signature_problem(body: bytes, headers: Mapping[str, str], secret: str | None) -> str | None:
    """Return why a signed request is refused, or None when one of its signatures is good."""
    if secret is None:
        return "the warehouse has no secret to check signatures with"
    message_id = headers.get("webhook-id", "")
    timestamp = headers.get("webhook-timestamp", "")
    offered = headers.get("webhook-signature", "")
    if not (message_id and timestamp and offered):
        return "webhook-id, webhook-timestamp and webhook-signature are needed"
    if not re.fullmatch(r"[0-9]{1,12}", timestamp):
        return "webhook-timestamp is not a whole number of seconds"
    if abs(time.time() - int(timestamp)) > TOLERANCE_SECONDS:
        return "webhook-timestamp is too far from now"
    expected = f"v1,{signing.standard_signature(body, secret, message_id, timestamp)}".encode()
    if any(hmac.compare_digest(expected, candidate.encode()) for candidate in offered.split(" ")):
        return None
    return "no signature matches"


def has_token(headers: Mapping[str, str]) -> bool:
    """Tell whether a read carries a bearer token (any will do)."""
    scheme, _, token = headers.get("Authorization", "").partition(" ")
    return scheme.lower() == "bearer" and bool(token.strip())
