"""Bearer keys of API clients: whose a key is, and what it opens.

Settings hold only each key's SHA-256, so a leak of settings opens nothing. Several keys may be active for one
client, each with an end: that is how a key is changed without a moment in which none is accepted.
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar

from functions.problems import Forbidden, Unauthorized
from worker.contract.settings import Secret

_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="orders"'}


@dataclass(frozen=True, slots=True, kw_only=True)
class BearerKey:
    """One accepted key: its digest as plain text, or a table when it does not open everything.

    `shops` are those it may act for, the first where a request names none (none: the API's own shop); `functions`
    are those it may call (none: all); from `not_after` on it is refused.
    """

    SHORTHAND: ClassVar[str] = "sha256"

    sha256: Secret
    shops: tuple[str, ...] = ()
    functions: tuple[str, ...] = ()
    not_after: datetime | None = None


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sent the request, and the shops they may act for, the usual one first."""

    holder: str
    shops: tuple[str, ...]

    def acts_for(self, shop: str) -> None:
        """Raise Forbidden unless the caller may act for this shop."""
        if shop not in self.shops:
            raise Forbidden("this key does not act for this shop")


class BearerKeys:
    """The accepted keys, by the name of their holder. `shop` is the shop of keys that name none."""

    def __init__(self, keys: Mapping[str, BearerKey], shop: str) -> None:
        self._keys = {holder: (key.sha256.reveal().encode("ascii"), key) for holder, key in keys.items()}
        self._shop = shop

    def caller(self, authorization: str | None, function: str) -> Caller:
        """Return whose key the Authorization header carries.

        Raises Unauthorized for anything but an accepted key, Forbidden when it does not open this function. Every
        digest is compared, in constant time, whether or not one matched already.
        """
        scheme, _, key = (authorization or "").partition(" ")
        digest = hashlib.sha256(key.strip().encode("utf-8", "surrogatepass")).hexdigest().encode("ascii")
        found = [holder for holder, (accepted, _) in self._keys.items() if hmac.compare_digest(accepted, digest)]
        valid = [(holder, self._keys[holder][1]) for holder in found if not _ended(self._keys[holder][1])]
        if scheme.lower() != "bearer" or not valid:
            raise Unauthorized("a valid key is needed: Authorization: Bearer <key>", headers=_CHALLENGE)
        holder, known = valid[0]
        if known.functions and function not in known.functions:
            raise Forbidden("this key does not open this")
        return Caller(holder, known.shops or (self._shop,))


def _ended(key: BearerKey) -> bool:
    return key.not_after is not None and datetime.now(UTC) >= key.not_after
