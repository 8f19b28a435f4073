"""Load over HTTP/1.1 with kept-alive connections: as much as is answered, or a constant rate whatever is answered.

Made to cost little (no client library, no coroutine per request), because it shares the machine with what it
measures. Answers must announce their length, as those of both servers measured here do.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

PATIENCE = 10.0
"""Seconds to wait for answers that are due when the time is over."""


@dataclass
class Load:
    """What came back. Latencies are seconds, from the moment a request was due to its whole answer."""

    seconds: float = 0.0
    answers: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)
    lost: int = 0
    """Requests whose connection ended without an answer."""

    @property
    def rate(self) -> float:
        """Answers a second."""
        return self.answers / self.seconds

    def percentile(self, share: float) -> float:
        """Return the latency that `share` (0 to 1) of the answers stayed within, in seconds."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


class _Connection(asyncio.Protocol):
    """One connection: a request, its answer, the next request."""

    def __init__(self, load: Load, idle: "Callable[[_Connection], None]") -> None:
        self._load = load
        self._idle = idle
        self._received = bytearray()
        self._due: float | None = None
        self._clock = asyncio.get_running_loop().time

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def send(self, request: bytes, due: float) -> None:
        self._due = due
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head = self._received.find(b"\r\n\r\n")
        if head < 0:
            return
        headers = bytes(self._received[:head]).lower()
        at = headers.index(b"\r\ncontent-length:") + len(b"\r\ncontent-length:")
        end = headers.find(b"\r\n", at)
        length = int(headers[at : end if end > 0 else None])
        if len(self._received) < head + 4 + length:
            return
        assert self._due is not None, "an answer that nobody asked for"
        self._load.answers += 1
        self._load.statuses[int(headers[9:12])] += 1
        self._load.latencies.append(self._clock() - self._due)
        self._due = None
        self._received.clear()
        self._idle(self)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._due is not None:
            self._load.lost += 1
            self._due = None


async def saturate(port: int, requests: Iterator[bytes], *, connections: int, seconds: float) -> Load:
    """Keep `connections` requests under way for `seconds`; answers that come later are not counted."""
    loop = asyncio.get_running_loop()
    load = Load()
    ended = loop.time() + seconds

    def idle(connection: _Connection) -> None:
        now = loop.time()
        if now < ended:
            connection.send(next(requests), now)

    opened = await _open(port, load, idle, connections)
    began = loop.time()
    ended = began + seconds
    for connection in opened:
        connection.send(next(requests), loop.time())
    await asyncio.sleep(seconds)
    while not load.answers and loop.time() < began + PATIENCE:
        await asyncio.sleep(0.01)
    load.seconds = loop.time() - began
    counted = Load(load.seconds, load.answers, load.statuses.copy(), load.latencies.copy(), load.lost)
    await _close(opened, load, connections)
    return counted


async def at_rate(port: int, requests: Iterator[bytes], *, rate: float, connections: int, seconds: float) -> Load:
    """Send `rate` requests a second, evenly, for `seconds`, and wait for every answer.

    A request that finds every connection busy waits for one, and its wait counts: what is slow cannot hide by
    slowing down the sender.
    """
    loop = asyncio.get_running_loop()
    load = Load()
    free: deque[_Connection] = deque()
    waiting: deque[float] = deque()

    def idle(connection: _Connection) -> None:
        if waiting:
            connection.send(next(requests), waiting.popleft())
        else:
            free.append(connection)

    opened = await _open(port, load, idle, connections)
    free.extend(opened)
    began = loop.time()
    total = int(rate * seconds)
    for number in range(total):
        due = began + number / rate
        if due > loop.time():
            await asyncio.sleep(due - loop.time())
        if free:
            free.popleft().send(next(requests), due)
        else:
            waiting.append(due)
    while load.answers + load.lost < total and loop.time() < began + seconds + PATIENCE:
        await asyncio.sleep(0.01)
    load.lost = total - load.answers
    load.seconds = loop.time() - began
    await _close(opened, load, 0)
    return load


async def _open(port: int, load: Load, idle: Callable[[_Connection], None], connections: int) -> list[_Connection]:
    loop = asyncio.get_running_loop()
    opened = []
    for _ in range(connections):
        _, connection = await loop.create_connection(lambda: _Connection(load, idle), "127.0.0.1", port)
        opened.append(connection)
    return opened


async def _close(opened: list[_Connection], load: Load, under_way: int) -> None:
    """Take the last answers, so that a server is never left with somebody who has gone, and hang up."""
    loop = asyncio.get_running_loop()
    patience = loop.time() + PATIENCE
    while under_way and any(connection._due is not None for connection in opened) and loop.time() < patience:
        await asyncio.sleep(0.005)
    for connection in opened:
        connection.transport.close()
    await asyncio.sleep(0)
