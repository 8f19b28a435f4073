"""Request bodies: raw bytes within a limit, and strict JSON.

The stream is read here and not through the framework, which cuts a chunked body at the limit without saying
so, and returns what it got when the sender hangs up early; both must be errors, never a shorter request.
Strict JSON means UTF-8 without a byte order mark, no NaN, no name twice in one object, bounded depth and digits:
what remains reads the same in every parser.
"""

import json
import math
import re
from functools import lru_cache
from typing import Any, BinaryIO, NoReturn

from flask import Request
from werkzeug.http import parse_options_header

from functions.problems import Malformed, TooLarge, UnsupportedMedia
from worker.contract.ids import fingerprint

MAX_DEPTH = 64
_STEP = 65536
_JSON_TYPE = re.compile(r"application/(?:[a-z0-9.-]+\+)?json", re.ASCII)


def raw_body(request: Request, limit: int) -> bytes:
    """Return the body exactly as sent.

    Raises TooLarge above `limit` bytes in either framing, UnsupportedMedia for an encoded (compressed) body,
    Malformed when the sender stopped before its announced end; how long it may take is the server's business.
    """
    environ = request.environ
    if environ.get("HTTP_CONTENT_ENCODING", "identity").strip().lower() != "identity":
        raise UnsupportedMedia("send the body without Content-Encoding")
    stream: BinaryIO = environ["wsgi.input"]
    announced = request.content_length
    if announced is not None:
        if announced > limit:
            raise TooLarge(f"the body may have at most {limit} bytes")
        body = _read(stream, announced)
        if len(body) < announced:
            raise Malformed("the body ended before its announced length")
        return body
    if not environ.get("wsgi.input_terminated"):
        return b""  # neither a length nor chunks: there is no body (RFC 9112, section 6.3)
    body = _read(stream, limit + 1)
    if len(body) > limit:
        raise TooLarge(f"the body may have at most {limit} bytes")
    return body


def json_object(request: Request, body: bytes) -> dict[str, Any]:
    """Return `body` as a JSON object.

    Raises UnsupportedMedia unless the content type is JSON, Malformed for everything that is not a strict
    JSON object. No message repeats any of the body.
    """
    require_json_type(request)
    value = parse_json(body)
    if not isinstance(value, dict):
        raise Malformed("the body must be a JSON object")
    return value


def require_json_type(request: Request) -> None:
    """Raise UnsupportedMedia unless the request says that its body is JSON in UTF-8."""
    if not _is_json(request.environ.get("CONTENT_TYPE", "")):
        raise UnsupportedMedia("the body must be application/json in UTF-8")


@lru_cache(maxsize=64)
def _is_json(content_type: str) -> bool:
    mimetype, options = parse_options_header(content_type)
    charset = options.get("charset", "utf-8").lower()
    return bool(_JSON_TYPE.fullmatch(mimetype.lower())) and charset in {"utf-8", "utf8"}


def parse_json(body: bytes) -> Any:
    """Read strict JSON. Raises Malformed."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        raise Malformed("the body is not UTF-8") from None
    try:
        value = _STRICT.decode(text)
    except RecursionError:
        raise Malformed("the JSON is nested too deeply") from None
    except ValueError:
        raise Malformed("the body is not valid JSON") from None
    # Each level begins with a bracket: most bodies have not enough of them to be worth a walk.
    if body.count(b"{") + body.count(b"[") > MAX_DEPTH and _deeper_than(value, MAX_DEPTH):
        raise Malformed("the JSON is nested too deeply")
    return value


def request_fingerprint(body: dict[str, Any]) -> str:
    """Return the fingerprint of a request: equal for the same JSON value, however it was laid out."""
    return fingerprint(json.dumps(body, sort_keys=True, separators=(",", ":")).encode())


def _read(stream: BinaryIO, size: int) -> bytes:
    parts: list[bytes] = []
    missing = size
    while missing > 0:
        try:
            part = stream.read(min(_STEP, missing))
        except Exception:
            # The server's own errors (bad chunk, connection gone) have no common base we could import here.
            raise Malformed("the body could not be read to its end") from None
        if not part:
            break
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)


def _refuse(_constant: str) -> NoReturn:
    raise ValueError("not JSON")


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError("too large")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    built = dict(pairs)
    if len(built) != len(pairs):
        raise ValueError("a name stands twice")
    return built


def _deeper_than(value: Any, limit: int) -> bool:
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(limit):
        if not level:
            return False
        level = [
            child
            for container in level
            for child in (container.values() if isinstance(container, dict) else container)
            if isinstance(child, dict | list)
        ]
    return bool(level)


_STRICT = json.JSONDecoder(parse_constant=_refuse, parse_float=_finite, object_pairs_hook=_unique)
