"""What the functions answer on success: one JSON object, with the caller's place in idempotency."""

import json
from collections.abc import Mapping

from flask import Response

from functions.access_log import note
from functions.bare_flask import Reply
from functions.problems import Conflict
from functions.temporal import Started


def reply(status: int, body: Mapping[str, object]) -> Response:
    """Return a JSON answer."""
    note(outcome=body.get("status"))
    return Reply(json.dumps(body), status, content_type="application/json")


def started_reply(started: Started, fingerprint: str, **body: object) -> Response:
    """Answer a start: 202 accepted for a new run, 200 duplicate for the same request again.

    Raises Conflict for another request under the same id, and when what exists under it was started by
    something else and so cannot be compared: the caller must not take it for its own.
    """
    if not started.duplicate:
        return reply(202, {**body, "status": "accepted"})
    if started.existing_fingerprint != fingerprint:
        raise Conflict("this id was used before, for another request")
    return reply(200, {**body, "status": "duplicate"})
