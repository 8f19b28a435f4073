"""Users' own keys: made when a user registers, looked up where payloads are sealed and opened, wrapped anew on rotation.

A key is 32 random bytes. The database keeps it sealed by a key of the settings, bound to its own id; neither the
database nor the settings alone opens what it sealed. Keys that were looked up are kept for a minute: that is how long
another process may still read a user who was erased.
"""

import base64
import os
import time
from collections.abc import Callable
from datetime import datetime

from worker.contract.sealing import KEY_BYTES, CipherOf, Key, KeyRing, UnknownKeyError
from worker.domain.errors import Erased
from worker.domain.user import USERS_KEY
from worker.services.ports import Database, Transaction
from worker.services.ports.users import StoredKey

KEPT_SECONDS = 60.0
_MOST_KEPT = 10_000
_PAGE = 200


class UserKeys:
    """The keys of all users. `ring` wraps them; `cipher` is what they seal with."""

    def __init__(
        self, database: Database, ring: KeyRing, cipher: CipherOf, *, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._database = database
        self._ring = ring
        self._cipher = cipher
        self._now = now
        self._kept: dict[str, tuple[Key, float]] = {}

    def make(self, tx: Transaction, user_id: str, at: datetime) -> None:
        """Give a user a key, once; a user who was erased gets no other."""
        key_id = USERS_KEY + os.urandom(12).hex()
        wrapped = self._wrapped(key_id, os.urandom(KEY_BYTES))
        key = StoredKey(key_id=key_id, user_id=user_id, wrapped=wrapped, wrapped_with=self._ring.current.id)
        tx.user_keys.add(key, at)

    def of_user(self, user_id: str) -> Key | None:
        """Return the key of a user, None for one who has none (yet, or any more). Raises DatabaseUnavailable."""
        name = f"user/{user_id}"
        recent = self._recent(name)
        if recent is not None:
            return recent
        stored = self._database.transact(lambda tx: tx.user_keys.of_user(user_id))
        # An id that was erased may be registered again, which ends at once: that is said under the settings' key.
        return self._opened(stored, name) if stored is not None and not stored.dropped else None

    def by_id(self, key_id: str) -> Key:
        """Return a key by its id. Raises Erased, UnknownKeyError, DatabaseUnavailable."""
        recent = self._recent(key_id)
        if recent is not None:
            return recent
        stored = self._database.transact(lambda tx: tx.user_keys.by_id(key_id))
        if stored is None:
            raise UnknownKeyError(key_id)
        if stored.dropped:
            raise Erased(f"user {stored.user_id} was erased: what the key {key_id} sealed cannot be read any more")
        return self._opened(stored, key_id)

    def wrap_anew(self) -> int:
        """Wrap by the current key of the settings what another one wraps; return how many. Before one is given up."""
        done = 0
        while True:
            keys = self._database.transact(lambda tx: tx.user_keys.wrapped_otherwise(self._ring.current.id, _PAGE))
            if not keys:
                return done
            anew = [(key.key_id, self._wrapped(key.key_id, self._unwrapped(key))) for key in keys]

            def work(tx: Transaction, anew: list[tuple[str, str]] = anew) -> None:
                for key_id, wrapped in anew:
                    tx.user_keys.wrap(key_id, wrapped, self._ring.current.id)

            self._database.transact(work)
            done += len(anew)

    def _opened(self, stored: StoredKey, name: str) -> Key:
        key = Key(stored.key_id, self._unwrapped(stored), self._cipher)
        if len(self._kept) >= _MOST_KEPT:
            self._kept.clear()
        self._kept[name] = (key, self._now() + KEPT_SECONDS)
        return key

    def _recent(self, name: str) -> Key | None:
        key, until = self._kept.get(name, (None, 0.0))
        return key if self._now() < until else None

    def _wrapped(self, key_id: str, secret: bytes) -> str:
        return base64.b64encode(self._ring.current.seal(secret, key_id.encode())).decode()

    def _unwrapped(self, stored: StoredKey) -> bytes:
        return self._ring[stored.wrapped_with].open(base64.b64decode(stored.wrapped), stored.key_id.encode())
