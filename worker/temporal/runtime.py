"""The SDK's own telemetry: its metrics on a loopback port of their own, its logs through ours.

Make it once per process, before the first client. The port is private: `/metrics` of the health server shows its
content together with the worker's own figures.
"""

import http.client
import logging
import socket
from collections.abc import Callable

from temporalio.runtime import (
    LogForwardingConfig,
    LoggingConfig,
    PrometheusConfig,
    Runtime,
    TelemetryConfig,
    TelemetryFilter,
)

_SCRAPE_SECONDS = 2.0


def telemetry_runtime() -> tuple[Runtime, Callable[[], bytes]]:
    """Return a runtime with metrics and forwarded logs, and a function that reads those metrics.

    The function returns b"" when they cannot be read: figures must not take the worker's own with them.
    """
    port = _free_port()
    runtime = Runtime(
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
    return runtime, lambda: _scrape(port)


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
    """Return a port that is free now: the SDK binds before it returns, and fails loudly if it was taken."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
