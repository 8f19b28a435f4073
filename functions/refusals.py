"""What is answered where there is no request: to bytes that are none, and when something broke outside of the application.

By itself gunicorn repeats what it cannot read, with 500 and 501 among the statuses, and logs it. Here it is a problem
document below 500, a line without anything of it, and a number in the metrics, like the application's own refusals.
"""

import logging
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from gunicorn.asgi.parser import LimitRequestHeaders, LimitRequestLine, ParseError
from gunicorn.http.errors import ParseException

from functions import logs
from functions.access_log import Observer
from functions.problems import CONTENT_TYPE, HeadersTooLarge, InternalError, Malformed, Problem, TargetTooLong

_UNREADABLE = (ParseError, ParseException, ValueError)
"""What is raised over bytes that are no request."""

_OURS = "something is wrong on our side; send it again"

_log = logging.getLogger("functions.access")


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer that was logged and counted."""

    problem: Problem
    headers: dict[str, str]
    body: bytes

    @property
    def message(self) -> bytes:
        """The whole answer in HTTP/1.1; the last one on its connection."""
        lines = [f"HTTP/1.1 {self.problem.status} {self.problem.title}", "Connection: close"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        return "\r\n".join([*lines, "", ""]).encode("ascii") + self.body


def unreadable(error: Exception, observers: Iterable[Observer]) -> Refusal:
    """Log and count what was raised over bytes that were to be a request, and return what to answer."""
    problem = _problem(error)
    if isinstance(problem, InternalError):
        return broken(error, observers)
    return _told(problem, logging.INFO, "request", {}, observers)


def broken(error: Exception, observers: Iterable[Observer]) -> Refusal:
    """Log and count a defect of ours, without its words, which may be a caller's; return what to answer."""
    said = {"error": type(error).__name__, "places": logs.places(error.__traceback__)}
    return _told(InternalError(_OURS), logging.ERROR, "a defect was hit", said, observers)


def _told(
    problem: Problem, level: int, event: str, said: Mapping[str, object], observers: Iterable[Observer]
) -> Refusal:
    request_id = uuid.uuid4().hex
    fields = {"request_id": request_id, "status": problem.status, "problem": problem.code, **said}
    _log.log(level, event, extra={"fields": fields})
    for observer in observers:
        observer.began()
        observer.ended(problem.status, 0.0, {"problem": problem.code})
    body = problem.document(request_id)
    own = {"Content-Type": CONTENT_TYPE, "Content-Length": str(len(body)), "X-Request-Id": request_id}
    return Refusal(problem, {**own, **problem.headers}, body)


def _problem(error: Exception) -> Problem:
    if isinstance(error, LimitRequestLine):
        return TargetTooLong("the path and query are too long")
    if isinstance(error, LimitRequestHeaders):
        return HeadersTooLarge("the headers are too many or too large")
    if isinstance(error, _UNREADABLE):
        return Malformed("the bytes are no request of HTTP/1.1 that is served here")
    return InternalError(_OURS)
