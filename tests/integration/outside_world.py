"""The simulator in this process, on real ports, with a receiver of its webhooks that tests can question."""

import asyncio
import json
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp
from aiohttp import web

from infra.local.freeports import free_port
from infra.local.simulator.app import Options, build

HOST = "127.0.0.1"
SHOPIFY_SECRET = "shop-hook-secret"
STRIPE_SECRET = "whsec_stripe_hook"
WAREHOUSE_HOOK_SECRET = "whsec_d2FyZWhvdXNlLWhvb2stc2VjcmV0LTEyMzQ="
PATIENCE = 60


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """One webhook as it arrived."""

    source: str
    headers: dict[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        return json.loads(self.body)


@dataclass(kw_only=True)
class Answer:
    """One answer of the simulator."""

    status: int
    headers: dict[str, str]
    body: Any


@dataclass
class OutsideWorld:
    """`async with OutsideWorld(folder) as world:` a fresh simulator, or the one whose state is in `folder`."""

    data: Path
    received: list[Delivery] = field(default_factory=list)
    answers: dict[str, list[int]] = field(default_factory=dict)
    """Statuses the receiver gives a source next; 200 when there are none left."""

    async def __aenter__(self) -> Self:
        self._arrived = asyncio.Condition()
        self.smtp_port, self.port, hooks_port = free_port(), free_port(), free_port()
        self._hooks = web.AppRunner(self._receiver())
        await self._hooks.setup()
        await web.TCPSite(self._hooks, HOST, hooks_port).start()
        self.app = build(Options(data=self.data, smtp_port=self.smtp_port))
        self._runner = web.AppRunner(self.app, shutdown_timeout=1)
        await self._runner.setup()
        await web.TCPSite(self._runner, HOST, self.port).start()
        self._session = aiohttp.ClientSession(f"http://{HOST}:{self.port}")
        secrets = {"shopify": SHOPIFY_SECRET, "stripe": STRIPE_SECRET, "warehouse": WAREHOUSE_HOOK_SECRET}
        for source, secret in secrets.items():
            url = f"http://{HOST}:{hooks_port}/{source}"
            await self.call("PUT", f"/_sim/webhooks/{source}", {"url": url, "secret": secret})
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()
        await self._runner.cleanup()
        await self._hooks.cleanup()

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: dict[str, str] | None = None,
        raw: bytes | None = None,
    ) -> Answer:
        """Ask the simulator; `path` may be a whole URL."""
        sent = raw if raw is not None else None if body is None else json.dumps(body).encode()
        async with self._session.request(method, path, data=sent, headers=headers) as answer:
            text = await answer.text()
            return Answer(
                status=answer.status,
                headers={name.lower(): value for name, value in answer.headers.items()},
                body=json.loads(text) if "json" in answer.content_type else text,
            )

    async def hooks(self, count: int, source: str = "shopify") -> list[Delivery]:
        """Wait until `count` webhooks of `source` arrived, and return them all by arrival."""

        def those() -> list[Delivery]:
            return [delivery for delivery in self.received if delivery.source == source]

        async with asyncio.timeout(PATIENCE), self._arrived:
            await self._arrived.wait_for(lambda: len(those()) >= count)
            return those()

    async def advance(self, seconds: float) -> None:
        """Move simulated time forward."""
        assert (await self.call("POST", "/_sim/clock/advance", {"seconds": seconds})).status == 200

    def _receiver(self) -> web.Application:
        async def receive(request: web.Request) -> web.Response:
            delivery = Delivery(
                source=request.match_info["source"], headers=dict(request.headers), body=await request.read()
            )
            async with self._arrived:
                self.received.append(delivery)
                self._arrived.notify_all()
            statuses = self.answers.get(delivery.source)
            return web.Response(status=statuses.pop(0) if statuses else 200)

        app = web.Application()
        app.router.add_post("/{source}", receive)
        return app
