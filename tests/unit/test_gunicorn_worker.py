"""A worker of the functions that is told to end: at once when nobody is connected, else after a moment for what is on its way."""

import asyncio
import os
import socket
import time
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest

from functions import gunicorn_worker
from functions.gunicorn_worker import LINGER_SECONDS, FunctionsWorker

PATIENCE = 60.0


class Worker(FunctionsWorker):
    """A worker without the process and the application around it."""

    def __init__(self, listening: socket.socket) -> None:
        self.loop = asyncio.get_running_loop()
        self.log = SimpleNamespace(info=lambda *_: None, warning=lambda *_: None)
        self.cfg: Any = SimpleNamespace(asgi_lifespan="off", is_ssl=False, graceful_timeout=4)
        self.sockets = [SimpleNamespace(sock=listening)]
        self.servers: list[Any] = []
        self.connections = set()
        self.alive, self.ppid, self.nr_conns = True, os.getppid(), 0
        self.lifespan, self._quick_shutdown = None, False

    def notify(self) -> None:
        """Nobody looks for signs of life here."""


class Open:
    """A connection that somebody keeps open."""

    closed = False

    def close_if_idle(self) -> None:
        """Note that it was closed."""
        self.closed = True


@pytest.fixture
async def worker() -> AsyncIterator[Worker]:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        yield Worker(listening)


@pytest.fixture
def long(monkeypatch: pytest.MonkeyPatch) -> float:
    """Let it linger for longer than any machine takes to end it, and return those seconds."""
    monkeypatch.setattr(gunicorn_worker, "LINGER_SECONDS", 2 * PATIENCE)
    return PATIENCE


async def ended(worker: Worker, signals: int) -> float:
    """Serve, tell it to end as often as that, and return the seconds that it took."""
    serving = asyncio.create_task(worker._serve())
    async with asyncio.timeout(PATIENCE):
        while not worker.servers:
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        began = time.monotonic()
        for _ in range(signals):
            worker.handle_exit_signal()
            await asyncio.sleep(0.01)
        await serving
    return time.monotonic() - began


async def test_nobody_is_waited_for_when_nobody_is_connected(worker: Worker, long: float) -> None:
    assert await ended(worker, 1) < long


@pytest.mark.parametrize("signals", [1, 3])
async def test_a_connection_may_bring_a_last_request_however_often_the_end_is_asked_for(
    worker: Worker, signals: int
) -> None:
    kept: Any = Open()
    worker.connections.add(kept)
    assert await ended(worker, signals) >= LINGER_SECONDS
    assert kept.closed


async def test_when_the_last_one_goes_the_wait_is_over(worker: Worker, long: float) -> None:
    gone: Any = Open()
    worker.connections.add(gone)
    asyncio.get_running_loop().call_later(0.1, worker.connections.discard, gone)
    assert await ended(worker, 1) < long
