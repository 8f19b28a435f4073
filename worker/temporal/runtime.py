"""The SDK's own telemetry: its metrics on a loopback port of their own, its logs through ours.

Make it once per process, before the first client. The port is private: `/metrics` of the health server shows its
content together with the worker's own figures.
"""

import http.client
import logging
import socket
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from temporalio.runtime import (
    LogForwardingConfig,
    LoggingConfig,
    PrometheusConfig,
    Runtime,
    TelemetryConfig,
    TelemetryFilter,
)

_SCRAPE_SECONDS = 2.0
_DRAWS = 5
"""Ports that are tried: each was free a moment before, and nobody loses so often against chance."""


def telemetry_runtime() -> tuple[Runtime, Callable[[], bytes]]:
    """Return a runtime with metrics and forwarded logs, and a function that reads those metrics.

    The function returns b"" when they cannot be read: figures must not take the worker's own with them.
    Raises ValueError when there is no port to serve them on.
    """
    for _ in range(_DRAWS - 1):
        port = _free_port()
        with suppress(ValueError):
            return _runtime(port), partial(_scrape, port)
    return _runtime(port := _free_port()), partial(_scrape, port)


def _runtime(port: int) -> Runtime:
    return Runtime(
        telemetry=TelemetryConfig(
            metrics=PrometheusConfig(
                bind_address=f"127.0.0.1:{port}", counters_total_suffix=True, durations_as_seconds=True
            ),
            logging=LoggingConfig(
                filter=TelemetryFilter(core_level="WARN", other_level="ERROR"),
                forwarding=LogForwardingConfig(
                    logger=logging.getLogger("temporalio.core"), append_target_to_name=False
                ),
            ),
        )
    )


def _scrape(port: int) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_SCRAPE_SECONDS)
    try:
        connection.request("GET", "/metrics")
        response = connection.getresponse()
        return response.read() if response.status == http.HTTPStatus.OK else b""
    except (OSError, http.client.HTTPException):
        return b""
    finally:
        connection.close()


def _free_port() -> int:
    """Return a port that is free now. Until the SDK binds it, some connection of this machine may take it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
