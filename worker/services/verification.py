"""Doing a finished run again from what it was gathered with: the same answer, to the byte, or what differs.

A verification is no run: it is marked as what it is, writes nothing that others see (no run, no break, no watermark),
and asks neither the outside nor our books. What people decided, and what the run before left open, is no part of the
answer that is compared: both may change without the books having changed.
"""

from dataclasses import dataclass

from worker.domain.errors import Conflict, NotFound
from worker.services.comparison import Comparison
from worker.services.conclusion import Conclusion
from worker.services.ports import Clock, Database, Run
from worker.services.ports.lake import RunLake
from worker.services.run_result import Difference, differences, result_chunks


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What doing a run again came to."""

    run: Run
    sha256: str
    """Of the answer now; the run holds that of then."""
    findings: int
    agreeing: int
    differs: tuple[Difference, ...] = ()
    """What is not as it was; empty when the answers are the same, or when no other answer is kept than this one."""

    @property
    def identical(self) -> bool:
        """Whether both answers are the same, to the byte."""
        return self.sha256 == self.run.result_sha256


class Verification:
    """Does finished runs again."""

    def __init__(self, database: Database, lake: RunLake, clock: Clock) -> None:
        self._database = database
        self._lake = lake
        self._clock = clock

    def replay(self, run_id: str) -> Verified:
        """Do a run again. Raises NotFound, and Conflict when there is nothing (any more) to do it again from."""
        run = self._database.transact(lambda tx: tx.runs.get(run_id))
        if run is None:
            raise NotFound(f"there is no run {run_id}; `orders reconcile list` shows the runs")
        if run.finished_at is None:
            raise Conflict(f"run {run_id} is not finished: there is no answer yet that could be the same")
        if not run.inputs:
            raise Conflict(f"run {run_id} is of a release that kept no inputs; run its window again")
        with self._lake.again() as lake:
            comparison, conclusion = Comparison(self._database, lake), Conclusion(self._database, lake, self._clock)
            pieces = comparison.whole(run.inputs, lake.gathered(run.inputs).buckets, lambda _: None)
            compared = conclusion.compared(run.inputs, pieces)
            again = lake.gathered(run.inputs)
            sha256 = again.keep_result(result_chunks(compared))
            differs: tuple[Difference, ...] = ()
            if sha256 != run.result_sha256:
                differs = tuple(differences(self._lake.gathered(run.inputs).result(), again.result()))
        return Verified(
            run=run,
            sha256=sha256,
            findings=len(compared.findings),
            agreeing=compared.agreeing,
            differs=differs,
        )
