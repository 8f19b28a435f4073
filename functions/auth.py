"""Who calls: bearer keys of API clients, whose they are and what they open; operators whom the gateway let through.

Settings hold only each key's SHA-256, so a leak of settings opens nothing. Several keys may be active for one
client, each with an end: that is how a key is changed without a moment in which none is accepted.
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar

from functions.problems import Forbidden, Unauthorized
from worker.contract.settings import Secret

BEARER, GATEWAY = "bearer", "gateway"
_LONGEST_HOLDER = 128
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


def operator_of(context: Any, shop: str) -> Caller:
    """Return the operator whom API Gateway let through, by its account of the request (never by a header).

    The name is the principal's, without that of its session, which is often a person's address. Raises Forbidden
    when no authorizer of the gateway has seen the request.
    """
    authorizer = context.get("authorizer") if isinstance(context, Mapping) else None
    verified = authorizer if isinstance(authorizer, Mapping) else {}
    iam, jwt = verified.get("iam"), verified.get("jwt")
    if isinstance(iam, Mapping) and isinstance(iam.get("userArn"), str):
        kind, _, name = iam["userArn"].rpartition(":")[2].partition("/")
        return Caller(f"{kind}/{name.partition('/')[0]}"[:_LONGEST_HOLDER], (shop,))
    claims = jwt.get("claims") if isinstance(jwt, Mapping) else None
    if isinstance(claims, Mapping) and isinstance(claims.get("sub"), str) and claims["sub"]:
        return Caller(f"operator/{claims['sub']}"[:_LONGEST_HOLDER], (shop,))
    raise Forbidden("operators come through the gateway, which must know them")


def _ended(key: BearerKey) -> bool:
    return key.not_after is not None and datetime.now(UTC) >= key.not_after
