"""Our gunicorn worker: what gunicorn itself refuses is refused in our words, and no thread waits for a silent caller.

By itself gunicorn answers what it cannot read with HTML that repeats it, with 500 and 501 among the statuses, and
logs it beside the caller's address. Here it is a problem document below 500 and a line without either.

A thread is given to a connection when its first byte is there, and for RECEIVE_SECONDS at most: whoever opens
connections and says nothing, or says it letter by letter, is cut off instead of using up the threads that answer health
checks. It is no replacement for the gateway in front, which takes slow senders by the thousand.
"""

import logging
import selectors
import time
import uuid
from functools import partial
from socket import SHUT_RD
from typing import Any

from gunicorn.http.errors import LimitRequestHeaders, LimitRequestLine, ParseException
from gunicorn.workers.gthread import ThreadWorker

from functions import logs
from functions.problems import CONTENT_TYPE, HeadersTooLarge, InternalError, Malformed, Problem, TargetTooLong

RECEIVE_SECONDS = 4.0
"""From the first byte to the answer; a request that is still being read then has ended."""

_log = logging.getLogger("functions.access")


class FunctionsWorker(ThreadWorker):  # type: ignore[misc]
    """A thread worker of gunicorn."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._given_up_at: dict[Any, float] = {}

    def enqueue_req(self, conn: Any) -> None:
        """Give the connection a thread, or let the poller wait for its first byte."""
        if conn.initialized or conn.data_ready:
            super().enqueue_req(conn)
            return
        conn.sock.setblocking(False)
        conn.set_timeout()
        self.pending_conns.append(conn)
        self.poller.register(conn.sock, selectors.EVENT_READ, partial(self.on_pending_socket_readable, conn))

    def handle(self, conn: Any) -> Any:
        """Serve one request of the connection, in a thread."""
        self._given_up_at[conn] = time.monotonic() + RECEIVE_SECONDS
        try:
            return super().handle(conn)
        finally:
            self._given_up_at.pop(conn, None)

    def notify(self) -> None:
        """Tell that this process lives, and end what is received too slowly. Called every second."""
        super().notify()
        now = time.monotonic()
        for conn, moment in list(self._given_up_at.items()):
            if moment < now:
                try:
                    conn.sock.shutdown(SHUT_RD)  # who reads finds the end; an answer can still be written
                except OSError:
                    continue

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:  # noqa: ARG002
        """Answer what could not become a request, or went wrong outside of the application."""
        request_id = uuid.uuid4().hex
        problem = _problem(exc)
        fields: dict[str, object] = {"request_id": request_id, "status": problem.status, "problem": problem.code}
        if isinstance(problem, InternalError):
            fields |= {"error": type(exc).__name__, "places": logs.places(exc.__traceback__)}
            _log.error("a defect was hit", extra={"fields": fields})
        else:
            _log.info("request", extra={"fields": fields})
        for observer in self.wsgi.extensions["observers"]:
            observer.began()
            observer.ended(problem.status, 0.0, {"problem": problem.code})
        try:
            client.sendall(_answer(problem, request_id))
        except OSError:
            return

    def _keepalive_after(self, conn: Any, keepalive: bool) -> bool:
        try:
            return bool(super()._keepalive_after(conn, keepalive))
        except Exception:
            # It has its answer: what is wrong with the rest of its body would look like the answer to the next.
            return False


def _problem(error: BaseException) -> Problem:
    if isinstance(error, LimitRequestLine):
        return TargetTooLong("the path and query are too long")
    if isinstance(error, LimitRequestHeaders):
        return HeadersTooLarge("the headers are too many or too large")
    # Everything else that is raised while a request is read is about what was sent, however gunicorn ranks it.
    if isinstance(error, ParseException | UnicodeError):
        return Malformed("the bytes are no request of HTTP/1.1 that is served here")
    return InternalError("something is wrong on our side; send it again")


def _answer(problem: Problem, request_id: str) -> bytes:
    body = problem.document(request_id)
    headers = {
        "Connection": "close",
        "Content-Type": CONTENT_TYPE,
        "Content-Length": str(len(body)),
        "X-Request-Id": request_id,
        **problem.headers,
    }
    lines = [f"HTTP/1.1 {problem.status} {problem.title}", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode("ascii") + body
