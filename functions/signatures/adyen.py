"""Adyen: an HMAC-SHA256 inside the notification (`adyen`) or in a header (`adyen_platform`), base64, hex keys.

Sources: Adyen's documentation, "Verify HMAC signatures", for classic and for platform webhooks.

A classic notification signs eight of its fields, joined with colons: reference of the payment, of the original
payment, merchant account, merchant reference, amount, currency, event code, success. Nothing else in it is
signed, no time either: the other fields are hints, and the event id is the guard against replays. Of the eight,
only the merchant reference may hold a colon here; otherwise one signature would fit several notifications.
JSON deliveries hold exactly one notification, so a body with several is not one of Adyen's.

A platform webhook signs the raw body, in the header `hmacsignature`.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from functions.body import parse_json
from functions.problems import Malformed
from functions.signatures.digests import from_base64, match
from functions.signatures.verdict import Clock, Rejection, Verdict

_KEY = re.compile(r"[0-9A-Fa-f]{64}", re.ASCII)
_ITEM = "notificationItems.0.NotificationRequestItem"
_SIGNED: Mapping[str, re.Pattern[str]] = {
    "pspReference": re.compile(r"[A-Za-z0-9]{1,64}", re.ASCII),
    "originalReference": re.compile(r"[A-Za-z0-9]{0,64}", re.ASCII),
    "merchantAccountCode": re.compile(r"[^:]{1,128}"),
    "merchantReference": re.compile(r".{0,1024}", re.DOTALL),
    "value": re.compile(r"-?[0-9]{1,18}", re.ASCII),
    "currency": re.compile(r"[A-Z]{3}", re.ASCII),
    "eventCode": re.compile(r"[A-Z0-9_]{1,64}", re.ASCII),
    "success": re.compile(r"true|false", re.ASCII),
}
"""The signed fields in their order, and what each may be."""


def _key(secret: str) -> bytes:
    if not _KEY.fullmatch(secret):
        raise ValueError("must be 64 hex digits")
    return bytes.fromhex(secret)


class Adyen:
    """Scheme `adyen`: the signature stands in the notification."""

    # The same event offered again keeps these three; a changed outcome is news.
    event_id = " + ".join(f"body:{_ITEM}.{name}" for name in ("pspReference", "eventCode", "success"))
    topic = f"body:{_ITEM}.eventCode"

    def key(self, secret: str) -> bytes:
        """Decode the hex key. Raises ValueError when it is none of 32 bytes."""
        return _key(secret)

    def verify(self, headers: Mapping[str, str], body: bytes, keys: Sequence[bytes], clock: Clock) -> Verdict:  # noqa: ARG002
        """Judge the one notification in `body`, which must be strict JSON to be read at all. Never raises."""
        item = _item(body)
        if item is None:
            return Rejection.MALFORMED
        extra = item.get("additionalData")
        given = extra.get("hmacSignature") if isinstance(extra, dict) else None
        if given is None:
            return Rejection.MISSING
        signature = from_base64(given) if isinstance(given, str) else None
        signed = _signed(item)
        if signature is None or signed is None:
            return Rejection.MALFORMED
        return match(signed, [signature], keys)


class AdyenPlatform:
    """Scheme `adyen_platform`: the signature of the raw body stands in a header."""

    # Nothing in these bodies is the same over retries and new for every event but the whole.
    event_id = "digest"
    topic = "body:type"

    def key(self, secret: str) -> bytes:
        """Decode the hex key. Raises ValueError when it is none of 32 bytes."""
        return _key(secret)

    def verify(self, headers: Mapping[str, str], body: bytes, keys: Sequence[bytes], clock: Clock) -> Verdict:  # noqa: ARG002
        """Judge the header hmacsignature. Never raises."""
        header = headers.get("hmacsignature")
        if not header:
            return Rejection.MISSING
        signature = from_base64(header)
        return Rejection.MALFORMED if signature is None else match(body, [signature], keys)


def _item(body: bytes) -> dict[str, Any] | None:
    try:
        notification = parse_json(body)
    except Malformed:
        return None
    match notification:
        case {"notificationItems": [{"NotificationRequestItem": dict() as item}]}:
            return item
    return None


def _signed(item: Mapping[str, Any]) -> bytes | None:
    amount = item.get("amount")
    value = amount.get("value") if isinstance(amount, dict) else None
    fields = {
        **item,
        "value": str(value) if isinstance(value, int) and not isinstance(value, bool) else None,
        "currency": amount.get("currency") if isinstance(amount, dict) else None,
    }
    texts: list[str] = []
    for name, shape in _SIGNED.items():
        text = fields.get(name)
        if text is None and shape.fullmatch(""):
            text = ""
        if not isinstance(text, str) or not shape.fullmatch(text):
            return None
        texts.append(text)
    try:
        return ":".join(texts).encode()
    except UnicodeEncodeError:
        return None
