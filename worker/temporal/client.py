"""The connection to the Temporal server, as every process of the worker makes it.

The first connection is retried for a bounded time, because a worker may boot before its server; after that the
SDK reconnects by itself. One client per process, used in the event loop that made it.
"""

import asyncio
import logging
import os
import socket
import time
from collections.abc import Sequence
from datetime import timedelta

from temporalio.client import Client, Interceptor
from temporalio.converter import DataConverter
from temporalio.runtime import Runtime
from temporalio.service import RetryConfig, RPCError, TLSConfig

from worker.contract.temporal_tls import TemporalConfig, tls_pieces
from worker.domain.errors import ProviderUnavailable

FIRST_CONNECT_SECONDS = 30.0
"""How long a booting process waits for its server."""

RPC_TIMEOUT = timedelta(seconds=10)
"""Bound of one attempt of a call; RETRIES bounds all attempts together. Both are needed: a refused connection is
not bounded by the first, a frozen server not by the second."""

_RETRIES = RetryConfig(
    initial_interval_millis=100, max_interval_millis=1000, max_elapsed_time_millis=10_000, max_retries=15
)
_CONNECT_TIMEOUT = timedelta(seconds=5)
_BACKOFF = (0.1, 0.2, 0.5, 1.0)

_log = logging.getLogger(__name__)


async def connect(
    config: TemporalConfig,
    converter: DataConverter,
    *,
    identity: str | None = None,
    lazy: bool = False,
    runtime: Runtime | None = None,
    patience_seconds: float = FIRST_CONNECT_SECONDS,
    interceptors: Sequence[Interceptor] = (),
) -> Client:
    """Return a connected client that seals and opens payloads as `converter` does (see `codec.converter_of`).

    `lazy` returns at once and connects with the first call; a lazy client cannot carry workers. `identity` is how
    the server's histories name this process (default: `{pid}@{host}`). Raises ProviderUnavailable when the server
    does not answer within `patience_seconds`.
    """
    deadline = time.monotonic() + patience_seconds
    attempt = 0
    while True:
        try:
            async with asyncio.timeout(max(deadline - time.monotonic(), 0.1)):
                return await Client.connect(
                    config.address,
                    namespace=config.namespace,
                    tls=_tls(config),
                    api_key=config.api_key.reveal() if config.api_key else None,
                    identity=identity or default_identity(),
                    lazy=lazy,
                    runtime=runtime,
                    data_converter=converter,
                    interceptors=list(interceptors),
                    retry_config=_RETRIES,
                    connect_timeout=_CONNECT_TIMEOUT,
                )
        # The SDK reports a failed first connection as RuntimeError, a refused call as RPCError.
        except (RuntimeError, RPCError, TimeoutError) as error:
            pause = _BACKOFF[min(attempt, len(_BACKOFF) - 1)]
            attempt += 1
            if time.monotonic() + pause >= deadline:
                raise ProviderUnavailable(
                    f"the Temporal server at {config.address} did not answer within {patience_seconds:g} s"
                ) from error
            if attempt == 1:
                _log.warning("temporal is not there yet, waiting", extra={"address": config.address})
            await asyncio.sleep(pause)


def default_identity() -> str:
    """Return `{pid}@{host}`: enough to find the process, nothing about a person."""
    return f"{os.getpid()}@{socket.gethostname()}"


def _tls(config: TemporalConfig) -> bool | TLSConfig:
    pieces = tls_pieces(config)
    if pieces is None:
        return False
    return TLSConfig(
        server_root_ca_cert=pieces.server_root_ca_cert,
        domain=pieces.domain,
        client_cert=pieces.client_cert,
        client_private_key=pieces.client_private_key,
    )
