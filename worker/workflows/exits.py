"""How a workflow ends early and still in good order: when a cancellation is heeded, and what it must not stop."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from temporalio import workflow


def heed_cancellation() -> None:
    """Raise what a step that was waited for has kept back: the workflow's own cancellation."""
    if workflow.cancellation_reason() is not None:
        raise asyncio.CancelledError


async def shielded(work: Coroutine[Any, Any, None]) -> None:
    """Finish `work` whatever happens: a cancellation must not stop a refund half-way."""
    task = asyncio.ensure_future(work)
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled():
                raise
    task.result()
