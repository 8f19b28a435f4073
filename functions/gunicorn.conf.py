# ruff: noqa: N999 - the name gunicorn looks for
"""Serving the functions with gunicorn, locally and in a container, always behind a gateway that buffers bodies.

One process with threads: the work is waiting for Temporal, and one process has one connection. There are more
threads than requests admitted (functions.admission), so that refusing and health checks always find one. No
preloading: nothing that belongs to a process may be made before the fork.
"""

import os
import sys
from typing import Any

from functions.config import load
from worker.contract.settings import ConfigurationError

SPARE_THREADS = 8

try:
    _config = load()
except ConfigurationError as error:
    sys.stderr.write(f"{error}\n")
    raise SystemExit(error.exit_code) from None

bind = os.environ.get("GUNICORN_BIND", "127.0.0.1:8080")
worker_class = "functions.gunicorn_worker.FunctionsWorker"
workers = 1
threads = _config.api.max_in_flight + SPARE_THREADS
preload_app = False
keepalive = 5
timeout = 30
graceful_timeout = 4
accesslog = None
errorlog = "-"
loglevel = "warning"
control_socket_disable = True
# Headers of these names would change which path is served, and anybody can send one through the gateway.
forwarder_headers = ""
secure_scheme_headers: dict[str, str] = {}


def post_worker_init(worker: Any) -> None:
    """Count requests and serve the counts, where GUNICORN_METRICS_BIND (`host:port`) says so."""
    metrics_bind = os.environ.get("GUNICORN_METRICS_BIND", "")
    if metrics_bind:
        from functions.metrics import Metrics, serve  # noqa: PLC0415 - the library is only needed where it is asked for

        metrics = Metrics(worker.wsgi.extensions["sources"])
        serve(metrics, metrics_bind)
        worker.wsgi.extensions["observers"].append(metrics)
