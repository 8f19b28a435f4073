"""The process's health over HTTP, from a thread of its own: it answers even when the event loop does not.

    GET /health/live    200 while the process gets on (its loop ticks, see progress.py); a supervisor restarts it on 503
    GET /health/ready   200 when the process takes work and everything it needs answers
    GET /metrics        Prometheus text: ours, then the SDK's

Idle is not dead: liveness never asks whether work arrives. Answers name what failed, never how (an exception's
text may hold addresses and credentials).
"""

import json
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

PULSE_SECONDS = 10.0
"""How long the event loop may be silent before the process counts as stuck."""

_PINGS_KEPT_SECONDS = 2.0
_log = logging.getLogger(__name__)

Vital = Callable[[], str]
"""Says `ok`, or in a word what is wrong with the process itself. Asks nobody and never waits."""

Ping = Callable[[], object]
"""Asks one dependency, from the health thread; raises when it does not answer. Must be bounded in time."""


class Pulse:
    """The event loop's sign of life."""

    def __init__(self) -> None:
        self._at = time.monotonic()

    def beat(self) -> None:
        """Record that the loop runs."""
        self._at = time.monotonic()

    @property
    def age(self) -> float:
        """Seconds since the last beat."""
        return time.monotonic() - self._at


class Health:
    """What the process knows about itself. `ready` is set once it takes work, and cleared before it stops."""

    def __init__(
        self,
        pulse: Pulse,
        pings: Mapping[str, Ping],
        vitals: Mapping[str, Vital] | None = None,
        *,
        pulse_seconds: float = PULSE_SECONDS,
    ) -> None:
        self.pulse = pulse
        self.ready = False
        self._pings = dict(pings)
        self._vitals = dict(vitals or {})
        self._pulse_seconds = pulse_seconds
        self._lock = threading.Lock()
        self._asked: tuple[float, dict[str, str]] | None = None

    def live(self) -> tuple[bool, dict[str, str]]:
        """Return whether the event loop ticked lately and the process gets on."""
        ticks = "ok" if self.pulse.age < self._pulse_seconds else "stuck"
        checks = {"event_loop": ticks, **{name: vital() for name, vital in self._vitals.items()}}
        return all(answer == "ok" for answer in checks.values()), checks

    def readiness(self) -> tuple[bool, dict[str, str]]:
        """Return whether the process takes work, and the answer of every dependency (kept for two seconds)."""
        checks = {"worker": "ok" if self.ready else "not taking work", **self._dependencies()}
        return all(answer == "ok" for answer in checks.values()), checks

    def _dependencies(self) -> dict[str, str]:
        # One at a time: a crowd of probes must not become a crowd of connections to a sick dependency.
        with self._lock:
            if self._asked is None or time.monotonic() - self._asked[0] > _PINGS_KEPT_SECONDS:
                answers = {name: _ask(ping) for name, ping in self._pings.items()}
                self._asked = (time.monotonic(), answers)
            return self._asked[1]


class HealthServer:
    """Serves `health` and the metrics on `host:port` (0 = any free port, see `port`); a context manager."""

    def __init__(self, health: Health, metrics: Sequence[Callable[[], bytes]], *, host: str, port: int) -> None:
        self._server = ThreadingHTTPServer((host, port), _handler(health, tuple(metrics)))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), name="health", daemon=True)

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self._server.server_address[1])

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Stop answering and close the port."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join(timeout=2)
        self._server.server_close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()


def _ask(ping: Ping) -> str:
    try:
        ping()
    except Exception as error:
        _log.warning("a dependency does not answer", extra={"error": type(error).__name__})
        return type(error).__name__
    return "ok"


def _handler(health: Health, metrics: tuple[Callable[[], bytes], ...]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = 5.0
        server_version = "orders"
        sys_version = ""

        def do_GET(self) -> None:
            if self.path == "/health/live":
                self._state(*health.live())
            elif self.path == "/health/ready":
                self._state(*health.readiness())
            elif self.path == "/metrics":
                text = b"".join(read() for read in metrics)
                self._answer(HTTPStatus.OK, "text/plain; version=0.0.4; charset=utf-8", text)
            else:
                self._answer(HTTPStatus.NOT_FOUND, "application/json", b'{"status": "not found"}')

        do_HEAD = do_GET  # noqa: N815 - the base class's names

        def _state(self, good: bool, checks: Mapping[str, str]) -> None:
            status = HTTPStatus.OK if good else HTTPStatus.SERVICE_UNAVAILABLE
            body = json.dumps({"status": "ok" if good else "unavailable", "checks": checks})
            self._answer(status, "application/json", body.encode())

        def _answer(self, status: HTTPStatus, kind: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Probes come every few seconds; they are not news."""

    return Handler
