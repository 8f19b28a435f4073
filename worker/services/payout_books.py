"""Payouts as the provider's API tells them, each with the sums over the lines it pays out. On sums, never on all lines."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from worker.domain.ledger import LineKind
from worker.domain.matching.payouts import SENT, PayoutSums
from worker.domain.window import Span
from worker.services.ports import PaymentGateway
from worker.services.ports.lake import Gathering

_TOLD_EVERY = 1_000


def read_payouts(
    payments: PaymentGateway, gathering: Gathering, named: Span, judged: Span, progress: Callable[[str], None]
) -> Iterator[PayoutSums]:
    """Yield the payouts due in `named`, those due in `judged` with their sums. Raises SourceUnreadable.

    The lines of a payout that is itemised do not change any more: they are read once, by whichever run comes first, and
    so does one that is cut off go on behind the payouts that it has read.
    """
    for payout in payments.payouts(named.start, named.end):
        here = judged.start <= payout.arrives_at < judged.end
        if not (here and payout.automatic and payout.status in SENT):
            # Nothing to compare: it gave its lines back, nobody can say which they are, or only the bank may name it.
            yield payout
        elif payout.itemised:
            yield _summed(payout, gathering.lasting(payout.key, lambda it=payout: _sums(payments, it, progress)))  # type: ignore[misc]
        else:
            yield _summed(payout, _sums(payments, payout, progress))


def _summed(payout: PayoutSums, sums: Mapping[str, Any]) -> PayoutSums:
    counts = {LineKind(kind): number for kind, number in sums["counts"].items()}
    return replace(payout, lines_minor=sums["lines_minor"], counts=counts)


def _sums(payments: PaymentGateway, payout: PayoutSums, progress: Callable[[str], None]) -> dict[str, Any]:
    net, counts = 0, Counter[str]()
    for number, line in enumerate(payments.payout_lines(payout.payout_id)):
        if number % _TOLD_EVERY == 0:
            progress(f"reading payout {payout.payout_id}, {number} lines")
        if line.kind is LineKind.PAYOUT:  # its own: the total, not an item
            continue
        net += line.net_minor
        counts[str(line.kind)] += 1
    return {"lines_minor": net, "counts": dict(sorted(counts.items()))}
