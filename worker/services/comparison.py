"""Comparing what a run gathered: the engine clears what trivially agrees, the rules judge the rest, piece by piece.

Each step reads and writes files of the run alone, so it may be done twice, on any worker, by two at once.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict

from worker.domain.finding import Finding, FindingKind, Leg
from worker.domain.matching.payments import compare_payments
from worker.services.ports import Database, Transaction
from worker.services.ports.lake import BY_NUMBER, Gathered, Judged, Known, Loose, RunLake
from worker.services.run_facts import RunFacts

AT_ONCE = 2
"""Buckets that are sifted at a time where nobody else sees to that: the engine gives each a thread, as far as it has any."""

ASKED_AT_ONCE = 5_000
"""Payments and orders that the database is asked for in one go."""


class Comparison:
    """The steps between gathering a run and concluding it."""

    def __init__(self, database: Database, lake: RunLake) -> None:
        self._database = database
        self._lake = lake

    def sift(self, reference: str, bucket: int) -> None:
        """Set aside what does not trivially agree in one bucket."""
        gathered, facts = self._opened(reference)
        gathered.sift(bucket, facts.scope, facts.rules, by_key=facts.by_key)

    def whole(self, reference: str, buckets: int, progress: Callable[[str], None]) -> int:
        """Do all the steps here and now; return in how many pieces it was judged. `progress` is called before each."""
        self.sift_all(reference, buckets, progress)
        progress("collecting")
        pieces = self.collect(reference)
        for piece in range(pieces):
            progress(f"judging, piece {piece + 1} of {pieces}")
            self.judge(reference, piece)
        return pieces

    def sift_all(self, reference: str, buckets: int, progress: Callable[[str], None]) -> None:
        """Set aside what does not trivially agree in all buckets, some at a time; `progress` is called before them and after each."""
        progress(f"comparing, none of {buckets} parts done")
        with ThreadPoolExecutor(AT_ONCE, "sifting") as pool:
            try:
                for done, _ in enumerate(
                    pool.map(lambda bucket: self.sift(reference, bucket), range(buckets)), start=1
                ):
                    progress(f"comparing, {done} of {buckets} parts done")
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise

    def collect(self, reference: str) -> int:
        """Bring together what the rules must judge; return in how many pieces."""
        gathered, facts = self._opened(reference)

        def known(loose: Loose) -> Known:
            return Known(**gathered.recalled("collecting", lambda: asdict(self._known(loose, facts))))

        return gathered.collect(known, facts.scope, facts.rules, by_key=facts.by_key)

    def judge(self, reference: str, piece: int) -> None:
        """Let the rules say what is wrong with the keys of one piece."""
        gathered, facts = self._opened(reference)
        some = gathered.piece(piece)
        findings, sums = compare_payments(some.entries, some.lines, some.order_of_payment, facts.scope, facts.rules)
        told = findings
        if facts.by_key:
            suspects = frozenset(gathered.recalled("collecting", dict)["suspects"])
            told = tuple(finding for finding in findings if _told(finding) or finding.key in suspects)
        kept = Judged(findings=told, sums=sums, agreeing=len(findings) - len(told))
        gathered.keep_findings(part_of(piece), kept)

    def _known(self, loose: Loose, facts: RunFacts) -> Known:
        """Return what our database knows of payments without an order, and which keys must be judged anyhow."""
        run = facts.run
        owners: dict[str, str] = {}
        for payments in _some(loose.payments):
            owners |= self._database.transact(
                lambda tx, some=payments: tx.payments.order_of_payment(run.shop, run.provider, some)  # type: ignore[misc]
            )
        for numbers in _some(loose.orders):
            known = self._database.transact(lambda tx, some=numbers: tx.orders.by_number(run.shop, some))  # type: ignore[misc]
            owners |= {BY_NUMBER + number: order_id for number, order_id in known.items()}
        return Known(owners=owners, suspects=self._database.transact(lambda tx: _left_open(tx, facts)))

    def _opened(self, reference: str) -> tuple[Gathered, RunFacts]:
        gathered = self._lake.gathered(reference)
        return gathered, RunFacts.of(gathered.facts)


def _some(names: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(names), ASKED_AT_ONCE):
        yield names[start : start + ASKED_AT_ONCE]


def part_of(piece: int) -> str:
    """Return under which name the findings of a piece are kept."""
    return f"payments-{piece:03d}"


def _left_open(tx: Transaction, facts: RunFacts) -> list[str]:
    """Return the keys of which something is open: what became of them is told even where they agree now.

    What the run before left open its successor opens with; what any run left open is a break that may resolve now.
    """
    run = facts.run
    before = tx.runs.before(run.shop, run.provider, run.source, run.window_start)
    left = set() if before is None else {finding.key for finding in tx.runs.each_finding(before.run_id)}
    left |= {
        item.finding.key for item in tx.breaks.each_open(run.shop, run.provider) if item.finding.leg is Leg.PAYMENTS
    }
    return sorted(left)


def _told(finding: Finding) -> bool:
    """Tell whether a finding says more than that its key agrees; one that does not is only counted."""
    return finding.kind is not FindingKind.MATCHED or finding.before_minor != 0
