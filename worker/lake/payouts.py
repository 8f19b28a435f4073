"""Sums over the lines of each payout, as `payout_sums` of worker/domain/matching/payouts.py makes them."""

from collections.abc import Sequence
from pathlib import Path

from worker.domain.ledger import LineKind
from worker.domain.matching.payouts import PayoutStatus, PayoutSums
from worker.lake.columns import aware
from worker.lake.engine import Engine, parquet

_SUMS = """
    with item as (
        select payout_id, currency, kind, count(*) as lines, sum(net_minor)::bigint as net_minor, max(created_at) as last_at
        from {lines} where payout_id <> '' group by payout_id, currency, kind
    )
    select
        payout_id,
        currency,
        -sum(net_minor) filter (where kind = 'payout')::bigint,
        max(last_at) filter (where kind = 'payout'),
        sum(net_minor) filter (where kind <> 'payout')::bigint,
        map(list(kind order by kind) filter (where kind <> 'payout'), list(lines order by kind) filter (where kind <> 'payout'))
    from item
    group by payout_id, currency
    having count(*) filter (where kind = 'payout') > 0 and count(*) filter (where kind <> 'payout') > 0
    order by payout_id, currency
"""


def payouts_of(opened: Engine, lines: Sequence[Path]) -> tuple[PayoutSums, ...]:
    """Return the payouts that stand beside the lines they pay out, sorted."""
    found = opened.connection.execute(_SUMS.format(lines=parquet(lines))).fetchall()
    return tuple(
        PayoutSums(
            payout_id=payout_id,
            currency=currency,
            amount_minor=amount,
            status=PayoutStatus.PAID,
            arrives_at=aware(paid_at),
            lines_minor=net,
            counts={LineKind(kind): count for kind, count in counts.items()},
        )
        for payout_id, currency, amount, paid_at, net, counts in found
    )
