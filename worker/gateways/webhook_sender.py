"""Sends signed deliveries to an endpoint, as many at once and as fast as asked, and counts what it answers."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import httpx2

from worker.gateways.webhook_signing import Signed

UNREACHABLE = "no answer"
_SECONDS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What was answered: how often each status (with its problem's code), and how long each answer took, in seconds."""

    answers: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)

    @property
    def all_taken(self) -> bool:
        """Whether every delivery was answered with a 2xx."""
        return all(answer.startswith("2") for answer in self.answers)

    def percentile(self, share: float) -> float:
        """Return the time within which this share of the answers came; 0 without answers."""
        ranked = sorted(self.seconds)
        return ranked[min(len(ranked) - 1, int(share * len(ranked)))] if ranked else 0.0


async def send(
    url: str,
    deliveries: Sequence[Callable[[], Signed]],
    *,
    concurrency: int,
    per_second: float | None,
) -> Tally:
    """POST every delivery to `url`, each signed at the moment it leaves, in their order; return what came back.

    `per_second` spaces the departures evenly; at most `concurrency` are under way. Nothing is repeated.
    """
    tally = Tally()
    places = asyncio.Semaphore(concurrency)
    began = time.monotonic()
    limits = httpx2.Limits(max_connections=concurrency, max_keepalive_connections=concurrency)

    async def one(client: httpx2.AsyncClient, make: Callable[[], Signed]) -> None:
        try:
            delivery = make()
            started = time.monotonic()
            try:
                answer = await client.post(
                    url, content=delivery.body, headers={"Content-Type": "application/json", **delivery.headers}
                )
            except httpx2.TransportError:
                tally.answers[UNREACHABLE] += 1
                return
            tally.seconds.append(time.monotonic() - started)
            tally.answers[_said(answer)] += 1
        finally:
            places.release()

    async with httpx2.AsyncClient(timeout=_SECONDS, limits=limits) as client, asyncio.TaskGroup() as sending:
        for number, make in enumerate(deliveries):
            if per_second:
                await asyncio.sleep(max(0.0, began + number / per_second - time.monotonic()))
            await places.acquire()
            sending.create_task(one(client, make))
    return tally


def _said(answer: httpx2.Response) -> str:
    """Return the status and our own word for it: `202 accepted`, `401 bad_signature`."""
    try:
        document = answer.json()
    except ValueError:
        return str(answer.status_code)
    word = document.get("status") if answer.is_success else document.get("code")
    return f"{answer.status_code} {word}" if isinstance(word, str) else str(answer.status_code)
