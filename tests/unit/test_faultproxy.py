"""The fault proxy against a real echo server on loopback."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

import pytest

from infra.local.faultproxy import FaultProxy
from infra.local.freeports import free_port
from infra.local.layout import HOST

PATIENCE = 60.0


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer every chunk, and say goodbye after the client's end of file: needs half-closed connections to work."""
    try:
        while chunk := await reader.read(1024):
            writer.write(chunk)
            await writer.drain()
        writer.write(b"bye")
        await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


@pytest.fixture
async def proxy() -> AsyncIterator[FaultProxy]:
    server = await asyncio.start_server(_echo, HOST, 0)
    address = server.sockets[0].getsockname()
    proxy = FaultProxy(free_port(), upstream=lambda: (address[0], address[1]))
    proxy.start()
    yield proxy
    proxy.close()
    server.close()
    while proxy.connections:
        await asyncio.sleep(0.005)


class Client:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def connect(cls, proxy: FaultProxy) -> "Client":
        return cls(*await asyncio.open_connection(HOST, proxy.port))

    async def ask(self, text: bytes) -> bytes:
        self.writer.write(text)
        await self.writer.drain()
        return await asyncio.wait_for(self.reader.readexactly(len(text)), PATIENCE)

    async def close(self) -> None:
        self.writer.close()
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()


async def test_a_healthy_proxy_is_transparent_to_half_closed_connections(proxy: FaultProxy) -> None:
    client = await Client.connect(proxy)
    assert await client.ask(b"x" * 200_000) == b"x" * 200_000
    client.writer.write_eof()
    assert await asyncio.wait_for(client.reader.read(), PATIENCE) == b"bye"
    await client.close()
    assert (proxy.accepted, proxy.cut) == (1, 0)


async def test_latency_delays_both_directions_and_ends_with_heal(proxy: FaultProxy) -> None:
    client = await Client.connect(proxy)
    await client.ask(b"warm")
    proxy.latency(0.1)
    began = time.monotonic()
    await client.ask(b"slow")
    assert time.monotonic() - began >= 0.2
    proxy.latency(10 * PATIENCE)
    proxy.heal()
    await client.ask(b"fast")
    await client.close()


async def test_reset_cuts_what_is_open_and_welcomes_what_comes(proxy: FaultProxy) -> None:
    client = await Client.connect(proxy)
    await client.ask(b"open")
    proxy.reset()
    with pytest.raises(ConnectionResetError):
        await asyncio.wait_for(client.reader.read(), PATIENCE)
    await client.close()
    assert proxy.cut == 1
    after = await Client.connect(proxy)
    assert await after.ask(b"again") == b"again"
    await after.close()


async def test_a_black_hole_answers_nobody_and_delivers_when_healed(proxy: FaultProxy) -> None:
    client = await Client.connect(proxy)
    await client.ask(b"before")
    proxy.black_hole()
    late = await Client.connect(proxy)
    for each in (client, late):
        each.writer.write(b"kept")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(client.reader.read(1), 0.15)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(late.reader.read(1), 0.05)
    proxy.heal()
    for each in (client, late):
        assert await asyncio.wait_for(each.reader.readexactly(4), PATIENCE) == b"kept"
        await each.close()


async def test_a_black_hole_can_be_reset(proxy: FaultProxy) -> None:
    proxy.black_hole()
    stuck = await Client.connect(proxy)
    stuck.writer.write(b"lost")
    while not proxy.connections:
        await asyncio.sleep(0.005)
    proxy.reset()
    proxy.heal()
    with pytest.raises(ConnectionResetError):
        await asyncio.wait_for(stuck.reader.read(), PATIENCE)
    await stuck.close()


async def test_refuse_cuts_and_refuses_until_healed_on_the_same_port(proxy: FaultProxy) -> None:
    client = await Client.connect(proxy)
    await client.ask(b"open")
    proxy.refuse()
    with pytest.raises(ConnectionResetError):
        await asyncio.wait_for(client.reader.read(), PATIENCE)
    await client.close()
    with pytest.raises(ConnectionRefusedError):
        await Client.connect(proxy)
    proxy.heal()
    after = await Client.connect(proxy)
    assert await after.ask(b"back") == b"back"
    await after.close()
    assert proxy.accepted == 2


async def test_faults_may_be_put_in_from_another_thread(proxy: FaultProxy) -> None:
    client = await Client.connect(proxy)
    await client.ask(b"open")
    await asyncio.to_thread(proxy.refuse)
    with pytest.raises(ConnectionRefusedError):
        await Client.connect(proxy)
    await asyncio.to_thread(proxy.heal)
    await client.close()
    after = await Client.connect(proxy)
    assert await after.ask(b"back") == b"back"
    await after.close()


async def test_an_upstream_that_is_down_ends_the_connection_only() -> None:
    proxy = FaultProxy(free_port(), upstream=lambda: (HOST, 1))
    proxy.start()
    client = await Client.connect(proxy)
    with contextlib.suppress(ConnectionResetError):
        assert await asyncio.wait_for(client.reader.read(), PATIENCE) == b""
    await client.close()
    assert proxy.accepted == 1
    proxy.close()
