"""Payloads sealed on their way out and opened on their way in; how, is `worker.contract.sealing`'s."""

from collections.abc import Sequence

from temporalio.api.common.v1 import Payload
from temporalio.converter import PayloadCodec

from worker.contract.encryption import EncryptionConfig
from worker.contract.sealing import BrokenSealError, KeyRing, is_sealed, key_id_of, sealed


class SealingCodec(PayloadCodec):
    """The codec of the functions: they know no user's own key, and need none."""

    def __init__(self, config: EncryptionConfig) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 - 20 ms of a cold start

        self._ring = KeyRing(config.secrets(), AESGCM)
        self._sealing = config.sealing
        self._accept_clear = config.accept_clear

    def seal(self, place: Payload) -> None:
        """Put what is sent for `place` in its place."""
        if not self._sealing:
            return
        found = sealed(self._ring.current, place.SerializeToString())
        metadata = place.metadata
        for name, value in found.metadata.items():
            metadata[name] = value
        place.data = found.data

    def sealed(self, plain: Payload) -> Payload:
        """Return what is sent for `plain`."""
        sent = Payload()
        sent.CopyFrom(plain)
        self.seal(sent)
        return sent

    def opened(self, payload: Payload) -> Payload:
        """Return what was meant by `payload`. Raises SealError."""
        if is_sealed(payload.metadata):
            return Payload.FromString(self._ring[key_id_of(payload.metadata)].open(payload.data))
        if not self._accept_clear:
            raise BrokenSealError("a payload is in clear, and encryption.accept_clear is off")
        return payload

    # What the SDK calls, for everything but starts.

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Seal what the client sends."""
        return [self.sealed(payload) for payload in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Open what the client gets."""
        return [self.opened(payload) for payload in payloads]


def codec_of(config: EncryptionConfig) -> SealingCodec | None:
    """Return the codec that the settings ask for; None where there is no key."""
    return SealingCodec(config) if config.keys else None
