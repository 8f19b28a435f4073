"""How work is asked for: so many at once, as many as are wanted, until all are done."""

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable

AT_ONCE = 16
"""What saturates two cores; more would only wait in queues."""


async def drive(one: Callable[[int], Awaitable[None]], count: int) -> float:
    """Do `one` with every number below `count`, `AT_ONCE` of them under way; return the seconds it took."""
    numbers = iter(range(count))
    began = time.monotonic()

    async def take() -> None:
        for number in numbers:
            await one(number)

    async with asyncio.TaskGroup() as group:
        for _ in itertools.repeat(None, min(AT_ONCE, count)):
            group.create_task(take())
    return time.monotonic() - began
