"""One log line per request, and the request id that ties it to the answer the caller saw.

The outermost WSGI layer, so that shed and broken requests are logged like all others. A line holds the route's
template instead of the path, no query, no address, no header and no body: nothing of it is personal.
"""

import logging
import os
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

REQUEST_ID = "orders.request_id"
_NOTES = "orders.notes"
_CURRENT: ContextVar[dict[str, object]] = ContextVar("notes")
_log = logging.getLogger("functions.access")
_GIVEN_ID = re.compile(r"[A-Za-z0-9-]{8,64}", re.ASCII)


class Observer(Protocol):
    """Somebody who counts requests (functions.metrics); must neither raise nor wait."""

    def began(self) -> None:
        """Take notice of a request that came in."""
        ...

    def ended(self, status: int | None, seconds: float, notes: Mapping[str, object]) -> None:
        """Take notice of its end; `notes` is what the line says of it, `status` None when it broke off."""
        ...


class AccessLog:
    """WSGI middleware: gives every request an id, answers it as X-Request-Id, writes the line, tells the observers."""

    def __init__(self, wsgi_app: "WSGIApplication", observers: Sequence[Observer] = ()) -> None:
        self._app = wsgi_app
        self._observers = observers

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Serve one request."""
        started = time.perf_counter()
        given = environ.get("HTTP_X_REQUEST_ID", "")
        request_id = given if _GIVEN_ID.fullmatch(given) else os.urandom(16).hex()
        environ[REQUEST_ID] = request_id
        notes: dict[str, object] = {}
        environ[_NOTES] = notes
        _CURRENT.set(notes)
        statuses: list[str] = []

        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            statuses.append(status)
            return start_response(status, [*headers, ("X-Request-Id", request_id)], exc_info)

        for observer in self._observers:
            observer.began()
        try:
            return self._app(environ, start)
        finally:
            seconds = time.perf_counter() - started
            status = int(statuses[-1][:3]) if statuses else None
            for observer in self._observers:
                observer.ended(status, seconds, environ[_NOTES])
            if _log.isEnabledFor(logging.INFO):
                line = {
                    "request_id": request_id,
                    "method": environ["REQUEST_METHOD"],
                    "status": status,
                    "ms": round(seconds * 1000, 1),
                    **environ[_NOTES],
                }
                # Made here and not by _log.info, which would walk the stack to find out where "here" is.
                made = _log.makeRecord(_log.name, logging.INFO, "", 0, "request", (), None, extra={"fields": line})
                _log.handle(made)


def note(**fields: object) -> None:
    """Add fields to the line of the request that this thread or task serves. Nothing personal, nothing secret."""
    _CURRENT.get({}).update(fields)


def note_in(environ: "WSGIEnvironment", **fields: object) -> None:
    """Add fields to the line of the request with this WSGI environment (outside of Flask)."""
    environ.get(_NOTES, {}).update(fields)


def request_id_of(environ: "WSGIEnvironment") -> str:
    """Return the id of the request with this WSGI environment."""
    return str(environ.get(REQUEST_ID, ""))
