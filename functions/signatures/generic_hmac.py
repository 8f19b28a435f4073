"""Any HMAC in a header, described by settings: for senders that no scheme of ours is named after.

`[webhooks.<source>.hmac]` says where the signature stands, how it was made and what was signed. Only SHA-2, and
only templates that cannot be read in two ways: the body comes last, and behind an id or a time stands a
character that neither can hold. Without a signed time a captured delivery can be sent again for ever, and the
event id, itself signed or not, is the guard.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from functions.signatures.digests import MAX_SIGNATURES, from_base64, from_hex, match, seconds, text_key
from functions.signatures.verdict import Clock, Rejection, Verdict

ALGORITHMS = ("sha256", "sha384", "sha512")
_READERS = {"hex": from_hex, "base64": from_base64}
_KEY_ENCODINGS = ("text", "hex", "base64")
_HEADER = re.compile(r"[a-z0-9][a-z0-9-]{0,63}", re.ASCII)
_ID = re.compile(r"[A-Za-z0-9_-]{1,128}", re.ASCII)
_PARTS = re.compile(r"(\{[a-z]*\})")
_CLEAR_END = re.compile(r"[^A-Za-z0-9_{}-]", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class HmacRule:
    """How one sender signs. Headers in lower case.

    `header` holds the signatures: `prefix`, then one or several with `separator` between them, in `encoding` (hex
    or base64) by `algorithm`. `key_encoding` says how secrets are written: text, hex or base64. `signed` is what was
    signed, of {id} (from `id_header`), {timestamp} (seconds, from `timestamp_header`) and {body}.
    """

    header: str
    algorithm: str = "sha256"
    encoding: str = "hex"
    prefix: str = ""
    separator: str = ""
    key_encoding: str = "text"
    signed: str = "{body}"
    timestamp_header: str = ""
    id_header: str = ""


class GenericHmac:
    """Scheme `hmac`."""

    topic = "body:type"

    def __init__(self, rule: HmacRule) -> None:
        """Take the rule. Raises ValueError, naming the key at fault, when it is not sound."""
        self._rule = rule
        self._headers = {
            "{id}": _named_header("id_header", rule.id_header, "{id}" in rule.signed),
            "{timestamp}": _named_header("timestamp_header", rule.timestamp_header, "{timestamp}" in rule.signed),
        }
        _named_header("header", rule.header, True)
        for name, value, known in (
            ("algorithm", rule.algorithm, ALGORITHMS),
            ("encoding", rule.encoding, tuple(_READERS)),
            ("key_encoding", rule.key_encoding, _KEY_ENCODINGS),
        ):
            if value not in known:
                raise ValueError(f"hmac.{name}: use one of {', '.join(known)}")
        self._lead = _lead(rule.signed)
        self._read = _READERS[rule.encoding]
        self._size = hashlib.new(rule.algorithm).digest_size
        self.event_id = f"header:{rule.id_header}" if rule.id_header else "body:id"

    def key(self, secret: str) -> bytes:
        """Return the key as `key_encoding` writes it. Raises ValueError when it is empty or not so written."""
        key = text_key(secret)
        if self._rule.key_encoding == "text":
            return key
        try:
            return binascii.unhexlify(key) if self._rule.key_encoding == "hex" else base64.b64decode(key, validate=True)
        except (binascii.Error, ValueError):
            raise ValueError(f"is not {self._rule.key_encoding}") from None

    def verify(self, headers: Mapping[str, str], body: bytes, keys: Sequence[bytes], clock: Clock) -> Verdict:
        """Judge the headers that the rule names. Never raises."""
        listed = headers.get(self._rule.header)
        given = {part: headers.get(name) for part, name in self._headers.items() if name}
        if not listed or not all(given.values()):
            return Rejection.MISSING
        signatures = self._signatures(listed)
        time, message = given.get("{timestamp}"), given.get("{id}")
        timestamp = seconds(time) if time else None
        if not signatures or (time and timestamp is None) or (message and not _ID.fullmatch(message)):
            return Rejection.MALFORMED
        late = clock.judge(timestamp) if timestamp is not None else None
        if late is not None:
            return late
        lead = "".join((given.get(part) or "") if part in self._headers else part for part in self._lead)
        return match(lead.encode() + body, signatures, keys, self._rule.algorithm)

    def _signatures(self, listed: str) -> list[bytes]:
        if not listed.startswith(self._rule.prefix):
            return []
        entries = listed.split(self._rule.separator) if self._rule.separator else [listed]
        if len(entries) > MAX_SIGNATURES:
            return []
        read = (self._read(entry.removeprefix(self._rule.prefix), self._size) for entry in entries)
        return [signature for signature in read if signature is not None]


def _named_header(key: str, name: str, needed: bool) -> str:
    if needed and not _HEADER.fullmatch(name):
        raise ValueError(f"hmac.{key}: must name a header in lower case")
    if name and not needed:
        raise ValueError(f"hmac.{key}: is not part of what is signed")
    return name


def _lead(signed: str) -> list[str]:
    """Return the parts of the template before the body. Raises ValueError when it could be read in two ways."""
    parts = [part for part in _PARTS.split(signed) if part]
    placeholders = [part for part in parts if part.startswith("{")]
    if not parts or parts[-1] != "{body}" or sorted(placeholders) != sorted({*placeholders, "{body}"}):
        raise ValueError("hmac.signed: must end with {body}, and hold each part once")
    for part, behind in pairwise(parts):
        if part.startswith("{") and part not in {"{id}", "{timestamp}"}:
            raise ValueError("hmac.signed: knows {id}, {timestamp} and {body}")
        if part.startswith("{") and not _CLEAR_END.match(behind):
            raise ValueError("hmac.signed: a character that is neither letter, digit, _ nor - must stand behind {...}")
    return parts[:-1]
