"""Sums over the lines of each payout, as `payout_sums` of worker/domain/matching/payouts.py makes them."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from worker.domain.ledger import LineKind
from worker.domain.matching.payouts import PayoutStatus, PayoutSums
from worker.domain.matching.payouts_told import PayoutLines
from worker.lake.columns import aware, naive
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

_LINES = """
    with own as (
        select line_id, payout_id, currency, kind, net_minor, created_at, payout_at from {own} where payout_id <> ''
    ),
    -- What several files tell counts once, as the file says it that was imported last: a payout that came back may have
    -- given its lines to another since.
    elsewhere as (
        select
            line_id,
            arg_max(payout_id, place) as payout_id,
            arg_max(currency, place) as currency,
            arg_max(kind, place) as kind,
            arg_max(net_minor, place) as net_minor,
            min(created_at) as created_at,
            max(payout_at) as payout_at
        from ({others}) anti join own using (line_id)
        where payout_id <> '' and coalesce(payout_at, created_at) >= $since
        group by line_id
    ),
    item as (
        select payout_id, currency, kind, count(*) as lines, sum(net_minor)::bigint as net_minor,
            min(created_at) as first_at, max(created_at) as last_at, max(payout_at) as payout_at
        from (select * from own union all by name select * from elsewhere)
        group by payout_id, currency, kind
    )
    select
        payout_id,
        currency,
        coalesce(sum(net_minor) filter (where kind <> 'payout'), 0)::bigint,
        map(
            coalesce(list(kind order by kind) filter (where kind <> 'payout'), []),
            coalesce(list(lines order by kind) filter (where kind <> 'payout'), [])
        ),
        min(first_at),
        max(payout_at),
        -sum(net_minor) filter (where kind = 'payout')::bigint,
        max(last_at) filter (where kind = 'payout')
    from item
    group by payout_id, currency
    order by payout_id, currency
"""


def lines_by_payout(
    opened: Engine, own: Sequence[Path], others: Sequence[Sequence[Path]], since: datetime
) -> tuple[PayoutLines, ...]:
    """Return the sums over the lines of a statement and of others, by the payout they name, sorted.

    `others` come as they were imported, the last one last. Of theirs those count whose payout is of `since` or later.
    """
    nothing = f"select *, 0 as place from {parquet(own)} limit 0"  # noqa: S608 - our own files
    rest = [f"select *, {place} as place from {parquet(files)}" for place, files in enumerate(others) if files]  # noqa: S608
    sql = _LINES.format(own=parquet(own), others=" union all by name ".join(rest or [f"({nothing})"]))
    found = opened.connection.execute(sql, {"since": naive(since)}).fetchall()
    return tuple(
        PayoutLines(
            payout_id=payout_id,
            currency=currency,
            net_minor=net,
            counts={LineKind(kind): count for kind, count in counts.items()},
            first_at=aware(first),
            paid_out_at=aware(paid_out) if paid_out else None,
            closing_minor=closing,
            closing_at=aware(closed) if closed else None,
        )
        for payout_id, currency, net, counts, first, paid_out, closing, closed in found
    )


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
