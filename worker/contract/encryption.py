"""Whether payloads are sealed, and with which keys, as settings tell it: the same for both deployables."""

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass

from worker.contract.sealing import KEY_BYTES
from worker.contract.settings import Secret

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}")
"""Without the dot, which leads the ids of users' keys."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SealingKey:
    """One key: 32 random bytes as base64, and the id by which payloads name it."""

    id: str
    key: Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class EncryptionConfig:
    """Encryption of payloads; see settings.toml. The first of `keys` seals, all of them open."""

    enabled: bool
    accept_clear: bool
    keys: tuple[SealingKey, ...]

    @property
    def sealing(self) -> bool:
        """Whether what is sent is sealed."""
        return self.enabled and bool(self.keys)

    def secrets(self) -> list[tuple[str, bytes]]:
        """Return ids and bytes of the keys, in their order. Assumes no `problems_of`."""
        return [(key.id, decoded(key.key.reveal())) for key in self.keys]


def problems_of(config: EncryptionConfig, *, environment: str) -> list[str]:
    """Return what is wrong with the settings of encryption; empty when they are sound. Shows no key."""
    problems = [problem for index, key in enumerate(config.keys) for problem in _key_problems(index, key)]
    ids = [key.id for key in config.keys]
    problems.extend(f"encryption.keys: the id {name!r} stands twice" for name in sorted(_twice(ids)))
    if config.enabled and not config.keys and environment != "local":
        problems.append(
            "encryption.keys: there is no key, and payloads would stand in Temporal's histories for everyone who reads"
            " them: set ORDERS_ENCRYPTION__KEYS (`orders keys add` makes one), or say encryption.enabled = false"
        )
    if not config.accept_clear and not config.sealing:
        problems.append("encryption.accept_clear: cannot be false while payloads are sent in clear")
    return problems


def decoded(text: str) -> bytes:
    """Return the bytes of a key's text. Raises ValueError when it is no base64 of 32 bytes."""
    try:
        found = base64.b64decode(text, validate=True)
    except binascii.Error:
        found = b""
    if len(found) != KEY_BYTES:
        raise ValueError(f"is no base64 of {KEY_BYTES} bytes")
    return found


def _key_problems(index: int, key: SealingKey) -> list[str]:
    problems = []
    if not _ID.fullmatch(key.id):
        problems.append(f"encryption.keys[{index}].id: use 1 to 32 letters, digits, - and _")
    try:
        decoded(key.key.reveal())
    except ValueError as error:
        problems.append(f"encryption.keys[{index}].key: {error}")
    return problems


def _twice(names: Sequence[str]) -> set[str]:
    return {name for name in names if names.count(name) > 1}
