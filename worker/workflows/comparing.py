"""The comparison of one reconciliation in parts: gathered once, sifted and judged by as many workers as there are."""

import asyncio
from collections.abc import Callable, Iterable

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from worker.activities.reconciliation import (
        Conclude,
        PartOrder,
        Parts,
        ReconciliationActivities,
        RunAnswer,
        RunOrder,
    )
    from worker.contract.reconciliation import Progress
    from worker.workflows.policies import COMPARISON, PART

PATCH = "books-in-columns"
AT_ONCE = 8
"""Parts under way at a time: more would only wait in the queue, in front of other runs."""


class Comparing:
    """Compares the books of a run; `progress` tells how far it is."""

    def __init__(self) -> None:
        self.progress = Progress(step="waiting")
        self._in_columns = True

    def begin(self) -> None:
        """Decide how to compare; to be called before anything else is done.

        Behind a local activity a patch may not be seen by a replay: a query that comes while that is under way splits
        the task, and the replay runs on before it has read the second part.
        """
        self._in_columns = workflow.patched(PATCH)

    async def compare(self, order: RunOrder) -> RunAnswer:
        """Return what the run answered."""
        if not self._in_columns:
            return await workflow.execute_activity_method(
                ReconciliationActivities.compare_books, order, summary=_summary(order), **COMPARISON
            )
        self.progress = Progress(step="gathering")
        parts = await workflow.execute_activity_method(
            ReconciliationActivities.gather_books, order, summary=_summary(order), **COMPARISON
        )
        pieces = await self._parted(parts) if parts.reference else 0
        self.progress = Progress(step="concluding", rows=parts.rows)
        answer = await workflow.execute_activity_method(
            ReconciliationActivities.conclude_run,
            Conclude(run_id=order.run_id, reference=parts.reference, pieces=pieces),
            summary=f"conclude from {parts.rows} rows",
            **COMPARISON,
        )
        self.progress = Progress(step="done", rows=parts.rows)
        return answer

    async def _parted(self, parts: Parts) -> int:
        numbers = range(parts.buckets)
        self.progress = Progress(step="sifting", rows=parts.rows, total=parts.buckets)
        await self._each(ReconciliationActivities.sift_bucket, parts.reference, numbers)
        self.progress = Progress(step="collecting", rows=parts.rows)
        pieces = await workflow.execute_activity_method(
            ReconciliationActivities.collect_exceptions, parts.reference, summary="collect what differs", **PART
        )
        self.progress = Progress(step="judging", rows=parts.rows, total=pieces)
        await self._each(ReconciliationActivities.judge_piece, parts.reference, range(pieces))
        return pieces

    async def _each(
        self, step: Callable[[ReconciliationActivities, PartOrder], None], reference: str, numbers: Iterable[int]
    ) -> None:
        waiting = list(numbers)

        async def work_off() -> None:
            while waiting:
                number = waiting.pop(0)
                await workflow.execute_activity_method(
                    step,
                    PartOrder(reference=reference, number=number),
                    summary=f"part {number + 1}",
                    **PART,
                )
                self.progress = self.progress.one_more()

        await asyncio.gather(*(work_off() for _ in range(min(AT_ONCE, len(waiting)))))


def _summary(order: RunOrder) -> str:
    return f"compare {order.window.start} .. {order.window.end}"
