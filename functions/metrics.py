"""What the functions count, for Prometheus: requests by what became of them, time taken, secrets in use.

Only a served process has it (gunicorn.conf.py): it is read on a port of its own that listens where
GUNICORN_METRICS_BIND says, so that it is never part of the API. One process is one set of numbers;
while a new process takes over from an old one both listen on the port and either may answer.

Labels are bounded: routes from the table, sources and secrets from settings, codes from the problems.
"""

import threading
import time
from collections.abc import Callable, Mapping
from functools import cache
from http.server import ThreadingHTTPServer

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import MetricsHandler

from functions.source_settings import SourceConfig

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 2.5, 3.0)
"""Bounds of the latency histogram; the last ones are the deadline and the senders' patience."""


class Metrics:
    """Counts requests; an observer of the access log."""

    def __init__(self, sources: Mapping[str, SourceConfig]) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "functions_requests",
            "Requests, by what became of them and why",
            ["route", "source", "result", "reason"],
            registry=self.registry,
        )
        self._seconds = Histogram(
            "functions_request_seconds", "Time until the answer", ["route"], registry=self.registry, buckets=SECONDS
        )
        self._in_flight = Gauge("functions_in_flight", "Requests under way", registry=self.registry)
        self._shed = Counter("functions_shed", "Requests refused at once for want of a place", registry=self.registry)
        secret = ["source", "secret"]
        self._used = Counter("functions_secret_used", "Deliveries believed, by secret", secret, registry=self.registry)
        self._last_used = Gauge(
            "functions_secret_last_used_timestamp_seconds",
            "When a secret was last used",
            secret,
            registry=self.registry,
        )
        self._age = Gauge(
            "functions_secret_age_seconds", "How long a secret has been in use", secret, registry=self.registry
        )
        self._ends = Gauge(
            "functions_secret_end_timestamp_seconds", "When a secret ends", secret, registry=self.registry
        )
        # The library looks a child up under a lock and by texts; asked for once, it is at hand.
        self._requests_of, self._seconds_of = cache(self._requests.labels), cache(self._seconds.labels)
        self._used_of, self._last_used_of = cache(self._used.labels), cache(self._last_used.labels)
        for source, config in sources.items():
            for index, known in enumerate(config.secrets):
                names = (source, known.name or str(index))
                self._used.labels(*names)  # a secret that nobody uses shows as 0
                if known.added_at is not None:
                    self._age.labels(*names).set_function(_age_since(known.added_at.timestamp()))
                if known.not_after is not None:
                    self._ends.labels(*names).set(known.not_after.timestamp())

    def began(self) -> None:
        """Count a request that came in."""
        self._in_flight.inc()

    def ended(self, status: int | None, seconds: float, notes: Mapping[str, object]) -> None:
        """Count what became of a request."""
        self._in_flight.dec()
        route, source = str(notes.get("route", "")), str(notes.get("source", ""))
        problem = str(notes.get("problem", ""))
        reason = str(notes.get("rejection", "")) or problem
        result = _result(status, str(notes.get("outcome") or ""), problem)
        self._requests_of(route, source, result, reason).inc()
        self._seconds_of(route).observe(seconds)
        if result == "shed":
            self._shed.inc()
        if "secret" in notes:
            self._used_of(source, str(notes["secret"])).inc()
            self._last_used_of(source, str(notes["secret"])).set_to_current_time()


def _age_since(added: float) -> Callable[[], float]:
    return lambda: time.time() - added


def _result(status: int | None, outcome: str, problem: str) -> str:
    """Return `accepted`, `duplicate`, `ignored`, `ok`, `refused` (4xx), `shed`, `unavailable` or `broken`."""
    if status is None:
        return "broken"
    if problem == "overloaded":
        return "shed"
    if status >= 500:
        return "unavailable"
    if status >= 400:
        return "refused"
    return outcome if outcome in {"accepted", "duplicate", "ignored"} else "ok"


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_port = True


def serve(metrics: Metrics, bind: str) -> ThreadingHTTPServer:
    """Serve the metrics at `bind` (`host:port`) from a thread, until the process ends. Raises OSError."""
    host, _, port = bind.rpartition(":")
    server = _Server((host.strip("[]"), int(port)), MetricsHandler.factory(metrics.registry))
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
    return server
