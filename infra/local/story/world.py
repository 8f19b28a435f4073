"""The demo's hands: a buyer and an API client in front of the gateway, and a finger in the outside world."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import Any, Self

import aiohttp

from infra.local.stack import Stack

PATIENCE_SECONDS = 120.0


class World:
    """HTTP to the functions (as a client with a key) and to the simulator's control API."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def post(self, path: str, document: Any, *, key: bool = True) -> tuple[int, dict[str, Any]]:
        """POST to the functions; return status and JSON."""
        headers = {"Authorization": f"Bearer {self._stack.api_key}"} if key else {}
        url = f"{self._stack.url('functions')}{path}"
        async with self._session.post(url, json=document, headers=headers) as answer:
            return answer.status, await answer.json(content_type=None)

    async def control(self, method: str, path: str, document: Any = None) -> Any:
        """Call the simulator's control API; raise RuntimeError when it refuses."""
        url = f"{self._stack.url('simulator')}/_sim{path}"
        async with self._session.request(method, url, json=document) as answer:
            text = await answer.text()
            if answer.status >= 300:
                raise RuntimeError(f"the simulator answered {answer.status} to {method} {path}: {text[:300]}")
            return json.loads(text) if answer.content_type == "application/json" else text

    async def buy(self, lines: list[dict[str, Any]], currency: str, *, paid: bool = True) -> str:
        """Buy in the simulated shop; return the order's id."""
        bought = await self.control(
            "POST", "/shop/orders", {"lines": lines, "currency": currency, "paid": paid, "charge": paid}
        )
        return str(bought.get("order", bought)["id"])

    async def spoil(self, kind: str, source: str, topic: str, times: int, **more: Any) -> None:
        """Spoil the next `times` webhooks of a source and topic: lose, duplicate, delay."""
        rule = {"kind": kind, "source": source, "topic": topic, "times": times, **more}
        await self.control("PUT", "/webhooks/faults", rule)

    async def deliveries(self) -> dict[str, int]:
        """Return how many webhooks stand in each delivery status."""
        counts: dict[str, int] = (await self.control("GET", "/webhooks/deliveries?status=none"))["counts"]
        return counts

    async def charges_by_order(self) -> dict[str, tuple[int, int]]:
        """Return, per order id, how many captured charges the provider holds and what they net to."""
        found: dict[str, Any] = await self.control("GET", "/provider/charges_by_order")
        return {order: (int(value[0]), int(value[1])) for order, value in found.items()}


async def until(what: str, condition: Callable[[], Awaitable[bool]], seconds: float = PATIENCE_SECONDS) -> None:
    """Wait until a condition holds; raise TimeoutError naming it."""
    pause = 0.02
    try:
        async with asyncio.timeout(seconds):
            while not await condition():  # what is waited for lives in other processes
                await asyncio.sleep(pause)
                pause = min(pause * 1.5, 0.2)
    except TimeoutError:
        raise TimeoutError(f"waited {seconds:.0f} s in vain for: {what}") from None


async def at_once(width: int, jobs: Sequence[Callable[[], Awaitable[Any]]]) -> list[Any]:
    """Run jobs, at most `width` at a time; return their results in order."""
    gate = asyncio.Semaphore(width)

    async def run(job: Callable[[], Awaitable[Any]]) -> Any:
        async with gate:
            return await job()

    return list(await asyncio.gather(*(run(job) for job in jobs)))
