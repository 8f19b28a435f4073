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
_LONGEST_PAUSE = 60.0


@dataclass(slots=True, kw_only=True)
class Tally:
    """What was answered in the end, and how often each status (with its problem's code).

    `seconds` is how long each answer took, those that asked to come again included; `repeated` counts these.
    """

    answers: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    repeated: int = 0

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
    retries: int = 0,
) -> Tally:
    """POST every delivery to `url`, each signed at the moment it leaves, in their order; return what came back.

    `per_second` is never exceeded; at most `concurrency` are under way. What is not answered, or with 429 or
    5xx, is repeated up to `retries` times, as senders do, and holds its place meanwhile.
    """
    tally = Tally()
    places = asyncio.Semaphore(concurrency)
    limits = httpx2.Limits(max_connections=concurrency, max_keepalive_connections=concurrency)

    async def one(client: httpx2.AsyncClient, make: Callable[[], Signed]) -> None:
        try:
            for left in range(retries, -1, -1):
                answer = await _answer(client, url, make(), tally)
                if not left or (answer is not None and not _asks_again(answer)):
                    break
                tally.repeated += 1
                await asyncio.sleep(_pause(answer))
            tally.answers[_said(answer)] += 1
        finally:
            places.release()

    async with httpx2.AsyncClient(timeout=_SECONDS, limits=limits) as client, asyncio.TaskGroup() as sending:
        due = time.monotonic()
        for make in deliveries:
            await places.acquire()
            if per_second:
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                due = max(due, time.monotonic()) + 1 / per_second  # who is late does not catch up in a burst
            sending.create_task(one(client, make))
    return tally


async def _answer(client: httpx2.AsyncClient, url: str, delivery: Signed, tally: Tally) -> httpx2.Response | None:
    started = time.monotonic()
    headers = {"Content-Type": "application/json", **delivery.headers}
    try:
        answer = await client.post(url, content=delivery.body, headers=headers)
    except httpx2.RequestError:
        return None
    tally.seconds.append(time.monotonic() - started)
    return answer


def _asks_again(answer: httpx2.Response) -> bool:
    return answer.status_code == 429 or answer.status_code >= 500


def _pause(answer: httpx2.Response | None) -> float:
    asked = answer.headers.get("Retry-After", "") if answer is not None else ""
    return min(float(asked), _LONGEST_PAUSE) if asked.isascii() and asked.isdigit() else 1.0


def _said(answer: httpx2.Response | None) -> str:
    """Return the status and our own word for it: `202 accepted`, `401 signature_invalid`."""
    if answer is None:
        return UNREACHABLE
    try:
        document = answer.json()
    except ValueError:
        document = None
    if not isinstance(document, dict):
        return str(answer.status_code)
    word = document.get("status") if answer.is_success else document.get("code")
    return f"{answer.status_code} {word}" if isinstance(word, str) else str(answer.status_code)
