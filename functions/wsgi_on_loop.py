"""The WSGI application as an ASGI one: each request in a greenlet, its body read from the loop as it comes.

The environment is the one that gunicorn's threads would have made, as far as anything here reads it; one suite of
tests holds for it, for Lambda and for both framings of a body. A sender that stalls holds a few kilobytes and no thread.
"""

import re
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

from functions import greenlets
from functions.access_log import Observer
from functions.refusals import Refusal, broken

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

_ORIGIN = re.compile(rb"^https?://[^/]*", re.IGNORECASE)
_OWN_NAMES = {"CONTENT_TYPE", "CONTENT_LENGTH"}


class OnLoop:
    """Serves `wsgi_app`, which waits for nothing but through functions.greenlets."""

    def __init__(self, wsgi_app: "WSGIApplication", observers: Sequence[Observer] = ()) -> None:
        self._app = wsgi_app
        self._observers = observers

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        """Serve one request. Raises ValueError for what is no HTTP request: the server closes the connection."""
        if scope["type"] != "http":
            raise ValueError("only HTTP is served here")
        try:
            answer = await greenlets.run(lambda: _called(self._app, environment_of(scope, receive)))
        except Exception as error:
            answer = _refused(broken(error, self._observers))  # gunicorn would log its words, which may be the caller's
        await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
        await send({"type": "http.response.body", "body": answer.body})


class _Answer:
    """What the application answers, as ASGI writes it."""

    status = 500
    headers: "list[tuple[bytes, bytes]]"
    body = b""

    def start(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], object]:  # noqa: ARG002
        """Take status and headers, as `start_response` does."""
        self.status = int(status[:3])
        self.headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        return self.write

    def write(self, part: bytes) -> None:
        """Take a part of the body."""
        self.body += part


def _refused(refusal: Refusal) -> _Answer:
    answer = _Answer()
    answer.start(str(refusal.problem.status), list(refusal.headers.items()))
    answer.write(refusal.body)
    return answer


def _called(app: "WSGIApplication", environ: "WSGIEnvironment") -> _Answer:
    answer = _Answer()
    parts = app(environ, answer.start)
    try:
        for part in parts:
            answer.write(part)
    finally:
        close = getattr(parts, "close", None)
        if close is not None:
            close()
    return answer


def environment_of(scope: Mapping[str, Any], receive: Receive) -> "WSGIEnvironment":
    """Return the WSGI environment of a request. Text is bytes in Latin-1 there, and names of headers in capitals."""
    server, client = scope.get("server") or ("", 0), scope.get("client") or ("", 0)
    environ: WSGIEnvironment = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(_path(scope["raw_path"])).decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "SERVER_NAME": str(server[0]),
        "SERVER_PORT": str(server[1]),
        "REMOTE_ADDR": client[0],
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.input": _Body(receive),
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, raw_value in scope["headers"]:
        key, value = _key_of(name), raw_value.decode("latin-1")
        environ[key] = f"{environ[key]},{value}" if key in environ else value
    return environ


@lru_cache(maxsize=512)
def _key_of(header: bytes) -> str:
    name = header.decode("latin-1").upper().replace("-", "_")
    return name if name in _OWN_NAMES else f"HTTP_{name}"


def _path(target: bytes) -> bytes:
    # A whole address may stand there as well (RFC 9112, section 3.2.2), and gunicorn leaves that to us.
    return target if target.startswith(b"/") else _ORIGIN.sub(b"", target)


class _Body:
    """The body as a stream that is read to its end."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._ahead = bytearray()
        self._ended = False

    def read(self, size: int) -> bytes:
        """Return at most `size` bytes, none at the end. Raises OSError when the sender has gone or stalls."""
        while not self._ahead and not self._ended:
            message = greenlets.wait_for(self._receive())
            if message["type"] != "http.request":
                raise ConnectionError("the sender has gone")
            self._ahead += message.get("body", b"")
            self._ended = not message.get("more_body", False)
        part = bytes(self._ahead[:size])
        del self._ahead[:size]
        return part
