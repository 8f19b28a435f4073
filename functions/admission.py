"""Admission: how many requests may be under way in this process; the rest is told to come back at once.

Without the bound, a Temporal server that hangs fills every thread with waiting requests and the health checks
starve behind them. Saying no must always be possible, and health checks are not counted: with gunicorn both take a
turn of the loop (functions.gunicorn_worker); a server with threads must have more of them than the bound.
"""

import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING

from functions.access_log import note_in, request_id_of
from functions.problems import CONTENT_TYPE, Overloaded

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

UNCOUNTED_PREFIX = "/health/"


class Admission:
    """WSGI middleware with a bounded count of requests under way."""

    def __init__(self, wsgi_app: "WSGIApplication", limit: int) -> None:
        self._app = wsgi_app
        self._limit = limit
        self._under_way = 0
        self._counting = threading.Lock()

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Serve one request, or answer 503 within microseconds when no place is free."""
        if environ.get("PATH_INFO", "").startswith(UNCOUNTED_PREFIX):
            return self._app(environ, start_response)
        with self._counting:
            if self._under_way >= self._limit:
                return _shed(environ, start_response)
            self._under_way += 1
        try:
            return self._app(environ, start_response)
        finally:
            with self._counting:
                self._under_way -= 1


def _shed(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
    problem = Overloaded("too many requests are under way; try again")
    note_in(environ, problem=problem.code)
    body = problem.document(request_id_of(environ))
    headers = [("Content-Type", CONTENT_TYPE), ("Content-Length", str(len(body))), *problem.headers.items()]
    start_response("503 Service Unavailable", headers)
    return [body]
