"""Synchronous code that waits on the loop: results, errors, time limits and context go the same way as without."""

import asyncio
import contextvars
from collections.abc import Coroutine
from functools import partial
from typing import Any

import pytest

from functions import greenlets

PLACE: contextvars.ContextVar[str] = contextvars.ContextVar("place", default="nowhere")


async def after(seconds: float, value: str) -> str:
    await asyncio.sleep(seconds)
    return value


async def test_it_waits_and_others_go_on_meanwhile() -> None:
    order: list[str] = []

    def work(name: str, seconds: float) -> str:
        order.append(greenlets.wait_for(after(seconds, f"{name}1")))
        order.append(greenlets.wait_for(after(seconds, f"{name}2")))
        return name

    found = await asyncio.gather(*(greenlets.run(partial(work, n, s)) for n, s in (("slow", 0.2), ("fast", 0.01))))
    assert found == ["slow", "fast"]
    assert order == ["fast1", "fast2", "slow1", "slow2"]


async def test_what_is_waited_for_raises_where_it_is_waited_for() -> None:
    async def broken() -> str:
        raise KeyError("there")

    def work() -> str:
        try:
            return greenlets.wait_for(broken())
        except KeyError:
            return greenlets.wait_for(after(0, "caught"))

    assert await greenlets.run(work) == "caught"
    with pytest.raises(KeyError, match="there"):
        await greenlets.run(lambda: greenlets.wait_for(broken()))


async def test_a_cancelled_task_ends_the_code_that_waits() -> None:
    ended = []

    def work() -> None:
        try:
            greenlets.wait_for(asyncio.sleep(60))
        finally:
            ended.append("cleaned up")

    task = asyncio.create_task(greenlets.run(work))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended == ["cleaned up"]


async def test_context_is_the_tasks_own_on_both_sides() -> None:
    async def seen() -> str:
        await asyncio.sleep(0)
        return PLACE.get()

    def work(name: str) -> str:
        PLACE.set(name)
        first = greenlets.wait_for(seen())
        greenlets.wait_for(asyncio.sleep(0))
        return f"{first} {PLACE.get()}"

    found = await asyncio.gather(*(greenlets.run(partial(work, n)) for n in "abc"))
    assert found == ["a a", "b b", "c c"]
    assert PLACE.get() == "nowhere"


async def test_a_deadline_holds() -> None:
    loop: greenlets.ServingLoop[str] = greenlets.ServingLoop()
    with pytest.raises(TimeoutError):
        await greenlets.run(lambda: loop.run(after(60, "late"), 0.02))
    assert await greenlets.run(lambda: loop.run(after(0, "in time"), 5)) == "in time"


def test_nobody_else_can_wait() -> None:
    asked: Coroutine[Any, Any, str] = after(0, "never")
    with pytest.raises(RuntimeError, match="can wait"):
        greenlets.wait_for(asked)
    asked.close()
