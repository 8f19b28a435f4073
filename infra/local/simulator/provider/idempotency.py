"""Idempotency keys: the first answer under a key is the only one, for 24 hours of simulated time.

The answer is written in the transaction of its effect, so there is never one without the other. A key that comes again
with other parameters is refused, one that comes again while the first call runs is a conflict.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import parse_qsl

from infra.local.simulator.clock import Clock
from infra.local.simulator.provider.errors import ProviderRefusal
from infra.local.simulator.store import Document, Store

COLLECTION = "idempotency_keys"
_KEPT_SECONDS = 24 * 3600
_LONGEST = 255


class Idempotency:
    """Remembers answers by key."""

    def __init__(self, store: Store, clock: Clock) -> None:
        """Share the simulator's store and clock. Calls under way are forgotten by a restart, as they ended with it."""
        self._store = store
        self._clock = clock
        self._under_way: set[str] = set()

    def recall(self, key: str, path: str, encoded: str) -> Document | None:
        """Return the remembered answer `{status, body, request_id}`, or None for a new key.

        Refuses (400 `idempotency_error`) a key that was used for another endpoint or with other parameters.
        """
        if len(key) > _LONGEST:
            raise ProviderRefusal(400, "idempotency_error", f"Idempotency keys have up to {_LONGEST} characters.")
        known = self._store.get(COLLECTION, key)
        if known is None or known["at"] + _KEPT_SECONDS <= self._clock.timestamp():
            return None
        if known["path"] != path:
            raise ProviderRefusal(
                400,
                "idempotency_error",
                "Keys for idempotent requests can only be used for the same endpoint they were first used for"
                f" ('{path}' vs '{known['path']}').",
            )
        if known["fingerprint"] != _fingerprint(encoded):
            raise ProviderRefusal(
                400,
                "idempotency_error",
                "Keys for idempotent requests can only be used with the same parameters they were first used with.",
            )
        return known

    def remember(self, key: str, path: str, encoded: str, answer: Document) -> None:
        """Keep an answer `{status, body, request_id}`; call it in the transaction of the effect."""
        fixed = {"path": path, "fingerprint": _fingerprint(encoded), "at": self._clock.timestamp()}
        self._store.put(COLLECTION, key, {**answer, **fixed})

    @contextmanager
    def claim(self, key: str) -> Iterator[None]:
        """Hold a key while its call runs; refused (409) when another call holds it."""
        if key in self._under_way:
            raise ProviderRefusal(
                409,
                "idempotency_error",
                "There is currently another in-progress request using this idempotency key.",
                code="idempotency_key_in_use",
            )
        self._under_way.add(key)
        try:
            yield
        finally:
            self._under_way.discard(key)


def _fingerprint(encoded: str) -> str:
    pairs = sorted(parse_qsl(encoded, keep_blank_values=True))
    return hashlib.sha256(repr(pairs).encode()).hexdigest()
