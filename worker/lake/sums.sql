-- Sums of entries and lines by currency: see WindowSums in worker/domain/matching/sums.py. A movement of
-- weight -1 takes one of weight 1 out again.
--
-- Columns are added up as they are, by the few kinds there are; what counts as what is asked of those sums, not of every row.
with entry_sum as (
    select
        currency,
        occurred_at >= $window_start as inside,
        sum(weight * amount_minor) as minor,
        sum(weight) as movements
    from {entries}
    group by all
),

line_sum as (
    select
        currency,
        kind,
        {money} as money,
        created_at >= $window_start as inside,
        sum(weight * gross_minor) as gross,
        sum(weight * fee_minor) as fee,
        sum(weight * net_minor) as net,
        sum(weight) as movements
    from {lines}
    -- What moved at the cut or later belongs to a later run; what no run can look at any more counts nowhere.
    where created_at < $cut and created_at >= $horizon
    group by all
)

select
    currency,
    sum(ours_minor)::bigint as ours_minor,
    sum(theirs_minor)::bigint as theirs_minor,
    sum(ours_outside_minor)::bigint as ours_outside_minor,
    sum(theirs_outside_minor)::bigint as theirs_outside_minor,
    sum(outside_count)::bigint as outside_count,
    sum(fees_minor)::bigint as fees_minor
from (
    select
        currency,
        movements,
        case when inside then minor else 0 end as ours_minor,
        0 as theirs_minor,
        case when inside then 0 else minor end as ours_outside_minor,
        0 as theirs_outside_minor,
        case when inside then 0 else movements end as outside_count,
        0 as fees_minor
    from entry_sum
    union all
    select
        currency,
        movements,
        0,
        case when inside and money then gross else 0 end,
        0,
        case when inside then 0 else gross end,
        case when inside then 0 else movements end,
        case when not inside then 0 when kind = 'fee' then -net when money or kind in ('payout', 'transfer') then fee else 0 end
    from line_sum
    where inside or money
)
group by currency
having sum(movements) > 0
order by currency
