"""How payloads are sealed: compressed where it helps, encrypted and authenticated with AES-256-GCM, under a named key.

    data = form (1 byte) | salt (16) | nonce (12) | AES-GCM(HMAC-SHA256(root, salt), nonce, how (1) + content)

Messages are sealed with keys drawn from the root by a random salt, each for SALT_LASTS messages of one process, so there
is no number of messages after which a root is worn out (random nonces under one AES-GCM key are, after some four thousand
million). The key's id stands beside the data in clear and is authenticated with it, as is what the message is about.
Whether the content is compressed stands inside. A message is not bound to its place: Temporal itself copies payloads from
a schedule to a run, from run to run.

The one implementation for both deployables. The cipher itself is handed in, so that this stays plain Python.
"""

import hmac
import os
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

ENCODING = b"binary/encrypted"
"""What a sealed payload calls itself, as Temporal's own samples do."""
KEY_ID = "encryption-key-id"
"""Metadata of a sealed payload: the id of its key."""
KEY_BYTES = 32
SALT_LASTS = 4096
"""Messages: few enough for random nonces, and enough that drawing a key costs nothing of one."""
LARGEST = 8 * 1024 * 1024
"""Bytes of content that are compressed, and that a compressed message may grow to: four times what a server takes."""

_FORM = b"\x01"
_SALT = 16
_NONCE = 12
_HEAD = len(_FORM) + _SALT + _NONCE
_AS_IT_IS, _DEFLATED = b"\x00", b"\x01"
_WORTH_A_TRY = 512
"""Bytes below which deflating costs more than it saves."""


class SealError(Exception):
    """A message cannot be opened, or sealed. Says which key it names, and nothing of its content."""


class UnknownKeyError(SealError):
    """A message names a key that is not here."""

    def __init__(self, key_id: str) -> None:
        super().__init__(
            f"sealed with the key {key_id!r}, which is not among encryption.keys: give it back (last in the list) until"
            " nothing needs it"
        )
        self.key_id = key_id


class BrokenSealError(SealError):
    """A message is not what was sealed, or is no sealed message at all."""


class Cipher(Protocol):
    """AES-GCM with one key, as `cryptography` has it."""

    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None) -> bytes:
        """Return the encrypted data and its tag."""
        ...

    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None) -> bytes:
        """Return the data; raises when anything of it is not as it was."""
        ...


CipherOf = Callable[[bytes], Cipher]


class Key:
    """One key and its id. `purpose` keeps uses of the same secret apart: what one seals no other opens."""

    def __init__(self, key_id: str, secret: bytes, cipher: CipherOf, *, purpose: str = "payload") -> None:
        if len(secret) != KEY_BYTES:
            raise ValueError(f"the key {key_id!r} must have {KEY_BYTES} bytes")
        self.id = key_id
        self._cipher = cipher
        self._root = hmac.digest(secret, b"orders/" + purpose.encode(), "sha256")
        self._about = b"\x00".join((ENCODING, purpose.encode(), key_id.encode(), b""))
        self._salt, self._left = b"", 0
        # Those who read meet the same few salts again and again.
        self._drawn = lru_cache(maxsize=64)(self._draw)

    def __repr__(self) -> str:
        return f"Key({self.id!r}, ***)"

    def seal(self, content: bytes, about: bytes = b"") -> bytes:
        """Return `content` sealed; it opens only together with the same `about`."""
        if not self._left:
            self._salt, self._left = os.urandom(_SALT), SALT_LASTS
        self._left -= 1
        head = _FORM + self._salt + os.urandom(_NONCE)
        return head + self._of(head).encrypt(head[-_NONCE:], _packed(content), self._bound(head, about))

    def open(self, data: bytes, about: bytes = b"") -> bytes:
        """Return what was sealed. Raises BrokenSealError for anything else."""
        head = data[:_HEAD]
        if len(data) <= _HEAD or not head.startswith(_FORM):
            raise BrokenSealError(f"no message sealed by us (it names the key {self.id!r})")
        try:
            content = self._of(head).decrypt(head[-_NONCE:], data[_HEAD:], self._bound(head, about))
        except Exception:  # of the cipher's library, which this module does not know
            raise BrokenSealError(
                f"a message was changed, or sealed with another key that is called {self.id!r} too"
            ) from None
        return _unpacked(content)

    def _of(self, head: bytes) -> Cipher:
        return self._drawn(head[len(_FORM) : -_NONCE])

    def _draw(self, salt: bytes) -> Cipher:
        return self._cipher(hmac.digest(self._root, salt, "sha256"))

    def _bound(self, head: bytes, about: bytes) -> bytes:
        return head[: len(_FORM)] + self._about + about


@dataclass(frozen=True, slots=True)
class Sealed:
    """A sealed payload: metadata in clear, authenticated, and data."""

    metadata: dict[str, bytes]
    data: bytes


class KeyRing:
    """The keys of one purpose. The first one seals; all of them open, so that keys can follow one another."""

    def __init__(self, keys: Iterable[tuple[str, bytes]], cipher: CipherOf, *, purpose: str = "payload") -> None:
        self._keys = {key_id: Key(key_id, secret, cipher, purpose=purpose) for key_id, secret in keys}
        if not self._keys:
            raise ValueError("a key ring needs a key")
        self.current = next(iter(self._keys.values()))

    def __getitem__(self, key_id: str) -> Key:
        """Return a key by its id. Raises UnknownKeyError."""
        try:
            return self._keys[key_id]
        except KeyError:
            raise UnknownKeyError(key_id) from None

    def __contains__(self, key_id: str) -> bool:
        return key_id in self._keys


def is_sealed(metadata: Mapping[str, bytes]) -> bool:
    """Tell a sealed payload by its metadata."""
    return metadata.get("encoding") == ENCODING


def key_id_of(metadata: Mapping[str, bytes]) -> str:
    """Return the id of the key that a sealed payload names. Raises BrokenSealError."""
    named = metadata.get(KEY_ID, b"").decode("ascii", "replace")
    if not named:
        raise BrokenSealError("a sealed payload names no key")
    return named


def sealed(key: Key, content: bytes) -> Sealed:
    """Seal a whole payload (its own metadata included) as the content of another."""
    return Sealed({"encoding": ENCODING, KEY_ID: key.id.encode()}, key.seal(content))


def _packed(content: bytes) -> bytes:
    # What somebody outside wrote and what is secret share a message here (a webhook's body), which is where compressing
    # could tell of the secret by its length; whoever could ask often enough would need to read our histories as well.
    if _WORTH_A_TRY <= len(content) <= LARGEST:
        deflated = zlib.compress(content, 1)
        if len(deflated) < len(content) * 7 // 8:
            return _DEFLATED + deflated
    return _AS_IT_IS + content


def _unpacked(content: bytes) -> bytes:
    how, rest = content[:1], content[1:]
    if how == _AS_IT_IS:
        return rest
    if how != _DEFLATED:
        raise BrokenSealError("a message was packed in a way that this release does not know")
    inflating = zlib.decompressobj()
    try:
        inflated = inflating.decompress(rest, LARGEST)
    except zlib.error:
        raise BrokenSealError("a message was packed wrongly") from None
    if not inflating.eof:
        raise BrokenSealError(f"a message is larger than {LARGEST} bytes, or cut off")
    return inflated
