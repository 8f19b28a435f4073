"""A TCP proxy on loopback that can be told to misbehave: slow, silent, gone, or cutting connections.

Transparent by default, half-closed connections included. All methods act at once and may be called from any thread;
the traffic runs in the loop in which `start` was called. Bounded: at most MAX_CONNECTIONS at a time, more are refused
by being closed.
"""

import asyncio
import contextlib
import functools
import socket
import struct
import time
from collections.abc import Callable
from concurrent.futures import Future

from infra.local.layout import HOST

MAX_CONNECTIONS = 512
_CHUNK = 65_536
_BIND_PATIENCE = 2.0


class FaultProxy:
    """Forwards 127.0.0.1:`port` to whatever `upstream()` says at the moment of connecting."""

    def __init__(self, port: int, upstream: Callable[[], tuple[str, int]]) -> None:
        self.port = port
        self.accepted = 0
        """Connections accepted since the start."""
        self.cut = 0
        """Connections that `reset` or `refuse` cut."""
        self._upstream = upstream
        self._delay = 0.0
        self._open_gate = asyncio.Event()
        self._listener: socket.socket | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._links: dict[asyncio.Task[None], list[asyncio.StreamWriter]] = {}

    @property
    def connections(self) -> int:
        """Connections open now."""
        return len(self._links)

    def start(self) -> None:
        """Begin to forward, in the running loop. Raises OSError when the port is taken."""
        self._loop = asyncio.get_running_loop()
        self._open_gate.set()
        self._listen()

    def close(self) -> None:
        """Stop for good, cutting what is open."""
        self._at_once(self._refuse)

    def latency(self, seconds: float) -> None:
        """Hold every chunk back for `seconds`, in both directions; 0 ends it."""
        self._delay = seconds

    def reset(self) -> None:
        """Cut every open connection with a TCP reset; new ones are welcome."""
        self._at_once(self._reset)

    def black_hole(self) -> None:
        """Accept connections and data, pass nothing on, close nothing: a network that drops packets."""
        self._at_once(self._open_gate.clear)

    def refuse(self) -> None:
        """Cut what is open and refuse new connections: a server that is down."""
        self._at_once(self._refuse)

    def heal(self) -> None:
        """End every fault; what a black hole kept back is delivered."""
        self._at_once(self._heal)

    def _at_once(self, action: Callable[[], None]) -> None:
        """Do `action` in the proxy's loop and return when it is done, whichever thread asks."""
        loop = self._loop
        if loop is None or loop.is_closed():
            return
        try:
            here = asyncio.get_running_loop()
        except RuntimeError:
            here = None
        if here is loop:
            action()
            return
        done: Future[None] = Future()

        def run() -> None:
            try:
                action()
            except Exception as error:
                done.set_exception(error)
            else:
                done.set_result(None)

        loop.call_soon_threadsafe(run)
        done.result(timeout=_BIND_PATIENCE * 2)

    def _heal(self) -> None:
        self._delay = 0.0
        self._open_gate.set()
        if self._listener is None:
            self._listen()

    def _listen(self) -> None:
        assert self._loop is not None
        deadline = time.monotonic() + _BIND_PATIENCE
        while True:
            listener = socket.socket()
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind((HOST, self.port))
                break
            except OSError:
                listener.close()
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
        listener.listen(128)
        listener.setblocking(False)
        self._listener = listener
        self._loop.add_reader(listener, self._accept, listener)

    def _accept(self, listener: socket.socket) -> None:
        assert self._loop is not None
        try:
            accepted, _ = listener.accept()
        except OSError:
            return
        if len(self._links) >= MAX_CONNECTIONS:
            accepted.close()
            return
        accepted.setblocking(False)
        self.accepted += 1
        writers: list[asyncio.StreamWriter] = []
        link = self._loop.create_task(self._link(accepted, writers))
        self._links[link] = writers
        link.add_done_callback(functools.partial(self._unlink, accepted))

    def _unlink(self, accepted: socket.socket, link: asyncio.Task[None]) -> None:
        # A link that was cut before its first step never took the socket over.
        if not self._links.pop(link):
            accepted.close()

    async def _link(self, accepted: socket.socket, writers: list[asyncio.StreamWriter]) -> None:
        # A connection that breaks is this program's daily bread: it ends the link and nothing else.
        with contextlib.suppress(OSError):
            client_reader, client_writer = await asyncio.open_connection(sock=accepted)
            writers.append(client_writer)
            try:
                await self._open_gate.wait()
                server_reader, server_writer = await asyncio.open_connection(*self._upstream())
                writers.append(server_writer)
                async with asyncio.TaskGroup() as pipes:
                    pipes.create_task(self._pipe(client_reader, server_writer))
                    pipes.create_task(self._pipe(server_reader, client_writer))
            except* OSError:
                for writer in writers:
                    _abort(writer)
            finally:
                for writer in writers:
                    writer.close()

    async def _pipe(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(_CHUNK):
            if self._delay:
                await asyncio.sleep(self._delay)
            await self._open_gate.wait()
            writer.write(chunk)
            await writer.drain()
        await self._open_gate.wait()
        if writer.can_write_eof():
            writer.write_eof()

    def _reset(self) -> None:
        for link, writers in list(self._links.items()):
            for writer in writers:
                _abort(writer)
            link.cancel()
            self.cut += 1

    def _refuse(self) -> None:
        if self._listener is not None and self._loop is not None:
            self._loop.remove_reader(self._listener)
            self._listener.close()
            self._listener = None
        self._reset()


def _abort(writer: asyncio.StreamWriter) -> None:
    """Close with a reset instead of a goodbye."""
    raw = writer.get_extra_info("socket")
    if raw is not None:
        with contextlib.suppress(OSError):
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
