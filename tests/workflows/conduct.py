"""How activity doubles behave, and what was asked of them: faults, holds, counts."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.workflows.histories import PATIENCE_SECONDS


@dataclass(slots=True)
class Hold:
    """A step stopped on its way. `reached` when it is there, `release` lets it (and later ones) go on."""

    reached: asyncio.Event = field(default_factory=asyncio.Event)
    release: asyncio.Event = field(default_factory=asyncio.Event)


class Conduct:
    """Shared by the doubles of one test."""

    def __init__(self) -> None:
        self.calls: dict[str, list[Any]] = defaultdict(list)
        """Arguments of every attempt, by activity."""
        self._before: dict[str, list[Exception]] = defaultdict(list)
        self._after: dict[str, list[Exception]] = defaultdict(list)
        self._holds: dict[str, Hold] = {}
        self._answer_holds: dict[str, Hold] = {}

    def count(self, name: str) -> int:
        """Return how many attempts there were."""
        return len(self.calls[name])

    async def attempts(self, name: str, number: int) -> None:
        """Wait until the activity was attempted `number` times."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while self.count(name) < number:
                await asyncio.sleep(0.01)

    def fail(self, name: str, *errors: Exception) -> None:
        """Let the next attempts fail before they do anything."""
        self._before[name] += errors

    def lose_answer(self, name: str, *errors: Exception) -> None:
        """Let the next attempts do their work and fail all the same."""
        self._after[name] += errors

    def hold(self, name: str) -> Hold:
        """Stop the activity before it does anything, until released."""
        return self._holds.setdefault(name, Hold())

    def hold_answer(self, name: str) -> Hold:
        """Let the activity do its work, but keep its answer back until released."""
        return self._answer_holds.setdefault(name, Hold())

    @asynccontextmanager
    async def step(self, name: str, argument: object) -> AsyncIterator[None]:
        """Surround the work of one attempt."""
        self.calls[name].append(argument)
        if (hold := self._holds.get(name)) is not None:
            hold.reached.set()
            await hold.release.wait()
        if self._before[name]:
            raise self._before[name].pop(0)
        yield
        if (hold := self._answer_holds.get(name)) is not None:
            hold.reached.set()
            await hold.release.wait()
        if self._after[name]:
            raise self._after[name].pop(0)
