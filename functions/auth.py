"""Bearer keys of API clients. Settings hold only each key's SHA-256, so a leak of settings opens nothing."""

import hashlib
import hmac
from collections.abc import Mapping

from functions.problems import Unauthorized
from worker.contract.settings import Secret

_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="orders"'}


class BearerKeys:
    """The accepted keys, by the name of their holder."""

    def __init__(self, digests: Mapping[str, Secret]) -> None:
        self._digests = {holder: digest.reveal().encode("ascii") for holder, digest in digests.items()}

    def holder(self, authorization: str | None) -> str:
        """Return whose key the Authorization header carries. Raises Unauthorized for anything else.

        Every digest is compared, in constant time, whether or not one matched already.
        """
        scheme, _, key = (authorization or "").partition(" ")
        digest = hashlib.sha256(key.strip().encode("utf-8", "surrogatepass")).hexdigest().encode("ascii")
        holders = [holder for holder, accepted in self._digests.items() if hmac.compare_digest(accepted, digest)]
        if scheme.lower() != "bearer" or not holders:
            raise Unauthorized("a valid key is needed: Authorization: Bearer <key>", headers=_CHALLENGE)
        return holders[0]
