"""Idempotency-Key: the name a client gives to a request, so that sending it again does nothing new.

There is no store of keys here: a key becomes part of the id of what the request starts, and Temporal keeps the
first answer with it. Where a request names its thing itself (`order_id`, `user_id`, a window), that is the key.
The header may be quoted, as its draft standard wants, or bare, as everybody sends it.
"""

import hashlib

from flask import Request

from functions.problems import Malformed
from worker.contract.ids import is_valid_part

HEADER = "Idempotency-Key"


def idempotency_key(request: Request) -> str:
    """Return the request's key, or "" without one. Raises Malformed for one that cannot be used."""
    given = request.headers.get(HEADER)
    if given is None:
        return ""
    given = given.strip()
    if len(given) > 1 and given[0] == given[-1] == '"':
        given = given[1:-1]
    if not is_valid_part(given):
        raise Malformed(f"the {HEADER} must be 1 to 128 of A-Z a-z 0-9 . _ : # @ + -")
    return given


def id_from_key(holder: str, key: str) -> str:
    """Return the id of a thing that has none but its request's key; another holder's same key is another id."""
    return f"key-{hashlib.sha256(f'{holder}/{key}'.encode()).hexdigest()[:32]}" if key else ""
