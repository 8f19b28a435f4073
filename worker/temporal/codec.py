"""What the worker and its command line seal and open: every payload with the ring's key, a user's with the user's own.

Input, results, memo, summaries, heartbeats and the texts of failures are payloads and are sealed. Search attributes
cannot be (the server sorts and finds by them), nor can ids, names of types and queues, times, and headers, which hold
a trace's id only: none of these may carry personal data.

What the worker tells a user's activities, and they it, is sealed with that user's own key once there is one: with the key
dropped there is nothing to read, in no copy of a history. What a user's workflow is told and answers is not: the
functions write and read that, who have no database and so no user's key. What then becomes of the start, which has the
address, says `services/erasure.py`.

Runs in the worker's own event loop, outside the sandbox; looking up a user's key goes to a thread.
"""

import asyncio
import copy
import dataclasses
from collections.abc import Sequence
from typing import Protocol, Self

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from temporalio.api.common.v1 import Payload
from temporalio.converter import (
    ActivitySerializationContext,
    DataConverter,
    DefaultFailureConverterWithEncodedAttributes,
    PayloadCodec,
    SerializationContext,
    WithSerializationContext,
)
from temporalio.exceptions import ApplicationError

from worker.contract.encryption import EncryptionConfig
from worker.contract.ids import user_of
from worker.contract.sealing import BrokenSealError, Key, KeyRing, SealError, is_sealed, key_id_of, sealed
from worker.domain.errors import Erased
from worker.domain.user import is_users_key

CIPHER = AESGCM

USER_KEYS = "user key"
"""Purpose of the keys derived from the ring's secrets under which users' own keys are kept."""


class UserKeys(Protocol):
    """Where users' own keys are. Both may wait for the database."""

    def of_user(self, user_id: str) -> Key | None:
        """Return the key of a user; None when there is none, or none any more."""
        ...

    def by_id(self, key_id: str) -> Key:
        """Return a user's key by its id. Raises UnknownKeyError, and Erased once it was dropped."""
        ...


class SealingCodec(PayloadCodec, WithSerializationContext):
    """Seals and opens; bound by `with_context` to what the payloads belong to, as the SDK does."""

    def __init__(self, config: EncryptionConfig, user_keys: UserKeys | None = None) -> None:
        self._config = config
        self._ring = KeyRing(config.secrets(), AESGCM)
        self._user_keys = user_keys
        self._user: str | None = None

    def with_context(self, context: SerializationContext) -> Self:
        """Return the codec for the payloads of one activity, or of whatever else it is."""
        user = None
        if isinstance(context, ActivitySerializationContext) and context.workflow_id and self._user_keys is not None:
            user = user_of(context.workflow_id)
        if user == self._user:
            return self
        bound = copy.copy(self)
        bound._user = user  # noqa: SLF001 - one of our own
        return bound

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Seal what is sent."""
        if not self._config.sealing or not payloads:
            return list(payloads)
        key = await self._sealing_key()
        return [_sealed(key, payload) for payload in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Open what was received. Raises SealError, and a failure for good when it is a user's who was erased."""
        return [await self._opened(payload) for payload in payloads]

    async def _sealing_key(self) -> Key:
        own = None
        if self._user is not None and self._user_keys is not None:
            own = await asyncio.to_thread(self._user_keys.of_user, self._user)
        return own or self._ring.current

    async def _opened(self, payload: Payload) -> Payload:
        if not is_sealed(payload.metadata):
            if self._config.accept_clear:
                return payload
            raise BrokenSealError("a payload is in clear, and encryption.accept_clear is off")
        key_id = key_id_of(payload.metadata)
        key = await self._users(key_id) if is_users_key(key_id) else self._ring[key_id]
        return Payload.FromString(key.open(payload.data))

    async def _users(self, key_id: str) -> Key:
        if self._user_keys is None:
            raise SealError(
                f"sealed with {key_id!r}, a user's own key, which is in the database: this process has none"
            )
        try:
            return await asyncio.to_thread(self._user_keys.by_id, key_id)
        except Erased as error:
            # For good: whatever needs it is not to be tried again.
            raise ApplicationError(str(error), type=error.code, non_retryable=True) from None


def converter_of(config: EncryptionConfig, user_keys: UserKeys | None = None) -> DataConverter:
    """Return the converter of a client: sealing and opening as the settings say, or the SDK's own without any key."""
    if not config.keys:
        return DataConverter.default
    return dataclasses.replace(
        DataConverter.default,
        payload_codec=SealingCodec(config, user_keys),
        # A failure's message and traceback become a payload. Without sealing they stay where people read them.
        failure_converter_class=DefaultFailureConverterWithEncodedAttributes
        if config.sealing
        else DataConverter.default.failure_converter_class,
    )


def keeping_ring(config: EncryptionConfig) -> KeyRing | None:
    """Return the ring under which users' own keys are kept in the database; None where nothing is sealed."""
    return KeyRing(config.secrets(), AESGCM, purpose=USER_KEYS) if config.keys else None


def _sealed(key: Key, plain: Payload) -> Payload:
    found = sealed(key, plain.SerializeToString())
    return Payload(metadata=found.metadata, data=found.data)
