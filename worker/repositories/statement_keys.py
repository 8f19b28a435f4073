"""By which key a shop's statement file is stored: one file may serve several shops on one provider account.

The first shop's file has its SHA-256 as its key, as every file of earlier releases has; that of any further shop, which
such a release would refuse, has a digest of shop and SHA-256. So a release that knows nothing of it meets no file twice.
"""

import hashlib

from sqlalchemy import Connection, bindparam, select

from worker.repositories.schema import STATEMENT_FILES

_FILES = STATEMENT_FILES.c
_KEY = select(_FILES.sha256).where(_FILES.sha256.in_(bindparam("keys", expanding=True)), _FILES.shop == bindparam("of"))


def keys_of(shop: str, sha256: str) -> tuple[str, str]:
    """Return the two keys that a shop's file may have: its own digest, or one of shop and digest."""
    return sha256, hashlib.sha256(f"{shop}\n{sha256}".encode()).hexdigest()


def key_of(connection: Connection, shop: str, sha256: str) -> str:
    """Return the key of a shop's file; empty, which is no file's, where the shop has none of this SHA-256."""
    asked = {"keys": keys_of(shop, sha256), "of": shop}
    return connection.execute(_KEY, asked).scalar_one_or_none() or ""
