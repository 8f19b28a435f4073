-- Sums of `summed_entry` and `summed_line` by currency: see WindowSums in worker/domain/matching/sums.py. A movement of
-- weight -1 takes one of weight 1 out again, so what agrees is all there is less what is aside: no join is needed.
select
    currency,
    sum(weight * ours_minor)::bigint as ours_minor,
    sum(weight * theirs_minor)::bigint as theirs_minor,
    sum(weight * ours_outside_minor)::bigint as ours_outside_minor,
    sum(weight * theirs_outside_minor)::bigint as theirs_outside_minor,
    sum(weight * outside_count)::bigint as outside_count,
    sum(weight * fees_minor)::bigint as fees_minor
from (
    select
        currency,
        weight,
        case when occurred_at >= $window_start then amount_minor else 0 end as ours_minor,
        0 as theirs_minor,
        case when occurred_at < $window_start then amount_minor else 0 end as ours_outside_minor,
        0 as theirs_outside_minor,
        (occurred_at < $window_start)::bigint as outside_count,
        0 as fees_minor
    from summed_entry
    union all
    select
        currency,
        weight,
        0,
        case when created_at >= $window_start and {money} then gross_minor else 0 end,
        0,
        case when created_at < $window_start and {money} then gross_minor else 0 end,
        (created_at < $window_start and {money})::bigint,
        case
            when created_at < $window_start then 0
            when kind = 'fee' then -net_minor
            when {money} or kind in ('payout', 'transfer') then fee_minor
            else 0
        end
    from summed_line
    -- What moved at the cut or later belongs to a later run; what no run can look at any more counts nowhere.
    where created_at < $cut and created_at >= $horizon and (created_at >= $window_start or {money})
)
group by currency
having sum(weight) > 0
order by currency
