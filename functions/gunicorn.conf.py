# ruff: noqa: N999 - the name gunicorn looks for
"""Serving the functions with gunicorn, locally and in a container, always behind a gateway that buffers bodies.

One process with one thread: the work is waiting for Temporal, which functions.gunicorn_worker does on one loop, with one
connection. How many requests may wait is functions.admission's business; refusing and health checks need no place.
No preloading: nothing that belongs to a process may be made before the fork.
"""

import gc
import os
import sys
from typing import Any

from functions.config import load
from worker.contract.settings import ConfigurationError

try:
    load()
except ConfigurationError as error:
    sys.stderr.write(f"{error}\n")
    raise SystemExit(error.exit_code) from None

bind = os.environ.get("GUNICORN_BIND", "127.0.0.1:8080")
worker_class = "functions.gunicorn_worker.FunctionsWorker"
workers = 1
asgi_loop = "uvloop"
# Not the parser in C, which has no wheel for Linux: everybody would need a compiler. And never "auto": what is refused
# must not depend on what happens to be installed.
http_parser = "python"
asgi_lifespan = "off"
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


def post_fork(_arbiter: Any, _worker: Any) -> None:
    """Look for no garbage while the application is imported, of which nothing is: a sixth of what a start costs."""
    gc.disable()


def post_worker_init(worker: Any) -> None:
    """Count requests and serve the counts, where GUNICORN_METRICS_BIND (`host:port`) says so."""
    metrics_bind = os.environ.get("GUNICORN_METRICS_BIND", "")
    if metrics_bind:
        from functions.metrics import Metrics, serve  # noqa: PLC0415 - the library is only needed where it is asked for

        metrics = Metrics(worker.wsgi.extensions["sources"])
        serve(metrics, metrics_bind)
        worker.wsgi.extensions["observers"].append(metrics)
    # What is loaded now stays: no collection needs to look at it, ever. And a request makes hundreds of objects, of
    # which next to none are in a cycle: looking for some after every 700 costs more than it finds.
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    gc.enable()
