"""Problem documents (RFC 9457): the one shape of every error the functions answer.

`code` is stable and made for programs, `detail` for people; neither repeats anything the caller sent. The
only 5xx is 503, which asks the sender to try again: senders count other 5xx, and 410 makes some of them
disable the endpoint for good, so both are never answered.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from werkzeug.http import HTTP_STATUS_CODES

CONTENT_TYPE = "application/problem+json"


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """What is wrong with one field of a request: `path` like `lines[0].quantity`, empty for the whole."""

    path: str
    problem: str


class Problem(Exception):
    """An answer other than success. Subclasses fix status and code."""

    status: ClassVar[int] = 400
    code: ClassVar[str] = "malformed"

    def __init__(
        self, detail: str, *, fields: Sequence[FieldProblem] = (), headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.fields = tuple(fields)
        self.headers = dict(headers or {})

    @property
    def title(self) -> str:
        """The status in words."""
        return HTTP_STATUS_CODES[self.status]

    def document(self, request_id: str) -> bytes:
        """Return the JSON text of the problem."""
        return document(self.status, self.code, self.detail, request_id, self.fields)


class Malformed(Problem):
    """The bytes are not a request we can read.

    Send plain JSON in UTF-8, whole, without names that stand twice.
    """


class Unauthorized(Problem):
    """No accepted key or signature.

    Send `Authorization: Bearer` with a key whose SHA-256 is in `api.keys` and which is not past its end.
    """

    status = 401
    code = "unauthorized"


class SignatureInvalid(Unauthorized):
    """A webhook whose signature was not believed; the reason stands in the log only.

    Compare the secret at the sender with ours, then both clocks: `orders webhooks send` signs a sample to try with.
    """

    code = "signature_invalid"


class Forbidden(Problem):
    """Known or not, the caller may not do this.

    Use a key that opens this function and acts for this shop, or come through the gateway.
    """

    status = 403
    code = "forbidden"


class AddressRefused(Forbidden):
    """A delivery from an address that the source's networks do not hold.

    Add the sender's network to the source's `networks`, if it is the sender's.
    """

    code = "address_refused"


class NotFound(Problem):
    """There is no such thing.

    Check path and id; an order is there once its start was answered with 2xx.
    """

    status = 404
    code = "not_found"


class MethodNotAllowed(Problem):
    """The route exists, with other methods.

    Use a method that the header Allow names.
    """

    status = 405
    code = "method_not_allowed"


class Conflict(Problem):
    """The thing exists in another shape, or its state forbids the step.

    Read the detail: use another id for another thing, or take the state as it is.
    """

    status = 409
    code = "conflict"


class Ended(Conflict):
    """The thing's process is over: it cannot be changed any more.

    Nothing: a refund is still taken after the end, a cancellation is not.
    """


class TooLarge(Problem):
    """The body is larger than this API takes.

    Send less, or raise `api.max_body_bytes` (for a source its own `max_body_bytes`).
    """

    status = 413
    code = "too_large"


class TargetTooLong(Problem):
    """The path and query are longer than this API takes.

    Send a shorter path and query.
    """

    status = 414
    code = "target_too_long"


class HeadersTooLarge(Problem):
    """The headers are more or longer than this API takes.

    Send fewer and shorter headers.
    """

    status = 431
    code = "headers_too_large"


class UnsupportedMedia(Problem):
    """The body is not plain JSON.

    Send `Content-Type: application/json`, uncompressed.
    """

    status = 415
    code = "unsupported_media_type"


class Unprocessable(Problem):
    """The JSON can be read but breaks the schema; `fields` lists every problem.

    Correct the fields that `errors` names and send it anew.
    """

    status = 422
    code = "invalid"


class RateLimited(Problem):
    """More than the rate allows: nothing was recorded, send it again after Retry-After seconds.

    Wait as long as Retry-After says and send it again; raise the source's `rate` (of mails: `resend_pause_seconds`) if
    that is normal.
    """

    status = 429
    code = "rate_limited"

    def __init__(self, detail: str, *, retry_after_seconds: int) -> None:
        super().__init__(detail, headers={"Retry-After": str(retry_after_seconds)})


class Unavailable(Problem):
    """Not now: nothing is known to have been recorded, send it again.

    Wait as long as Retry-After says and send it again: nothing is lost.
    """

    status = 503
    code = "unavailable"

    def __init__(self, detail: str, *, retry_after_seconds: int = 1) -> None:
        super().__init__(detail, headers={"Retry-After": str(retry_after_seconds)})


class Overloaded(Unavailable):
    """More requests are under way than this process takes.

    The same. If it stays, add processes; `api.max_in_flight` is how many requests one takes.
    """

    code = "overloaded"


class TemporalUnavailable(Unavailable):
    """The Temporal server did not record the request within the deadline, or a worker of an older release has the order.

    The same. Operators look whether Temporal answers at `temporal.address` and the credentials are valid.
    """

    code = "temporal_unavailable"


class InternalError(Unavailable):
    """A defect of ours. Told as 503, so that the sender tries again and nothing is lost.

    The same. Operators look into the log, by the answer's `request_id`: this is a bug of ours.
    """

    code = "internal"


def document(status: int, code: str, detail: str, request_id: str, fields: Sequence[FieldProblem] = ()) -> bytes:
    """Return a problem document as JSON bytes."""
    body: dict[str, object] = {
        "type": f"urn:orders:problem:{code}",
        "title": HTTP_STATUS_CODES[status],
        "status": status,
        "code": code,
        "detail": detail,
        "request_id": request_id,
    }
    if fields:
        body["errors"] = [{"path": field.path, "problem": field.problem} for field in fields]
    return json.dumps(body).encode()
